//! AVX2 with FMA (8 lanes), AVX-512 (16 lanes), and AVX-512's 32 registers at 8 lanes for tensors whose
//! channels are no multiple of 16.

use core::arch::x86_64::*;

use super::Simd;

/// 256-bit registers, 16 of them.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;
/// 512-bit registers, 32 of them.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;
/// 256-bit registers, 32 of them.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Half;

macro_rules! eight_lanes {
    ($name:ident, $registers:literal) => {
        impl Simd for $name {
            const LANES: usize = 8;
            const REGISTERS: usize = $registers;
            type V = __m256;

            #[inline(always)]
            unsafe fn splat(value: f32) -> __m256 {
                // SAFETY: the caller has AVX2 and FMA; so in every function below.
                unsafe { _mm256_set1_ps(value) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> __m256 {
                // SAFETY: the caller promises eight readable values.
                unsafe { _mm256_loadu_ps(from) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, value: __m256) {
                // SAFETY: the caller promises eight writable values.
                unsafe { _mm256_storeu_ps(to, value) }
            }
            #[inline(always)]
            unsafe fn add(a: __m256, b: __m256) -> __m256 {
                // SAFETY: registers only.
                unsafe { _mm256_add_ps(a, b) }
            }
            #[inline(always)]
            unsafe fn mul(a: __m256, b: __m256) -> __m256 {
                // SAFETY: registers only.
                unsafe { _mm256_mul_ps(a, b) }
            }
            #[inline(always)]
            unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
                // SAFETY: registers only.
                unsafe { _mm256_fmadd_ps(a, b, c) }
            }
            #[inline(always)]
            unsafe fn max(a: __m256, b: __m256) -> __m256 {
                // SAFETY: registers only.
                unsafe { _mm256_max_ps(a, b) }
            }
            #[inline(always)]
            unsafe fn where_positive(x: __m256, value: __m256) -> __m256 {
                // SAFETY: registers only.
                unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps()), value) }
            }
            #[inline(always)]
            unsafe fn take_where_equal(x: __m256, y: __m256, value: &mut __m256) -> __m256 {
                // SAFETY: registers only.
                unsafe {
                    let equal = _mm256_cmp_ps::<_CMP_EQ_OQ>(x, y);
                    let taken = _mm256_and_ps(equal, *value);
                    *value = _mm256_andnot_ps(equal, *value);
                    taken
                }
            }
            #[inline(always)]
            unsafe fn add_to_f64(to: *mut f64, value: __m256) {
                // SAFETY: the caller promises eight f64.
                unsafe {
                    let low = _mm256_cvtps_pd(_mm256_castps256_ps128(value));
                    let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(value));
                    _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), low));
                    let to = to.add(4);
                    _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), high));
                }
            }

            #[inline(always)]
            fn prefetch(at: *const f32) {
                // SAFETY: a prefetch of any address is allowed, and every x86-64 has it.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
            }
        }
    };
}

eight_lanes!(Avx2, 16);
eight_lanes!(Avx512Half, 32);

impl Simd for Avx512 {
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    type V = __m512;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: the caller has AVX-512; so in every function below.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        // SAFETY: the caller promises sixteen readable values.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        // SAFETY: the caller promises sixteen writable values.
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn stream(to: *mut f32, value: __m512) {
        // SAFETY: the caller promises sixteen writable values that begin on a cache line.
        unsafe { _mm512_stream_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn fence() {
        // SAFETY: every x86-64 has it.
        unsafe { _mm_sfence() }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: registers only.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: registers only.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: registers only.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: registers only.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn where_positive(x: __m512, value: __m512) -> __m512 {
        // SAFETY: registers only.
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(positive, value)
        }
    }
    #[inline(always)]
    unsafe fn take_where_equal(x: __m512, y: __m512, value: &mut __m512) -> __m512 {
        // SAFETY: registers only.
        unsafe {
            let equal = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(x, y);
            let taken = _mm512_maskz_mov_ps(equal, *value);
            *value = _mm512_maskz_mov_ps(!equal, *value);
            taken
        }
    }
    #[inline(always)]
    unsafe fn add_to_f64(to: *mut f64, value: __m512) {
        // SAFETY: the caller promises sixteen f64.
        unsafe {
            let low = _mm512_cvtps_pd(_mm512_castps512_ps256(value));
            let high = _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(value));
            _mm512_storeu_pd(to, _mm512_add_pd(_mm512_loadu_pd(to), low));
            let to = to.add(8);
            _mm512_storeu_pd(to, _mm512_add_pd(_mm512_loadu_pd(to), high));
        }
    }

    #[inline(always)]
    fn prefetch(at: *const f32) {
        // SAFETY: a prefetch of any address is allowed, and every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
}

//! Eight lanes in plain Rust, for every processor: the compiler vectorises what it can.

use super::Simd;

/// Arrays of eight f32.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

type V8 = [f32; 8];

#[inline(always)]
fn zip(a: V8, b: V8, f: impl Fn(f32, f32) -> f32) -> V8 {
    let mut out = a;
    for (o, v) in out.iter_mut().zip(b) {
        *o = f(*o, v);
    }
    out
}

impl Simd for Portable {
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    type V = V8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> V8 {
        [value; 8]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> V8 {
        // SAFETY: the caller promises eight readable values.
        unsafe { from.cast::<V8>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: V8) {
        // SAFETY: the caller promises eight writable values.
        unsafe { to.cast::<V8>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn add(a: V8, b: V8) -> V8 {
        zip(a, b, |x, y| x + y)
    }
    #[inline(always)]
    unsafe fn mul(a: V8, b: V8) -> V8 {
        zip(a, b, |x, y| x * y)
    }
    #[inline(always)]
    unsafe fn fma(a: V8, b: V8, c: V8) -> V8 {
        // Two roundings: `f32::mul_add` would call a library function where there is no instruction.
        zip(zip(a, b, |x, y| x * y), c, |x, y| x + y)
    }
    #[inline(always)]
    unsafe fn max(a: V8, b: V8) -> V8 {
        zip(a, b, |x, y| if x > y { x } else { y })
    }
    #[inline(always)]
    unsafe fn where_positive(x: V8, value: V8) -> V8 {
        zip(x, value, |x, v| if x > 0.0 { v } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn take_where_equal(x: V8, y: V8, value: &mut V8) -> V8 {
        let mut taken = [0.0; 8];
        for lane in 0..8 {
            if x[lane] == y[lane] {
                taken[lane] = value[lane];
                value[lane] = 0.0;
            }
        }
        taken
    }
    #[inline(always)]
    unsafe fn add_to_f64(to: *mut f64, value: V8) {
        for (lane, v) in value.into_iter().enumerate() {
            // SAFETY: the caller promises eight f64.
            unsafe { *to.add(lane) += f64::from(v) };
        }
    }
}

//! One vector of f32 per instruction set, behind one trait.
//!
//! Kernels are written once over [`Simd`] and compiled once per instruction set inside a
//! `#[target_feature]` function (see [`crate::table`]); everything here is `#[inline(always)]` so that
//! it takes on the features of the function it ends up in.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Half};

/// A register of [`Simd::LANES`] f32 values.
///
/// # Safety
/// Every function may only run on a processor with the instruction set of its implementation; `load`
/// and `store` touch `LANES` consecutive f32 at a pointer that need not be aligned.
pub(crate) trait Simd: Copy + 'static {
    /// Values in a register.
    const LANES: usize;
    /// Registers there are: how many accumulators a kernel may hold.
    const REGISTERS: usize;
    /// The register.
    type V: Copy;

    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, value: Self::V);
    /// [`Self::store`] of what nobody reads soon; where a register is a whole cache line, past the caches, and `to`
    /// begins on one.
    #[inline(always)]
    unsafe fn stream(to: *mut f32, value: Self::V) {
        // SAFETY: as the caller's.
        unsafe { Self::store(to, value) }
    }
    /// Comes between [`Self::stream`] and any other use of what it wrote.
    #[inline(always)]
    unsafe fn fence() {}
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of each pair.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// `value` where `x > 0`, else 0: the derivative of ReLU is 0 at 0, as in PyTorch.
    unsafe fn where_positive(x: Self::V, value: Self::V) -> Self::V;
    /// `value` where `x == y`, else 0; and `value` itself becomes 0 where it was taken, so that a later
    /// tie gets nothing.
    unsafe fn take_where_equal(x: Self::V, y: Self::V, value: &mut Self::V) -> Self::V;
    /// Adds the lanes to `LANES` consecutive f64.
    unsafe fn add_to_f64(to: *mut f64, value: Self::V);

    /// Asks for the cache line at `at`, which need not exist.
    #[inline(always)]
    fn prefetch(at: *const f32) {
        let _ = at;
    }

    #[inline(always)]
    unsafe fn zero() -> Self::V {
        // SAFETY: as the caller's.
        unsafe { Self::splat(0.0) }
    }
}

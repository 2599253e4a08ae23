//! Pointwise (1x1) convolution: products of `[pixels, inputs]` with `[inputs, outputs]`, and the weight
//! gradient `a^T d`.
//!
//! Blocks of outputs stay in registers; inputs are broadcast, weights come from the first-level cache.

use crate::simd::Simd;

/// `out[p, o] (+)= sum_i a[p, i] * b[i, o]`.
#[derive(Clone, Copy)]
pub(crate) struct Pointwise {
    /// `[pixels, inputs]`, contiguous.
    pub(crate) a: *const f32,
    /// `[inputs, outputs]`, contiguous.
    pub(crate) b: *const f32,
    pub(crate) out: *mut f32,
    /// f32 from a pixel of `out` to the next.
    pub(crate) out_pixel: usize,
    pub(crate) pixels: usize,
    pub(crate) inputs: usize,
    /// A multiple of the vector's lanes.
    pub(crate) outputs: usize,
    /// Whether `out` is added to.
    pub(crate) add: bool,
}

/// `weights[i, o] += sum_p a[p, i] * d[p, o]`.
#[derive(Clone, Copy)]
pub(crate) struct PointwiseWeights {
    /// `[pixels, inputs]`, contiguous.
    pub(crate) a: *const f32,
    /// `[pixels, outputs]`, contiguous.
    pub(crate) d: *const f32,
    /// `[inputs, outputs]`, contiguous, added to.
    pub(crate) weights: *mut f32,
    pub(crate) pixels: usize,
    /// A multiple of 8.
    pub(crate) inputs: usize,
    /// A multiple of the vector's lanes.
    pub(crate) outputs: usize,
}

/// `R` pixels by `NV` vectors of outputs.
#[inline(always)]
unsafe fn block<S: Simd, const NV: usize, const R: usize>(
    job: &Pointwise,
    pixel: usize,
    column: usize,
) {
    // SAFETY: pixels `pixel..pixel + R` and columns `column..column + NV * LANES` exist.
    unsafe {
        let a = job.a.add(pixel * job.inputs);
        let out = job.out.add(pixel * job.out_pixel + column);
        let mut sums = [[S::zero(); NV]; R];
        if job.add {
            for (r, line) in sums.iter_mut().enumerate() {
                for (v, sum) in line.iter_mut().enumerate() {
                    *sum = S::load(out.add(r * job.out_pixel + v * S::LANES));
                }
            }
        }
        for i in 0..job.inputs {
            let mut b = [S::zero(); NV];
            for (v, b) in b.iter_mut().enumerate() {
                *b = S::load(job.b.add(i * job.outputs + column + v * S::LANES));
            }
            for (r, line) in sums.iter_mut().enumerate() {
                let a = S::splat(*a.add(r * job.inputs + i));
                for (v, sum) in line.iter_mut().enumerate() {
                    *sum = S::fma(a, b[v], *sum);
                }
            }
        }
        for (r, line) in sums.into_iter().enumerate() {
            for (v, sum) in line.into_iter().enumerate() {
                S::store(out.add(r * job.out_pixel + v * S::LANES), sum);
            }
        }
    }
}

/// All pixels of `NV` vectors of outputs, in blocks of `R`, then 8 (if smaller), 4, 2, 1.
#[inline(always)]
unsafe fn columns<S: Simd, const NV: usize, const R: usize>(job: &Pointwise, column: usize) {
    let mut pixel = 0;
    // SAFETY: every block lies within the pixels and columns that the caller vouches for.
    unsafe {
        while pixel + R <= job.pixels {
            block::<S, NV, R>(job, pixel, column);
            pixel += R;
        }
        if R > 8 && pixel + 8 <= job.pixels {
            block::<S, NV, 8>(job, pixel, column);
            pixel += 8;
        }
        if pixel + 4 <= job.pixels {
            block::<S, NV, 4>(job, pixel, column);
            pixel += 4;
        }
        if pixel + 2 <= job.pixels {
            block::<S, NV, 2>(job, pixel, column);
            pixel += 2;
        }
        while pixel < job.pixels {
            block::<S, NV, 1>(job, pixel, column);
            pixel += 1;
        }
    }
}

/// Writes or adds the product of `job`.
///
/// # Safety
/// All arrays have the sizes that [`Pointwise`] states, and the processor the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn forward<S: Simd>(job: &Pointwise) {
    let mut column = 0;
    // SAFETY: the caller's promise, for each group of columns.
    unsafe {
        if S::REGISTERS >= 32 {
            while column + 4 * S::LANES <= job.outputs {
                columns::<S, 4, 6>(job, column);
                column += 4 * S::LANES;
            }
        }
        while column + 2 * S::LANES <= job.outputs {
            if S::REGISTERS >= 32 {
                columns::<S, 2, 12>(job, column);
            } else {
                columns::<S, 2, 4>(job, column);
            }
            column += 2 * S::LANES;
        }
        while column < job.outputs {
            if S::REGISTERS >= 32 {
                columns::<S, 1, 16>(job, column);
            } else {
                columns::<S, 1, 8>(job, column);
            }
            column += S::LANES;
        }
    }
}

/// `I` inputs by `NV` vectors of outputs, over all pixels.
#[inline(always)]
unsafe fn outer<S: Simd, const NV: usize, const I: usize>(
    job: &PointwiseWeights,
    input: usize,
    column: usize,
) {
    // SAFETY: inputs `input..input + I` and columns `column..column + NV * LANES` exist.
    unsafe {
        let mut sums = [[S::zero(); NV]; I];
        for pixel in 0..job.pixels {
            let a = job.a.add(pixel * job.inputs + input);
            let mut d = [S::zero(); NV];
            for (v, d) in d.iter_mut().enumerate() {
                *d = S::load(job.d.add(pixel * job.outputs + column + v * S::LANES));
            }
            for (i, line) in sums.iter_mut().enumerate() {
                let a = S::splat(*a.add(i));
                for (v, sum) in line.iter_mut().enumerate() {
                    *sum = S::fma(a, d[v], *sum);
                }
            }
        }
        for (i, line) in sums.into_iter().enumerate() {
            for (v, sum) in line.into_iter().enumerate() {
                let to = job
                    .weights
                    .add((input + i) * job.outputs + column + v * S::LANES);
                S::store(to, S::add(S::load(to), sum));
            }
        }
    }
}

#[inline(always)]
unsafe fn outer_columns<S: Simd, const NV: usize, const I: usize>(
    job: &PointwiseWeights,
    column: usize,
) {
    // SAFETY: every block lies within the inputs and columns that the caller vouches for.
    unsafe {
        let mut input = 0;
        while input + I <= job.inputs {
            outer::<S, NV, I>(job, input, column);
            input += I;
        }
        while input < job.inputs {
            outer::<S, NV, 4>(job, input, column);
            input += 4;
        }
    }
}

/// Adds the weight gradient of `job`.
///
/// # Safety
/// All arrays have the sizes that [`PointwiseWeights`] states, and the processor the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn weight_gradient<S: Simd>(job: &PointwiseWeights) {
    let mut column = 0;
    // SAFETY: the caller's promise, for each group of columns.
    unsafe {
        while column + 2 * S::LANES <= job.outputs {
            if S::REGISTERS >= 32 {
                outer_columns::<S, 2, 8>(job, column);
            } else {
                outer_columns::<S, 2, 4>(job, column);
            }
            column += 2 * S::LANES;
        }
        while column < job.outputs {
            if S::REGISTERS >= 32 {
                outer_columns::<S, 1, 16>(job, column);
            } else {
                outer_columns::<S, 1, 8>(job, column);
            }
            column += S::LANES;
        }
    }
}

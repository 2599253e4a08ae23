//! 3x3 pools with padding 1, maximum and average, forward and backward.
//!
//! The average does not count the padding. The first of several equal maxima, in rows and then columns, gets the
//! gradient, as in PyTorch.

use crate::simd::Simd;

/// Which of the two pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolKind {
    Max,
    Average,
}

/// One image: `input` is `[height, width, channels]`, `output` has `ceil(height / stride)` rows.
#[derive(Clone, Copy)]
pub(crate) struct Pool {
    pub(crate) kind: PoolKind,
    pub(crate) stride: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) input: *const f32,
    pub(crate) output: *mut f32,
    /// Gradient of `output`, read in the backward pass.
    pub(crate) output_gradient: *const f32,
    /// Gradient of `input`, added to in the backward pass.
    pub(crate) input_gradient: *mut f32,
}

/// First and one past the last input of output `at` along one axis.
#[inline(always)]
fn window(at: usize, stride: usize, size: usize) -> (usize, usize) {
    let middle = at * stride;
    (middle.saturating_sub(1), (middle + 2).min(size))
}

/// Writes `output`.
///
/// # Safety
/// The arrays have the stated sizes, `channels` is a multiple of the lanes, and the processor has the instruction
/// set of `S`.
#[inline(always)]
pub(crate) unsafe fn forward<S: Simd>(job: &Pool) {
    let c = job.channels;
    let out_width = job.width.div_ceil(job.stride);
    for y in 0..job.height.div_ceil(job.stride) {
        let (top, bottom) = window(y, job.stride, job.height);
        for x in 0..out_width {
            let (left, right) = window(x, job.stride, job.width);
            let count = ((bottom - top) * (right - left)) as f32;
            for lane in (0..c).step_by(S::LANES) {
                // SAFETY: windows are clipped to the image.
                unsafe {
                    let at = |i: usize, j: usize| job.input.add((i * job.width + j) * c + lane);
                    let out = job.output.add((y * out_width + x) * c + lane);
                    let mut value = match job.kind {
                        PoolKind::Max => S::load(at(top, left)),
                        PoolKind::Average => S::zero(),
                    };
                    for i in top..bottom {
                        for j in left..right {
                            value = match job.kind {
                                PoolKind::Max => S::max(value, S::load(at(i, j))),
                                PoolKind::Average => S::add(value, S::load(at(i, j))),
                            };
                        }
                    }
                    if job.kind == PoolKind::Average {
                        value = S::mul(value, S::splat(1.0 / count));
                    }
                    S::store(out, value);
                }
            }
        }
    }
}

/// Adds to `input_gradient`; `output` holds what [`forward`] wrote.
///
/// # Safety
/// As [`forward`].
#[inline(always)]
pub(crate) unsafe fn backward<S: Simd>(job: &Pool) {
    let c = job.channels;
    let out_width = job.width.div_ceil(job.stride);
    for y in 0..job.height.div_ceil(job.stride) {
        let (top, bottom) = window(y, job.stride, job.height);
        for x in 0..out_width {
            let (left, right) = window(x, job.stride, job.width);
            let count = ((bottom - top) * (right - left)) as f32;
            for lane in (0..c).step_by(S::LANES) {
                // SAFETY: windows are clipped to the image.
                unsafe {
                    let out = (y * out_width + x) * c + lane;
                    let mut gradient = S::load(job.output_gradient.add(out));
                    if job.kind == PoolKind::Average {
                        gradient = S::mul(gradient, S::splat(1.0 / count));
                    }
                    for i in top..bottom {
                        for j in left..right {
                            let at = (i * job.width + j) * c + lane;
                            let to = job.input_gradient.add(at);
                            let share = match job.kind {
                                PoolKind::Average => gradient,
                                PoolKind::Max => {
                                    let maximum = S::load(job.output.add(out));
                                    S::take_where_equal(
                                        S::load(job.input.add(at)),
                                        maximum,
                                        &mut gradient,
                                    )
                                }
                            };
                            S::store(to, S::add(S::load(to), share));
                        }
                    }
                }
            }
        }
    }
}

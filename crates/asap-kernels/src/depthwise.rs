//! Depthwise convolution over a padded tile: forward, input gradient and weight gradient.
//!
//! `out[y, x, c] = sum_{i, j} tile[y s + i d, x s + j d, c] * w[i, j, c]`, with stride `s`, dilation `d`, and a
//! tile that begins at the first tap of output (0, 0). Vectors run over channels, so that every width,
//! stride and dilation is the same code without edge masks. The input gradient at any stride is the same
//! correlation with the kernel turned by 180 degrees, over output gradients set `s` pixels apart.

use crate::simd::Simd;

/// Kernel size, dilation and stride of a depthwise convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taps {
    pub(crate) kernel: usize,
    pub(crate) dilation: usize,
    pub(crate) stride: usize,
}

impl Taps {
    /// # Panics
    /// If no kernel is compiled for these numbers.
    pub(crate) fn new(kernel: usize, dilation: usize, stride: usize) -> Self {
        assert!(
            matches!(kernel, 3 | 5),
            "a convolution has kernel 3 or 5, found {kernel}"
        );
        assert!(
            matches!(dilation, 1 | 2),
            "a convolution has dilation 1 or 2, found {dilation}"
        );
        assert!(
            matches!(stride, 1 | 2),
            "a convolution has stride 1 or 2, found {stride}"
        );
        Self {
            kernel,
            dilation,
            stride,
        }
    }

    /// Zeros on every side that keep the size at stride 1.
    pub(crate) fn padding(self) -> usize {
        self.dilation * (self.kernel - 1) / 2
    }
}

/// One call: `rows` by `width` outputs of `channels` values each.
#[derive(Clone, Copy)]
pub(crate) struct Depthwise {
    /// First tap of the first output.
    pub(crate) tile: *const f32,
    /// f32 from a row of the tile to the next.
    pub(crate) tile_row: usize,
    /// `[kernel, kernel, channels]`.
    pub(crate) weights: *const f32,
    /// First output, `channels` apart.
    pub(crate) out: *mut f32,
    /// f32 from a row of outputs to the next.
    pub(crate) out_row: usize,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    /// A multiple of the vector's lanes.
    pub(crate) channels: usize,
}

/// The weight gradient: adds `sum_{y, x} tile[..] * gradient[y, x, c]` to `weights`.
#[derive(Clone, Copy)]
pub(crate) struct DepthwiseWeights {
    pub(crate) tile: *const f32,
    pub(crate) tile_row: usize,
    /// First output gradient.
    pub(crate) gradient: *const f32,
    pub(crate) gradient_row: usize,
    /// f32 from a pixel of the gradient to the next.
    pub(crate) gradient_pixel: usize,
    /// `[kernel, kernel, channels]`, added to.
    pub(crate) weights: *mut f32,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

/// `R` neighbouring outputs of one channel block. `ADD` turns the kernel and adds to `out`.
#[inline(always)]
unsafe fn block<
    S: Simd,
    const K: usize,
    const D: usize,
    const ST: usize,
    const ADD: bool,
    const R: usize,
>(
    job: &Depthwise,
    source: *const f32,
    weights: *const f32,
    out: *mut f32,
) {
    let c = job.channels;
    // SAFETY: the caller's tile holds every tap of these `R` outputs, and `out` these outputs.
    unsafe {
        let mut sums = [S::zero(); R];
        if ADD {
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = S::load(out.add(r * c));
            }
        }
        for i in 0..K {
            let line = source.add(i * D * job.tile_row);
            if S::REGISTERS >= 32 && ST == 1 {
                // Every input is loaded once and serves all taps of its row.
                let mut inputs = [S::zero(); 16];
                for (at, input) in inputs.iter_mut().enumerate().take(R + (K - 1) * D) {
                    *input = S::load(line.add(at * c));
                }
                for j in 0..K {
                    let tap = i * K + j;
                    let w = S::load(weights.add(if ADD { K * K - 1 - tap } else { tap } * c));
                    for r in 0..R {
                        sums[r] = S::fma(inputs[r + j * D], w, sums[r]);
                    }
                }
            } else {
                for j in 0..K {
                    let tap = i * K + j;
                    let w = S::load(weights.add(if ADD { K * K - 1 - tap } else { tap } * c));
                    for (r, sum) in sums.iter_mut().enumerate() {
                        *sum = S::fma(S::load(line.add((r * ST + j * D) * c)), w, *sum);
                    }
                }
            }
        }
        for (r, sum) in sums.into_iter().enumerate() {
            S::store(out.add(r * c), sum);
        }
    }
}

#[inline(always)]
unsafe fn rows<S: Simd, const K: usize, const D: usize, const ST: usize, const ADD: bool>(
    job: &Depthwise,
) {
    let c = job.channels;
    for lane in (0..c).step_by(S::LANES) {
        for y in 0..job.rows {
            // SAFETY: all offsets stay within the rows, pixels and channels that the caller vouches for.
            unsafe {
                let source = job.tile.add(y * ST * job.tile_row + lane);
                let out = job.out.add(y * job.out_row + lane);
                let weights = job.weights.add(lane);
                let mut x = 0;
                while x + 8 <= job.width {
                    block::<S, K, D, ST, ADD, 8>(
                        job,
                        source.add(x * ST * c),
                        weights,
                        out.add(x * c),
                    );
                    x += 8;
                }
                if x + 4 <= job.width {
                    block::<S, K, D, ST, ADD, 4>(
                        job,
                        source.add(x * ST * c),
                        weights,
                        out.add(x * c),
                    );
                    x += 4;
                }
                while x < job.width {
                    block::<S, K, D, ST, ADD, 1>(
                        job,
                        source.add(x * ST * c),
                        weights,
                        out.add(x * c),
                    );
                    x += 1;
                }
            }
        }
    }
}

/// Writes the outputs of `job`.
///
/// # Safety
/// The tile holds every tap of `rows x width` outputs, `out` those outputs, `channels` is a multiple of the
/// lanes, and the processor has the instruction set of `S`.
#[inline(always)]
pub(crate) unsafe fn forward<S: Simd>(job: &Depthwise, taps: Taps) {
    // SAFETY: the caller's promise is that of `rows`.
    unsafe {
        match (taps.kernel, taps.dilation, taps.stride) {
            (3, 1, 1) => rows::<S, 3, 1, 1, false>(job),
            (3, 1, 2) => rows::<S, 3, 1, 2, false>(job),
            (5, 1, 1) => rows::<S, 5, 1, 1, false>(job),
            (5, 1, 2) => rows::<S, 5, 1, 2, false>(job),
            (3, 2, 1) => rows::<S, 3, 2, 1, false>(job),
            (3, 2, 2) => rows::<S, 3, 2, 2, false>(job),
            (5, 2, 1) => rows::<S, 5, 2, 1, false>(job),
            (5, 2, 2) => rows::<S, 5, 2, 2, false>(job),
            _ => unreachable!("taps are checked when a plan is made"),
        }
    }
}

/// Adds the input gradient to `out`; `tile` holds output gradients, at stride 2 every second one zero.
///
/// # Safety
/// As [`forward`] at stride 1.
#[inline(always)]
pub(crate) unsafe fn input_gradient<S: Simd>(job: &Depthwise, taps: Taps) {
    // SAFETY: the caller's promise is that of `rows`.
    unsafe {
        match (taps.kernel, taps.dilation) {
            (3, 1) => rows::<S, 3, 1, 1, true>(job),
            (5, 1) => rows::<S, 5, 1, 1, true>(job),
            (3, 2) => rows::<S, 3, 2, 1, true>(job),
            (5, 2) => rows::<S, 5, 2, 1, true>(job),
            _ => unreachable!("taps are checked when a plan is made"),
        }
    }
}

/// All taps at once: `K * K` accumulators.
#[inline(always)]
unsafe fn weights_at_once<S: Simd, const K: usize, const D: usize, const ST: usize>(
    job: &DepthwiseWeights,
) {
    let c = job.channels;
    for lane in (0..c).step_by(S::LANES) {
        // SAFETY: the processor has the instruction set of `S`.
        let mut sums = [[unsafe { S::zero() }; K]; K];
        for y in 0..job.rows {
            for x in 0..job.width {
                // SAFETY: the tile holds every tap, the gradient every output.
                unsafe {
                    let from = job
                        .gradient
                        .add(y * job.gradient_row + x * job.gradient_pixel + lane);
                    let gradient = S::load(from);
                    let source = job.tile.add(y * ST * job.tile_row + x * ST * c + lane);
                    for (i, line) in sums.iter_mut().enumerate() {
                        let source = source.add(i * D * job.tile_row);
                        for (j, sum) in line.iter_mut().enumerate() {
                            *sum = S::fma(S::load(source.add(j * D * c)), gradient, *sum);
                        }
                    }
                }
            }
        }
        for (tap, sum) in sums.into_iter().flatten().enumerate() {
            // SAFETY: `weights` holds `K * K` times `channels` values.
            unsafe {
                let to = job.weights.add(tap * c + lane);
                S::store(to, S::add(S::load(to), sum));
            }
        }
    }
}

/// One row of taps at a time, two sums each, where there are few registers.
#[inline(always)]
unsafe fn weights_by_row<S: Simd, const K: usize, const D: usize, const ST: usize>(
    job: &DepthwiseWeights,
) {
    let c = job.channels;
    for lane in (0..c).step_by(S::LANES) {
        for i in 0..K {
            // SAFETY: the processor has the instruction set of `S`.
            let mut sums = [[unsafe { S::zero() }; K]; 2];
            for y in 0..job.rows {
                for x in 0..job.width {
                    // SAFETY: the tile holds every tap, the gradient every output.
                    unsafe {
                        let from = job
                            .gradient
                            .add(y * job.gradient_row + x * job.gradient_pixel + lane);
                        let gradient = S::load(from);
                        let line = y * ST + i * D;
                        let source = job.tile.add(line * job.tile_row + x * ST * c + lane);
                        for (j, sum) in sums[x % 2].iter_mut().enumerate() {
                            *sum = S::fma(S::load(source.add(j * D * c)), gradient, *sum);
                        }
                    }
                }
            }
            let [even, odd] = sums;
            for (j, (even, odd)) in even.into_iter().zip(odd).enumerate() {
                // SAFETY: `weights` holds `K * K` times `channels` values.
                unsafe {
                    let to = job.weights.add((i * K + j) * c + lane);
                    S::store(to, S::add(S::load(to), S::add(even, odd)));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn weights_of<S: Simd, const K: usize, const D: usize, const ST: usize>(
    job: &DepthwiseWeights,
) {
    // SAFETY: the caller's promise is theirs.
    unsafe {
        if S::REGISTERS >= 32 {
            weights_at_once::<S, K, D, ST>(job);
        } else {
            weights_by_row::<S, K, D, ST>(job);
        }
    }
}

/// Adds the weight gradient of `job`.
///
/// # Safety
/// As [`forward`], with `gradient` in the place of `out`.
#[inline(always)]
pub(crate) unsafe fn weight_gradient<S: Simd>(job: &DepthwiseWeights, taps: Taps) {
    // SAFETY: the caller's promise is that of `weights_of`.
    unsafe {
        match (taps.kernel, taps.dilation, taps.stride) {
            (3, 1, 1) => weights_of::<S, 3, 1, 1>(job),
            (3, 1, 2) => weights_of::<S, 3, 1, 2>(job),
            (5, 1, 1) => weights_of::<S, 5, 1, 1>(job),
            (5, 1, 2) => weights_of::<S, 5, 1, 2>(job),
            (3, 2, 1) => weights_of::<S, 3, 2, 1>(job),
            (3, 2, 2) => weights_of::<S, 3, 2, 2>(job),
            (5, 2, 1) => weights_of::<S, 5, 2, 1>(job),
            (5, 2, 2) => weights_of::<S, 5, 2, 2>(job),
            _ => unreachable!("taps are checked when a plan is made"),
        }
    }
}

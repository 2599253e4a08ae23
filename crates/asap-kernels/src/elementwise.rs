//! What stands between the convolutions: padded tiles, sums for batch normalisation, the weighted node sum
//! and the gradients that pass through them.
//!
//! Batch normalisation is never a pass of its own. A tensor is kept as it was before normalisation, `y`, and
//! read through `a y + b` with `a = scale / std`, `b = shift - a mean`; its gradient is
//! `sum_t A_t g_t + B y + D` with coefficients per channel (see `run/coefficients.rs`).

use crate::simd::Simd;

/// Pixels that are asked for ahead of the one read, where an image is read from end to end.
const AHEAD: usize = 32;

/// Copies one image, `a y + b` applied where coefficients are given.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) source: *const f32,
    /// f32 from a pixel of the source to the next.
    pub(crate) source_pixel: usize,
    /// `[channels]` each, or null for a source that is read as it is.
    pub(crate) a: *const f32,
    pub(crate) b: *const f32,
    pub(crate) out: *mut f32,
    /// f32 from a row of `out` to the next; its pixels are `channels` apart.
    pub(crate) out_row: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) relu: bool,
}

/// # Safety
/// `source` and `out` hold `height x width` pixels laid out as stated, `channels` is a multiple of the lanes,
/// and the processor has the instruction set of `S`; so for every function of this file.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd>(job: &Load) {
    let c = job.channels;
    // SAFETY: the caller's promise bounds every pixel and channel touched.
    unsafe {
        for lane in (0..c).step_by(S::LANES) {
            let (a, b) = if job.a.is_null() {
                (S::splat(1.0), S::zero())
            } else {
                (S::load(job.a.add(lane)), S::load(job.b.add(lane)))
            };
            for y in 0..job.height {
                let source = job.source.add(y * job.width * job.source_pixel + lane);
                let out = job.out.add(y * job.out_row + lane);
                for x in 0..job.width {
                    let at = source.add(x * job.source_pixel);
                    S::prefetch(at.wrapping_add(AHEAD * job.source_pixel));
                    let mut value = S::fma(S::load(at), a, b);
                    if job.relu {
                        value = S::max(value, S::zero());
                    }
                    S::store(out.add(x * c), value);
                }
            }
        }
    }
}

/// `sum_p y` and `sum_p y^2` per channel, added to f64.
#[derive(Clone, Copy)]
pub(crate) struct Moments {
    /// `[pixels, channels]`.
    pub(crate) y: *const f32,
    pub(crate) pixels: usize,
    pub(crate) channels: usize,
    /// `[channels]` sums, then `[channels]` sums of squares.
    pub(crate) sums: *mut f64,
    /// Where `y` is copied to, past all caches if there is a way; or null.
    pub(crate) copy: *mut f32,
}

/// # Safety
/// As [`load`].
#[inline(always)]
pub(crate) unsafe fn moments<S: Simd>(job: &Moments) {
    let c = job.channels;
    for lane in (0..c).step_by(S::LANES) {
        // SAFETY: as `load`.
        unsafe {
            let (mut s, mut q) = ([S::zero(); 4], [S::zero(); 4]);
            let y = job.y.add(lane);
            let copy = |p: usize, v: S::V| {
                if !job.copy.is_null() {
                    S::stream(job.copy.add(p * c + lane), v);
                }
            };
            let mut p = 0;
            while p + 4 <= job.pixels {
                for u in 0..4 {
                    let v = S::load(y.add((p + u) * c));
                    copy(p + u, v);
                    s[u] = S::add(s[u], v);
                    q[u] = S::fma(v, v, q[u]);
                }
                p += 4;
            }
            while p < job.pixels {
                let v = S::load(y.add(p * c));
                copy(p, v);
                s[0] = S::add(s[0], v);
                q[0] = S::fma(v, v, q[0]);
                p += 1;
            }
            S::add_to_f64(job.sums.add(lane), fold::<S>(s));
            S::add_to_f64(job.sums.add(c + lane), fold::<S>(q));
        }
    }
    if !job.copy.is_null() {
        // SAFETY: the processor has the instruction set of `S`.
        unsafe { S::fence() };
    }
}

/// `sum_p g` and, for every term, `sum_p g y` per channel, added to f64.
#[derive(Clone, Copy)]
pub(crate) struct Products<'a> {
    pub(crate) g: *const f32,
    pub(crate) g_pixel: usize,
    pub(crate) pixels: usize,
    pub(crate) channels: usize,
    /// `[channels]`.
    pub(crate) sum_g: *mut f64,
    pub(crate) terms: &'a [Factor],
}

/// What a gradient is multiplied with.
#[derive(Clone, Copy)]
pub(crate) struct Factor {
    pub(crate) y: *const f32,
    pub(crate) y_pixel: usize,
    /// `[channels]`, or null: `sum_p g` once more, for a term that some images lose.
    pub(crate) sum_g: *mut f64,
    /// `[channels]`.
    pub(crate) sum_gy: *mut f64,
}

/// # Safety
/// As [`load`].
#[inline(always)]
pub(crate) unsafe fn products<S: Simd>(job: &Products<'_>) {
    for lane in (0..job.channels).step_by(S::LANES) {
        // SAFETY: as `load`.
        unsafe {
            let g = job.g.add(lane);
            let mut s = [S::zero(); 4];
            for p in 0..job.pixels {
                s[p % 4] = S::add(s[p % 4], S::load(g.add(p * job.g_pixel)));
            }
            let sum = fold::<S>(s);
            S::add_to_f64(job.sum_g.add(lane), sum);
            for term in job.terms.iter().filter(|term| !term.sum_g.is_null()) {
                S::add_to_f64(term.sum_g.add(lane), sum);
            }
            let mut rest = job.terms;
            // As many terms at once as there are registers for: the gradient is read once for all of them.
            if S::REGISTERS >= 32 {
                while let Some((now, later)) = rest.split_first_chunk::<4>() {
                    factors::<S, 4>(job, now, lane);
                    rest = later;
                }
            }
            while let Some((now, later)) = rest.split_first_chunk::<2>() {
                factors::<S, 2>(job, now, lane);
                rest = later;
            }
            if let Some((now, _)) = rest.split_first_chunk::<1>() {
                factors::<S, 1>(job, now, lane);
            }
        }
    }
}

#[inline(always)]
unsafe fn factors<S: Simd, const N: usize>(job: &Products<'_>, terms: &[Factor; N], lane: usize) {
    // SAFETY: as `load`.
    unsafe {
        let g = job.g.add(lane);
        let mut sums = [[S::zero(); 4]; N];
        let mut p = 0;
        while p + 4 <= job.pixels {
            for u in 0..4 {
                let g = S::load(g.add((p + u) * job.g_pixel));
                for (term, sums) in terms.iter().zip(&mut sums) {
                    let y = term.y.add((p + u) * term.y_pixel + lane);
                    S::prefetch(y.wrapping_add(AHEAD * term.y_pixel));
                    sums[u] = S::fma(g, S::load(y), sums[u]);
                }
            }
            p += 4;
        }
        while p < job.pixels {
            let g = S::load(g.add(p * job.g_pixel));
            for (term, sums) in terms.iter().zip(&mut sums) {
                sums[0] = S::fma(g, S::load(term.y.add(p * term.y_pixel + lane)), sums[0]);
            }
            p += 1;
        }
        for (term, sums) in terms.iter().zip(sums) {
            S::add_to_f64(term.sum_gy.add(lane), fold::<S>(sums));
        }
    }
}

#[inline(always)]
unsafe fn fold<S: Simd>(s: [S::V; 4]) -> S::V {
    // SAFETY: registers only.
    unsafe { S::add(S::add(s[0], s[1]), S::add(s[2], s[3])) }
}

/// One term of a weighted sum: a tensor and a coefficient per channel.
#[derive(Clone, Copy)]
pub(crate) struct Term {
    pub(crate) values: *const f32,
    /// f32 from a pixel to the next.
    pub(crate) pixel: usize,
    /// `[channels]`.
    pub(crate) scale: *const f32,
}

/// `out[p, c] (+)= sum_k scale_k[c] values_k[p, c] + shift[c]`.
#[derive(Clone, Copy)]
pub(crate) struct Mix<'a> {
    pub(crate) terms: &'a [Term],
    /// `[channels]`, or null for 0.
    pub(crate) shift: *const f32,
    pub(crate) out: *mut f32,
    pub(crate) out_pixel: usize,
    pub(crate) pixels: usize,
    pub(crate) channels: usize,
    pub(crate) add: bool,
    /// Pixels that are asked for ahead of the one read.
    pub(crate) ahead: usize,
}

/// # Safety
/// As [`load`], for `out` and every term.
#[inline(always)]
pub(crate) unsafe fn mix<S: Simd>(job: &Mix<'_>) {
    const R: usize = 8;
    for lane in (0..job.channels).step_by(S::LANES) {
        // SAFETY: as `load`.
        unsafe {
            let shift = if job.shift.is_null() {
                S::zero()
            } else {
                S::load(job.shift.add(lane))
            };
            let out = job.out.add(lane);
            let mut p = 0;
            while p + R <= job.pixels {
                let mut sums = [shift; R];
                for term in job.terms {
                    let scale = S::load(term.scale.add(lane));
                    let values = term.values.add(p * term.pixel + lane);
                    for (r, sum) in sums.iter_mut().enumerate() {
                        let value = values.add(r * term.pixel);
                        S::prefetch(value.wrapping_add(job.ahead * term.pixel));
                        *sum = S::fma(S::load(value), scale, *sum);
                    }
                }
                for (r, sum) in sums.into_iter().enumerate() {
                    let to = out.add((p + r) * job.out_pixel);
                    S::store(
                        to,
                        if job.add {
                            S::add(S::load(to), sum)
                        } else {
                            sum
                        },
                    );
                }
                p += R;
            }
            while p < job.pixels {
                let mut sum = shift;
                for term in job.terms {
                    let value = S::load(term.values.add(p * term.pixel + lane));
                    sum = S::fma(value, S::load(term.scale.add(lane)), sum);
                }
                let to = out.add(p * job.out_pixel);
                S::store(
                    to,
                    if job.add {
                        S::add(S::load(to), sum)
                    } else {
                        sum
                    },
                );
                p += 1;
            }
        }
    }
}

/// `out[p] (+)= gradient[p]` where `a x + b > 0`: back through a ReLU.
#[derive(Clone, Copy)]
pub(crate) struct Masked {
    /// `[pixels, channels]`, contiguous.
    pub(crate) gradient: *const f32,
    pub(crate) x: *const f32,
    pub(crate) x_pixel: usize,
    /// `[channels]` each, or null.
    pub(crate) a: *const f32,
    pub(crate) b: *const f32,
    pub(crate) out: *mut f32,
    pub(crate) out_pixel: usize,
    pub(crate) pixels: usize,
    pub(crate) channels: usize,
    pub(crate) add: bool,
}

/// # Safety
/// As [`load`].
#[inline(always)]
pub(crate) unsafe fn masked<S: Simd>(job: &Masked) {
    let c = job.channels;
    for lane in (0..c).step_by(S::LANES) {
        // SAFETY: as `load`.
        unsafe {
            let (a, b) = if job.a.is_null() {
                (S::splat(1.0), S::zero())
            } else {
                (S::load(job.a.add(lane)), S::load(job.b.add(lane)))
            };
            for p in 0..job.pixels {
                let x = S::fma(S::load(job.x.add(p * job.x_pixel + lane)), a, b);
                let value = S::where_positive(x, S::load(job.gradient.add(p * c + lane)));
                let to = job.out.add(p * job.out_pixel + lane);
                S::store(
                    to,
                    if job.add {
                        S::add(S::load(to), value)
                    } else {
                        value
                    },
                );
            }
        }
    }
}

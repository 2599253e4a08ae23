//! Batch normalisation as coefficients per channel.
//!
//! Forward: `out = a y + b`, `a = scale / deviation`, `b = shift - a mean`. Backward, with `G` the gradient of `out` over
//! all `M` pixels of the batch and `x = (y - mean) / deviation`:
//! `dy = a (G - mean(G) - x mean(G x)) = a G + B y + D`, `B = -a mean(G x) / deviation`,
//! `D = -a mean(G) - B mean`. The sums `sum G` and `sum G y` also give `d scale = sum G x`, `d shift = sum G` and, for an
//! op weight, `sum g (a y + b)`.

use super::Worker;
use crate::plan::{Bank, Node, Norm};

const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

impl Worker<'_> {
    /// Forward coefficients: from all threads' moments in training, from the running statistics otherwise.
    pub(super) fn coefficients(&self, norms: &[usize]) {
        for &index in norms {
            let norm = &self.plan.norms[index];
            let count = (norm.pixels * self.batch) as f64;
            for c in 0..norm.channels {
                // SAFETY: a barrier lies between the moments and this; the vectors are this thread's, and only thread 0
                // touches running statistics, of which there are `2 channels` from `norm.statistics` on.
                unsafe {
                    // A single operation has no running statistics: then these are not read.
                    let running_mean = self.shared.statistics.wrapping_add(norm.statistics + c);
                    let running_variance = running_mean.wrapping_add(norm.channels);
                    let (mean, variance) = if self.mode.train {
                        let mean = self.total(norm.moments + c) / count;
                        let square = self.total(norm.moments + norm.channels + c) / count;
                        (mean, (square - mean * mean).max(0.0))
                    } else {
                        (f64::from(*running_mean), f64::from(*running_variance))
                    };
                    if self.mode.train && self.mode.wanted.weights() && self.thread == 0 {
                        let unbiased = variance * count / (count - 1.0).max(1.0);
                        *running_mean = blend(*running_mean, mean);
                        *running_variance = blend(*running_variance, unbiased);
                    }
                    let inverse = 1.0 / (variance + EPSILON).sqrt();
                    let (scale, shift) = self.affine(norm, c);
                    let a = scale * inverse;
                    *self.vector(norm.a_vector + c) = a as f32;
                    *self.vector(norm.b_vector + c) = (shift - a * mean) as f32;
                    *self.vector(norm.mean_vector + c) = mean as f32;
                    *self.vector(norm.deviation_vector + c) = inverse as f32;
                }
            }
        }
    }

    fn affine(&self, norm: &Norm, c: usize) -> (f64, f64) {
        match norm.affine {
            Some(at) => {
                let [scale, shift] = at.map(|at| f64::from(self.pass.parameters[at + c]));
                (scale, shift)
            }
            None => (1.0, 0.0),
        }
    }

    /// Backward coefficients of one channel from `sum G` and `sum G y`; thread 0 adds the gradients of scale and shift.
    ///
    /// # Safety
    /// The forward coefficients are those of this step.
    unsafe fn back(&self, norm: &Norm, c: usize, sum: f64, product: f64) {
        // SAFETY: this thread's own vectors and gradients.
        unsafe {
            let read = |vector: usize| f64::from(*self.vector(vector + c));
            let (a, mean, inverse) = (
                read(norm.a_vector),
                read(norm.mean_vector),
                read(norm.deviation_vector),
            );
            let count = (norm.pixels * self.batch) as f64;
            let normalised = inverse * (product - mean * sum);
            let b = -a * inverse * normalised / count;
            *self.vector(norm.back_y_vector + c) = b as f32;
            *self.vector(norm.back_shift_vector + c) = (-a * sum / count - b * mean) as f32;
            if let Some([scale, shift]) = norm.affine
                && self.thread == 0
                && self.mode.wanted.weights()
            {
                *self.gradient(scale + c) += normalised as f32;
                *self.gradient(shift + c) += sum as f32;
            }
        }
    }

    /// Scales of a node's terms and their common shift.
    ///
    /// # Safety
    /// The forward coefficients of its terms are those of this step.
    pub(super) unsafe fn node_scales(&self, node: &Node) {
        for c in 0..node.size.channels {
            let mut shift = 0.0;
            for term in &node.terms {
                let weight = self.pass.op_weights[term.weight] * self.kept_scale(term);
                // SAFETY: this thread's own vectors.
                unsafe {
                    let (a, b) = match term.y.norm {
                        Some(norm) => {
                            let norm = &self.plan.norms[norm];
                            (
                                *self.vector(norm.a_vector + c),
                                *self.vector(norm.b_vector + c),
                            )
                        }
                        None => (1.0, 0.0),
                    };
                    *self.vector(term.scale_vector + c) = weight * a;
                    shift += weight * b;
                }
            }
            // SAFETY: as above.
            unsafe { *self.vector(node.shift_vector + c) = shift };
        }
    }

    /// Backward coefficients of the terms of a node, and the gradients of its op weights.
    ///
    /// # Safety
    /// A barrier lies between the node's sums and this.
    pub(super) unsafe fn node_coefficients(&self, node: &Node) {
        for term in &node.terms {
            let kept = f64::from(self.kept_scale(term));
            let weight = f64::from(self.pass.op_weights[term.weight]) * kept;
            let sum_at = self.term_sum(node, term);
            let mut op_weight_gradient = 0.0;
            let norm = term.y.norm.map(|n| &self.plan.norms[n]);
            for c in 0..node.size.channels {
                // SAFETY: the barrier was the caller's promise; vectors are this thread's own.
                unsafe {
                    let sum = self.total(sum_at + c);
                    let product = self.total(term.products + c);
                    let (a, b) = match norm {
                        Some(norm) => (
                            *self.vector(norm.a_vector + c),
                            *self.vector(norm.b_vector + c),
                        ),
                        None => (1.0, 0.0),
                    };
                    op_weight_gradient += kept * (f64::from(a) * product + f64::from(b) * sum);
                    let through = if term.normalised { f64::from(a) } else { 1.0 };
                    *self.vector(term.back_vector + c) = (weight * through) as f32;
                    if let (Some(norm), true) = (norm, term.normalised && !term.shared) {
                        self.back(norm, c, weight * sum, weight * product);
                    }
                }
            }
            if self.thread == 0 && self.mode.wanted.op_weights() {
                // SAFETY: only thread 0 writes here.
                unsafe { *self.shared.op_weight_gradients.add(term.weight) += op_weight_gradient };
            }
        }
    }

    /// Backward coefficients of the pools of a bank, over all nodes they end in.
    ///
    /// # Safety
    /// A barrier lies between the sums of those nodes and this.
    pub(super) unsafe fn pool_coefficients(&self, bank: &Bank) {
        for pool in &bank.pools {
            let Some(norm) = pool.y.norm.map(|n| &self.plan.norms[n]) else {
                continue;
            };
            for c in 0..norm.channels {
                let (mut sum, mut product) = (0.0, 0.0);
                for target in &pool.targets {
                    let node = &self.plan.nodes[target.node];
                    let term = &node.terms[target.term];
                    let weight = self.pass.op_weights[term.weight] * self.kept_scale(term);
                    let weight = f64::from(weight);
                    // SAFETY: the barrier was the caller's promise.
                    unsafe {
                        sum += weight * self.total(self.term_sum(node, term) + c);
                        product += weight * self.total(term.products + c);
                    }
                }
                // SAFETY: forward coefficients are this step's.
                unsafe { self.back(norm, c, sum, product) };
            }
        }
    }

    /// Backward coefficients between the two chains of a bank's separable convolutions.
    ///
    /// # Safety
    /// A barrier lies between [`Self::bank_second_back`] and this.
    pub(super) unsafe fn inner_coefficients(&self, bank: &Bank) {
        for convolution in bank.convolutions.iter().filter(|c| c.second.is_some()) {
            // SAFETY: the caller's promise.
            unsafe { self.source_coefficients(convolution.first.norm, convolution.inner_sums) };
        }
    }

    /// Backward coefficients of a normalisation with one consumer, from sums `[g, g y]`.
    ///
    /// # Safety
    /// A barrier lies between the sums and this.
    pub(super) unsafe fn source_coefficients(&self, norm: usize, sums: usize) {
        let norm = &self.plan.norms[norm];
        for c in 0..norm.channels {
            // SAFETY: the caller's promise.
            unsafe {
                let (sum, product) = (self.total(sums + c), self.total(sums + norm.channels + c));
                self.back(norm, c, sum, product);
            }
        }
    }
}

fn blend(running: f32, batch: f64) -> f32 {
    (f64::from(running) + MOMENTUM * (batch - f64::from(running))) as f32
}

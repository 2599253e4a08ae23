//! Normalisations: coefficients forward and backward.

use super::Lowering;

use crate::device::abi;
use crate::device::launch::Work;
use crate::plan::Bank;

/// f32 of shared memory: two f64 for each thread.
const COEFFICIENT_FLOATS: usize = 1024;

impl Lowering<'_> {
    /// What the backward coefficients of a normalisation go by; none of its places is written.
    pub(super) fn forward_norm(&self, norm: Option<usize>) -> abi::Norm {
        let Some(norm) = norm.map(|norm| &self.plan.norms[norm]) else {
            return abi::Norm::default();
        };
        abi::Norm {
            a: self.vector(norm.a_vector),
            b: self.vector(norm.b_vector),
            mean: self.vector(norm.mean_vector),
            deviation: self.vector(norm.deviation_vector),
            channels: norm.channels as u32,
            pixels: norm.pixels as u32,
            ..Default::default()
        }
    }

    /// A normalisation with all its places.
    pub(super) fn whole_norm(&self, index: usize) -> abi::Norm {
        let norm = &self.plan.norms[index];
        let affine =
            |place: &dyn Fn(usize) -> u64, i: usize| norm.affine.map_or(0, |at| place(at[i]));
        let running_mean = self.bases.statistics + 4 * norm.statistics as u64;
        abi::Norm {
            back_y: self.vector(norm.back_y_vector),
            back_shift: self.vector(norm.back_shift_vector),
            scale: affine(&|at| self.weight(at), 0),
            shift: affine(&|at| self.weight(at), 1),
            scale_gradient: affine(&|at| self.gradient(at), 0),
            shift_gradient: affine(&|at| self.gradient(at), 1),
            running_mean,
            running_variance: running_mean + 4 * norm.channels as u64,
            ..self.forward_norm(Some(index))
        }
    }

    pub(super) fn coefficients(&mut self, norms: &[usize]) {
        let jobs: Vec<abi::NormForward> = norms
            .iter()
            .map(|&index| abi::NormForward {
                norm: self.whole_norm(index),
                moments: self
                    .sums
                    .get(&self.plan.norms[index].moments)
                    .copied()
                    .unwrap_or_default(),
            })
            .collect();
        if !jobs.is_empty() {
            self.launch(
                "norm_forward",
                [1, 1],
                COEFFICIENT_FLOATS,
                &jobs,
                Work::default(),
            );
        }
    }

    /// All coefficients, from the running statistics.
    pub(super) fn running_coefficients(&mut self) {
        let all: Vec<usize> = (0..self.plan.norms.len()).collect();
        self.coefficients(&all);
    }

    /// Launches the backward coefficients that wait. Tasks that follow one another give coefficients of different normalisations from
    /// sums that are there, so their order does not matter.
    pub(super) fn launch_norms_back(&mut self) {
        let jobs = std::mem::take(&mut self.norms_back);
        if !jobs.is_empty() {
            self.append(
                "norm_backward",
                [1, 1],
                COEFFICIENT_FLOATS,
                &jobs,
                Work::default(),
            );
        }
    }

    /// Backward coefficients of normalisations with one consumer, from sums `[g, g y]`.
    pub(super) fn source_coefficients(&mut self, norms: &[(usize, usize)]) {
        for &(index, sums) in norms {
            let norm = self.whole_norm(index);
            let channels = norm.channels;
            let read = |at: usize| self.sums.get(&at).copied().unwrap_or_default();
            let contribution = abi::Contribution {
                sum: read(sums),
                product: read(sums + channels as usize),
                ..Default::default()
            };
            let contributions = self.tables.push(&[contribution]);
            self.norms_back.push(abi::NormBackward {
                norm,
                contributions,
                count: 1,
                channels,
            });
        }
    }

    pub(super) fn inner_coefficients(&mut self, bank: &Bank) {
        let separable = bank.convolutions.iter().filter(|c| c.second.is_some());
        let norms: Vec<_> = separable.map(|c| (c.first.norm, c.inner_sums)).collect();
        self.source_coefficients(&norms);
    }

    /// Backward coefficients of the pools of a bank, over all nodes they end in.
    pub(super) fn pool_coefficients(&mut self, bank: &Bank) {
        for pool in &bank.pools {
            let Some(index) = pool.y.norm else { continue };
            let contributions: Vec<_> = pool
                .targets
                .iter()
                .map(|target| {
                    let node = &self.plan.nodes[target.node];
                    self.contribution(node, &node.terms[target.term])
                })
                .collect();
            let norm = self.whole_norm(index);
            self.norms_back.push(abi::NormBackward {
                contributions: self.tables.push(&contributions),
                count: contributions.len() as u32,
                channels: norm.channels,
                norm,
            });
        }
    }
}

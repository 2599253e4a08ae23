//! The alphas of a benchmark: one per operation alive, softmax on every edge, Adam.
//!
//! Plain softmax at temperature 1, so that the numbers are those of the PyTorch program under
//! `benches/peer` when both start from the same file. Annealing adds no measurable time to a step.

use asap_genotype::{CellKind, EDGES, OpWeights, Topology};
use asap_space::AlphaDescent;
use asap_train::{Adam, AdamConfig};

/// As the paper's search has them, by UniNAS.
const ADAM: AdamConfig = AdamConfig {
    learning_rate: 3e-4,
    beta1: 0.5,
    beta2: 0.999,
    weight_decay: 1e-3,
};
/// Longest gradient that Adam sees.
const CLIP: f64 = 5.0;

/// The alphas, aligned with the operations alive, and their optimizer.
pub(super) struct Alphas {
    values: OpWeights,
    adam: Adam,
}

impl Alphas {
    pub(super) fn new(values: OpWeights) -> Self {
        let parameters = flat(&values).len();
        Self {
            values,
            adam: Adam::new(ADAM, parameters),
        }
    }

    /// The softmax of every edge's alphas.
    pub(super) fn op_weights(&self) -> OpWeights {
        let mut weights = self.values.clone();
        for_each_edge(&mut weights, |edge| {
            let largest = edge.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            edge.iter_mut()
                .for_each(|value| *value = (*value - largest).exp());
            let sum: f64 = edge.iter().sum();
            edge.iter_mut().for_each(|value| *value /= sum);
        });
        weights
    }

    /// Moves the alphas once against the gradients of the loss in the op weights.
    pub(super) fn step(&mut self, op_weights: &OpWeights, gradients: &OpWeights) {
        let mut slopes = gradients.clone();
        for kind in CellKind::ALL {
            for (slope, phi) in slopes.cell_mut(kind).iter_mut().zip(op_weights.cell(kind)) {
                // Softmax: d/d alpha_i = phi_i * (g_i - sum_j phi_j g_j).
                let mean: f64 = slope.iter().zip(phi).map(|(g, p)| g * p).sum();
                slope
                    .iter_mut()
                    .zip(phi)
                    .for_each(|(g, p)| *g = p * (*g - mean));
            }
        }
        let mut slopes = flat(&slopes);
        let norm = slopes.iter().map(|g| g * g).sum::<f64>().sqrt();
        let scale = (CLIP / (norm + 1e-6)).min(1.0);
        slopes.iter_mut().for_each(|g| *g *= scale);
        let mut parameters = flat(&self.values);
        self.adam.step(&mut parameters, &slopes);
        self.set(&parameters);
    }

    /// What a device keeps of them.
    pub(super) fn on_device(&self) -> asap_space::Alphas {
        self.adam.alphas(&flat(&self.values))
    }

    /// The step that comes next, for a device that takes it.
    pub(super) fn descent(&self) -> AlphaDescent {
        self.adam.descent(1.0, CLIP)
    }

    /// Takes over where a device has moved them.
    pub(super) fn follow(&mut self, moved: &asap_space::Alphas) {
        self.adam.follow(moved);
        self.set(&moved.parameters);
    }

    fn set(&mut self, parameters: &[f64]) {
        let mut parameters = parameters.iter();
        for_each_edge(&mut self.values, |edge| {
            // `edge` stands first: `zip` must not take a value more than the edge has.
            edge.iter_mut()
                .zip(&mut parameters)
                .for_each(|(value, new)| *value = *new);
        });
    }
}

/// Alphas of 0.001 times `normal()` for everything alive in `topology`.
pub(super) fn small(topology: &Topology, mut normal: impl FnMut() -> f64) -> OpWeights {
    let mut values = OpWeights::zeros(topology);
    for_each_edge(&mut values, |edge| {
        edge.iter_mut().for_each(|value| *value = 1e-3 * normal())
    });
    values
}

fn for_each_edge(values: &mut OpWeights, mut change: impl FnMut(&mut [f64])) {
    for kind in CellKind::ALL {
        values
            .cell_mut(kind)
            .iter_mut()
            .for_each(|edge| change(edge));
    }
}

fn flat(values: &OpWeights) -> Vec<f64> {
    let mut all = Vec::with_capacity(2 * EDGES);
    for kind in CellKind::ALL {
        all.extend(values.cell(kind).iter().flatten());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use asap_genotype::{Edge, OpSet};

    #[test]
    fn op_weights_are_a_softmax_on_every_edge() {
        let topology = Topology::full(&OpSet::darts7());
        let mut turn = 0.0;
        let alphas = Alphas::new(small(&topology, || {
            turn += 1.0;
            turn
        }));
        let weights = alphas.op_weights();
        for (kind, edge) in CellKind::ALL
            .into_iter()
            .flat_map(|k| Edge::all().map(move |e| (k, e)))
        {
            let edge = weights.edge(kind, edge);
            assert!((edge.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!((edge[1] / edge[0] - 1e-3_f64.exp()).abs() < 1e-12);
        }
    }

    #[test]
    fn an_alpha_whose_op_weight_raises_the_loss_falls() {
        let topology = Topology::full(&OpSet::darts7());
        let mut alphas = Alphas::new(OpWeights::zeros(&topology));
        let mut gradients = OpWeights::zeros(&topology);
        gradients.cell_mut(CellKind::Reduction)[13][2] = 1.0;
        let before = alphas.op_weights();
        alphas.step(&before, &gradients);
        let after = alphas.op_weights();
        let weight = |weights: &OpWeights, i: usize| weights.cell(CellKind::Reduction)[13][i];
        assert!(weight(&after, 2) < weight(&before, 2));
        assert!(weight(&after, 3) > weight(&before, 3));
        assert_eq!(after.cell(CellKind::Normal), before.cell(CellKind::Normal));
    }
}

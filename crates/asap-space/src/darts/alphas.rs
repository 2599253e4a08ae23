//! The alphas of the reference's search network: its op weights are their plain softmax on every edge.

use asap_genotype::{CellKind, EDGES, OpSet, OpWeights, Operation, Topology};

/// The alphas of one kind of cell: a row for each edge, a column for each operation.
pub type DartsAlphas = [[f32; Operation::ALL.len()]; EDGES];

/// The op weights of the search network, from the alphas of normal and reduction cells.
pub fn darts_op_weights(alphas: [&DartsAlphas; 2]) -> OpWeights {
    let mut weights = OpWeights::zeros(&Topology::full(&OpSet::darts8()));
    for (kind, alphas) in CellKind::ALL.into_iter().zip(alphas) {
        for (weights, alphas) in weights.cell_mut(kind).iter_mut().zip(alphas) {
            let largest = alphas.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers = alphas.map(|alpha| f64::from(alpha - largest).exp());
            let sum: f64 = powers.iter().sum();
            *weights = powers.iter().map(|power| power / sum).collect();
        }
    }
    weights
}

/// The gradients in the alphas of normal and reduction cells, from those in the op weights of the search network.
pub fn darts_alpha_gradients(op_weights: &OpWeights, gradients: &OpWeights) -> [DartsAlphas; 2] {
    CellKind::ALL.map(|kind| {
        let mut rows = DartsAlphas::default();
        let edges = op_weights.cell(kind).iter().zip(gradients.cell(kind));
        for (row, (weights, gradients)) in rows.iter_mut().zip(edges) {
            // d weight_j / d alpha_i = weight_j (delta_ij - weight_i)
            let mean: f64 = weights.iter().zip(gradients).map(|(w, g)| w * g).sum();
            for ((slope, weight), gradient) in row.iter_mut().zip(weights).zip(gradients) {
                *slope = (weight * (gradient - mean)) as f32;
            }
        }
        rows
    })
}

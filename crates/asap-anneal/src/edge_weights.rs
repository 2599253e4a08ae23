//! Weights of the edges into one node: `w_e = min(1, c * exp(l_e / T))`, with `c` such that the
//! weights of the living edges add up to 2 (ours).
//!
//! The paper leaves open which two inputs a node keeps. Here edges anneal like operations do, and the
//! last two of a node weigh exactly 1 each, which is what they weigh in the network found.

use crate::operation_weights::{alpha_gradient, operation_weights};

/// How many edges a node keeps, and what the weights of its living edges add up to (paper: two inputs).
pub const EDGES_KEPT: usize = 2;

/// The weight of every living edge into one node, from the edges' logits: in `0..=1`, adding up to 2
/// for two edges or more, and exactly 1 each for two or fewer. `temperature` is above 0.
#[must_use]
pub fn edge_weights(logits: &[f64], temperature: f64) -> Vec<f64> {
    if logits.len() <= EDGES_KEPT {
        return vec![1.0; logits.len()];
    }
    let shares = operation_weights(logits, temperature);
    match held_at_one(&shares) {
        None => shares.iter().map(|share| 2.0 * share).collect(),
        Some(held) => {
            let mut rest = operation_weights(&without(logits, held), temperature);
            rest.insert(held, 1.0);
            rest
        }
    }
}

/// The gradient of the loss in the edges' logits, from its gradient in the edges' weights.
///
/// Exact, the normalisation by `c` and the clamp at 1 included: a clamped edge has no gradient, and the
/// others then share what is left. With two edges or fewer nothing can move, so it is 0.
#[must_use]
pub fn logit_gradient(logits: &[f64], weight_gradient: &[f64], temperature: f64) -> Vec<f64> {
    if logits.len() <= EDGES_KEPT {
        return vec![0.0; logits.len()];
    }
    let shares = operation_weights(logits, temperature);
    match held_at_one(&shares) {
        None => {
            let through_shares = alpha_gradient(&shares, weight_gradient, temperature);
            through_shares
                .iter()
                .map(|gradient| 2.0 * gradient)
                .collect()
        }
        Some(held) => {
            let rest = operation_weights(&without(logits, held), temperature);
            let mut gradient = alpha_gradient(&rest, &without(weight_gradient, held), temperature);
            gradient.insert(held, 0.0);
            gradient
        }
    }
}

/// The edge that the clamp holds at 1: the one with more than half of the shares. Among three edges or
/// more there is at most one, since two at 1 would leave nothing for the others.
fn held_at_one(shares: &[f64]) -> Option<usize> {
    shares.iter().position(|share| 2.0 * share > 1.0)
}

fn without(values: &[f64], index: usize) -> Vec<f64> {
    let mut rest = values.to_vec();
    rest.remove(index);
    rest
}

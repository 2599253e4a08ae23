//! The gradient that reaches the parameters is the derivative of the op weights, by finite differences.

use crate::walk::Noise;
use asap_anneal::{
    AnnealConfig, Annealer, EdgeRule, Moment, alpha_gradient, edge_weights, logit_gradient,
    operation_weights,
};
use asap_genotype::{CellKind, Edge, OpSet, OpWeights};

const STEP: f64 = 1e-6;

fn assert_close(exact: &[f64], found: &[f64]) {
    assert_eq!(exact.len(), found.len());
    for (index, (exact, found)) in exact.iter().zip(found).enumerate() {
        let tolerance = 1e-7 * (1.0 + exact.abs());
        assert!(
            (exact - found).abs() < tolerance,
            "at {index}: expected {exact}, found {found}"
        );
    }
}

/// Central differences of `loss` in every parameter.
fn differences(parameters: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let at = |index: usize, shift: f64| {
        let mut moved = parameters.to_vec();
        moved[index] += shift;
        loss(&moved)
    };
    let slope = |index: usize| (at(index, STEP) - at(index, -STEP)) / (2.0 * STEP);
    (0..parameters.len()).map(slope).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn dot_all(a: &OpWeights, b: &OpWeights) -> f64 {
    let cell = |kind| {
        a.cell(kind)
            .iter()
            .zip(b.cell(kind))
            .map(|(a, b)| dot(a, b))
            .sum::<f64>()
    };
    CellKind::ALL.into_iter().map(cell).sum()
}

/// The annealer's gradient of `sum of direction * op weight`, against differences over all parameters.
fn check(annealer: &Annealer, temperature: f64) {
    let direction = Noise::new(5).op_weights(annealer.topology());
    let loss = |parameters: &[f64]| {
        let mut moved = annealer.clone();
        moved.set_parameters(parameters).unwrap();
        dot_all(&direction, &moved.op_weights(temperature))
    };
    let expected = differences(annealer.parameters(), loss);
    assert_close(&expected, &annealer.gradient(temperature, &direction));
}

fn annealer(edge_rule: EdgeRule, op_set: &OpSet, spread: f64) -> Annealer {
    let config = AnnealConfig {
        edge_rule,
        ..AnnealConfig::default()
    };
    let mut annealer = Annealer::new(config, op_set, 3).unwrap();
    let mut noise = Noise::new(4);
    let spread: Vec<f64> = annealer
        .parameters()
        .iter()
        .map(|start| start + spread * noise.sample())
        .collect();
    annealer.set_parameters(&spread).unwrap();
    annealer
}

#[test]
fn the_gradient_of_operation_weights_is_exact() {
    let (alphas, direction) = ([0.3, -0.1, 0.25, 0.0], [1.0, -2.0, 0.5, 0.7]);
    for temperature in [1.6, 0.4, 0.123] {
        let loss = |alphas: &[f64]| dot(&direction, &operation_weights(alphas, temperature));
        let phi = operation_weights(&alphas, temperature);
        let found = alpha_gradient(&phi, &direction, temperature);
        assert_close(&differences(&alphas, loss), &found);
    }
}

#[test]
fn the_gradient_of_edge_weights_is_exact_with_and_without_the_clamp() {
    let direction = [1.0, -2.0, 0.5, 0.7, 1.3];
    let unclamped = [0.1, 0.0, -0.2, 0.05, 0.15];
    let clamped = [0.1, 0.9, -0.2, 0.05, 0.15];
    assert!(
        edge_weights(&unclamped, 0.4)
            .iter()
            .all(|weight| *weight < 1.0)
    );
    assert_eq!(edge_weights(&clamped, 0.4)[1], 1.0);
    for logits in [unclamped, clamped] {
        let loss = |logits: &[f64]| dot(&direction, &edge_weights(logits, 0.4));
        assert_close(
            &differences(&logits, loss),
            &logit_gradient(&logits, &direction, 0.4),
        );
    }
}

#[test]
fn a_clamped_edge_and_the_two_last_edges_have_no_gradient() {
    assert_eq!(
        logit_gradient(&[5.0, 0.0, 0.0], &[1.0, 2.0, 3.0], 1.0)[0],
        0.0
    );
    assert_eq!(logit_gradient(&[5.0, 0.0], &[1.0, 2.0], 1.0), [0.0, 0.0]);
    assert_eq!(logit_gradient(&[5.0], &[1.0], 1.0), [0.0]);
}

#[test]
fn the_gradient_reaches_alphas_and_edge_logits() {
    for op_set in [OpSet::darts7(), OpSet::darts8()] {
        check(&annealer(EdgeRule::Anneal, &op_set, 0.2), 0.7);
        check(&annealer(EdgeRule::FirstDecided, &op_set, 0.2), 0.7);
    }
}

#[test]
fn the_gradient_stays_exact_while_edges_are_clamped() {
    let annealer = annealer(EdgeRule::Anneal, &OpSet::darts7(), 0.4);
    let weights = annealer.edge_weights(CellKind::Normal, 0.3);
    let of_large_nodes = Edge::all().filter(|edge| edge.to() > 2);
    assert!(
        of_large_nodes
            .map(|edge| weights[edge.index()])
            .any(|weight| weight == 1.0)
    );
    check(&annealer, 0.3);
}

#[test]
fn the_gradient_stays_exact_after_pruning() {
    let mut annealer = annealer(EdgeRule::Anneal, &OpSet::darts7(), 0.2);
    let pruned = annealer.prune(Moment { epoch: 20, step: 0 }, 0.3);
    assert!(pruned.removals.iter().any(|line| line.operation.is_some()));
    assert!(pruned.removals.iter().any(|line| line.operation.is_none()));
    check(&annealer, 0.3);
}

#[test]
#[should_panic(expected = "another topology")]
fn gradients_of_another_topology_are_refused() {
    let annealer = annealer(EdgeRule::Anneal, &OpSet::darts7(), 0.2);
    let other = asap_genotype::Topology::full(&OpSet::darts8());
    let _ = annealer.gradient(1.0, &OpWeights::zeros(&other));
}

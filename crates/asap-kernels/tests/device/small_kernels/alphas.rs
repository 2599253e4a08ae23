//! A step of the alphas: against derivatives by differences, Adam by its formula, and op weights as they are defined.

use asap_kernels::device::abi::{Alphas, Group, Step, THREADS};

use super::{Bench, step};

const TEMPERATURE: f64 = 0.6;
const CLIP: f64 = 0.3;

/// Nodes of two cells: how many operations each of their edges has.
fn nodes() -> Vec<Vec<usize>> {
    vec![
        vec![7, 1],
        vec![3, 7, 2],
        vec![1, 1, 1, 4],
        vec![2, 2],
        vec![1],
        vec![8, 7, 6, 5, 4],
    ]
}

/// How far a search is, and what a step of it reads.
#[derive(Clone)]
struct Case {
    parameters: Vec<f64>,
    mean: Vec<f64>,
    square: Vec<f64>,
    slopes: Vec<f64>,
    clip: f64,
    loss: f64,
}

/// From 0 up to, but not, 1.
fn random(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

fn case(logits: bool, seed: u64) -> Case {
    let operations: usize = nodes().iter().flatten().sum();
    let edges: usize = nodes().iter().map(Vec::len).sum();
    let len = operations + if logits { edges } else { 0 };
    let mut state = seed;
    let mut many = |len: usize, low: f64, high: f64| -> Vec<f64> {
        (0..len)
            .map(|_| low + (high - low) * random(&mut state))
            .collect()
    };
    let mut parameters = many(len, -0.5, 0.5);
    if logits {
        // The third node's edges: one has more than half of all.
        parameters[operations + 6] = 2.0;
    }
    Case {
        parameters,
        mean: many(len, -0.1, 0.1),
        square: many(len, 0.0, 0.02),
        slopes: many(operations, -1.0, 1.0),
        clip: f64::INFINITY,
        loss: 1.5,
    }
}

/// `min(1, c exp(l / T))`, with the `c` that makes them add up to 2, found by halving; 1 for two edges or fewer.
fn edge_weights(logits: &[f64]) -> Vec<f64> {
    if logits.len() <= 2 {
        return vec![1.0; logits.len()];
    }
    let weights = |c: f64| -> Vec<f64> {
        let weight = |logit: &f64| (c * (logit / TEMPERATURE).exp()).min(1.0);
        logits.iter().map(weight).collect()
    };
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        match weights(middle).iter().sum::<f64>() < 2.0 {
            true => low = middle,
            false => high = middle,
        }
    }
    weights(low)
}

fn op_weights(parameters: &[f64]) -> Vec<f64> {
    let operations: usize = nodes().iter().flatten().sum();
    let (alphas, mut logits) = parameters.split_at(operations);
    let (mut alphas, mut weights) = (alphas.iter(), Vec::new());
    for node in nodes() {
        let edges = match logits.split_at_checked(node.len()) {
            Some((own, rest)) => {
                logits = rest;
                edge_weights(own)
            }
            None => vec![1.0; node.len()],
        };
        for (edge, count) in edges.iter().zip(node) {
            let powers: Vec<f64> = (&mut alphas)
                .take(count)
                .map(|alpha| (alpha / TEMPERATURE).exp())
                .collect();
            let sum: f64 = powers.iter().sum();
            weights.extend(powers.iter().map(|power| edge * power / sum));
        }
    }
    weights
}

/// What is on the device after a step.
struct Moved {
    parameters: Vec<f64>,
    mean: Vec<f64>,
    square: Vec<f64>,
    gradient: Vec<f64>,
    op_weights: Vec<f32>,
    norm: f64,
}

fn moved(case: &Case) -> Moved {
    let groups = |counts: Vec<usize>| -> Vec<Group> {
        let mut first = 0;
        let mut group = |count: usize| {
            let count = count as u32;
            first += count;
            Group {
                first: first - count,
                count,
            }
        };
        counts.into_iter().map(&mut group).collect()
    };
    let edges = groups(nodes().into_iter().flatten().collect());
    let node_groups = groups(nodes().iter().map(Vec::len).collect());
    let (len, operations) = (case.parameters.len(), case.slopes.len());
    let mut bench = Bench::new(3);
    let job = Alphas {
        parameters: bench.put(&case.parameters),
        mean: bench.put(&case.mean),
        square: bench.put(&case.square),
        gradient: bench.put(&vec![f64::NAN; len]),
        phi: bench.put(&vec![f64::NAN; operations]),
        weight: bench.put(&vec![f64::NAN; edges.len()]),
        slope: bench.put(&vec![f64::NAN; edges.len()]),
        op_weight_gradients: bench.put(&case.slopes),
        op_weights: bench.put(&vec![f32::NAN; operations]),
        outcome: bench.put(&[case.loss, 3.0, f64::NAN]),
        edges: bench.put(&edges),
        nodes: bench.put(&node_groups),
        alphas: operations as u32,
        edges_count: edges.len() as u32,
        nodes_count: node_groups.len() as u32,
        logits: u32::from(len > operations),
    };
    let settings = Step {
        temperature: TEMPERATURE,
        alpha_rate: 0.02,
        alpha_decay: 0.01,
        mean_kept: 0.5,
        square_kept: 0.9,
        square_scale: 0.7,
        clip: case.clip as f32,
        ..step(4)
    };
    bench.run("alphas", [1, 1], 2 * THREADS, &[job], settings);
    let outcome = bench.read_f64(job.outcome, 3);
    assert_eq!(outcome[0].to_bits(), case.loss.to_bits());
    assert_eq!(outcome[1], 3.0);
    Moved {
        parameters: bench.read_f64(job.parameters, len),
        mean: bench.read_f64(job.mean, len),
        square: bench.read_f64(job.square, len),
        gradient: bench.read_f64(job.gradient, len),
        op_weights: bench.read(job.op_weights, operations),
        norm: outcome[2],
    }
}

#[track_caller]
fn near(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * expected.abs().max(1.0),
            "{what}, value {i}: {found} is not {expected}"
        );
    }
}

#[test]
fn alphas_and_logits_move_against_the_derivative_of_the_loss() {
    for (logits, seed) in [(false, 1), (false, 2), (true, 3), (true, 4), (true, 5)] {
        let case = case(logits, seed);
        let loss = |parameters: &[f64]| -> f64 {
            let weights = op_weights(parameters);
            weights.iter().zip(&case.slopes).map(|(w, g)| w * g).sum()
        };
        let slope = |i: usize| {
            let at = |difference: f64| {
                let mut parameters = case.parameters.clone();
                parameters[i] += difference;
                loss(&parameters)
            };
            (at(1e-5) - at(-1e-5)) / 2e-5
        };
        let slopes: Vec<f64> = (0..case.parameters.len()).map(slope).collect();
        assert!(slopes.iter().filter(|slope| slope.abs() > 1e-2).count() > 20);
        near("gradient", &moved(&case).gradient, &slopes, 1e-8);
    }
}

#[test]
fn adam_goes_by_its_formula_with_and_without_clipping() {
    for (logits, clip) in [(false, f64::INFINITY), (true, f64::INFINITY), (true, CLIP)] {
        let case = Case {
            clip,
            ..case(logits, 7)
        };
        let found = moved(&case);
        let norm = found.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        near("norm", &[found.norm], &[norm], 1e-12);
        assert!(norm > 2.0 * CLIP);
        let scale = (f64::from(clip as f32) / (norm + 1e-6)).min(1.0);
        let (mut parameters, mut means, mut squares) = (Vec::new(), Vec::new(), Vec::new());
        for (i, gradient) in found.gradient.iter().enumerate() {
            let gradient = gradient * scale + 0.01 * case.parameters[i];
            let mean = 0.5 * case.mean[i] + 0.5 * gradient;
            let square = 0.9 * case.square[i] + 0.1 * gradient * gradient;
            parameters.push(case.parameters[i] - 0.02 * mean / (square.sqrt() / 0.7 + 1e-8));
            means.push(mean);
            squares.push(square);
        }
        near("parameters", &found.parameters, &parameters, 1e-12);
        near("means", &found.mean, &means, 1e-12);
        near("squares", &found.square, &squares, 1e-12);
        let weights: Vec<f64> = found.op_weights.iter().map(|w| f64::from(*w)).collect();
        near("op weights", &weights, &op_weights(&found.parameters), 1e-6);
    }
}

#[test]
fn nothing_moves_when_the_loss_or_a_gradient_is_no_number() {
    let good = case(true, 9);
    let mut bad_slope = good.clone();
    bad_slope.slopes[11] = f64::NAN;
    let bad_loss = Case {
        loss: f64::INFINITY,
        ..good.clone()
    };
    for bad in [bad_slope, bad_loss] {
        let found = moved(&bad);
        assert_eq!(found.parameters, bad.parameters);
        assert_eq!(found.mean, bad.mean);
        assert_eq!(found.square, bad.square);
        let weights: Vec<f64> = found.op_weights.iter().map(|w| f64::from(*w)).collect();
        near("op weights", &weights, &op_weights(&bad.parameters), 1e-6);
    }
}

//! What holds for every search, whatever its alphas do.

use crate::walk::Noise;
use asap_anneal::{
    AnnealConfig, Annealer, AnnealerState, Check, EdgeRule, Moment, ThresholdBase, edge_weights,
    operation_weights, replay,
};
use asap_genotype::{CellKind, INPUT_NODES, NODES, OpSet, Operation, Topology};
use proptest::prelude::*;

fn logits(most: usize) -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(-1.5..1.5_f64, 1..=most)
}

fn configs() -> impl Strategy<Value = (AnnealConfig, OpSet)> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(anneal, initial, by_step, with_none)| {
            let config = AnnealConfig {
                edge_rule: if anneal {
                    EdgeRule::Anneal
                } else {
                    EdgeRule::FirstDecided
                },
                threshold_base: if initial {
                    ThresholdBase::Initial
                } else {
                    ThresholdBase::Alive
                },
                check: if by_step { Check::Step } else { Check::Epoch },
                ..AnnealConfig::default()
            };
            (
                config,
                if with_none {
                    OpSet::darts8()
                } else {
                    OpSet::darts7()
                },
            )
        },
    )
}

/// One alpha step of noise, and the check that follows it.
fn advance(annealer: &mut Annealer, noise: &mut Noise, step: usize) -> asap_anneal::Pruned {
    let moved: Vec<f64> = annealer
        .parameters()
        .iter()
        .map(|value| value + 0.08 * noise.sample())
        .collect();
    annealer.set_parameters(&moved).unwrap();
    let temperature = annealer.temperature(step as f64 / STEPS as f64);
    annealer.prune(
        Moment {
            epoch: step / 4,
            step,
        },
        temperature,
    )
}

const STEPS: usize = 40;

fn largest_jump(before: &[f64], after: &[f64]) -> f64 {
    before
        .iter()
        .zip(after)
        .map(|(before, after)| (after - before).abs())
        .fold(0.0, f64::max)
}

fn position_of_least(values: &[f64]) -> usize {
    (0..values.len())
        .min_by(|a, b| values[*a].total_cmp(&values[*b]))
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operation_weights_are_positive_and_add_up_to_one(alphas in logits(8), temperature in 0.05..2.0_f64) {
        let weights = operation_weights(&alphas, temperature);
        prop_assert!(weights.iter().all(|weight| *weight > 0.0 && *weight <= 1.0));
        prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn operation_weights_do_not_overflow(alphas in proptest::collection::vec(-1e6..1e6_f64, 1..=8)) {
        let weights = operation_weights(&alphas, 0.1);
        prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn edge_weights_are_at_most_one_and_add_up_to_two(logits in logits(5), temperature in 0.02..2.0_f64) {
        let weights = edge_weights(&logits, temperature);
        prop_assert!(weights.iter().all(|weight| *weight > 0.0 && *weight <= 1.0));
        let sum = logits.len().min(2) as f64;
        prop_assert!((weights.iter().sum::<f64>() - sum).abs() < 1e-12);
    }

    #[test]
    fn edge_weights_are_the_clamped_exponentials(logits in logits(5), temperature in 0.05..2.0_f64) {
        prop_assume!(logits.len() > 2);
        let weights = edge_weights(&logits, temperature);
        // c is the same for all edges that are not clamped, and too large for those that are.
        let c = |index: usize| weights[index] / (logits[index] / temperature).exp();
        let least = position_of_least(&weights);
        for index in 0..logits.len() {
            let expected = (c(least) * (logits[index] / temperature).exp()).min(1.0);
            prop_assert!((weights[index] - expected).abs() < 1e-9, "{weights:?}");
        }
    }

    #[test]
    fn the_removal_of_a_weak_operation_moves_no_weight_by_more_than_the_threshold(
        alphas in logits(8), temperature in 0.05..2.0_f64,
    ) {
        let threshold = 0.4 / 8.0;
        let mut before = operation_weights(&alphas, temperature);
        let least = position_of_least(&before);
        prop_assume!(alphas.len() > 1 && before[least] < threshold);
        let mut left = alphas;
        left.remove(least);
        before.remove(least);
        prop_assert!(largest_jump(&before, &operation_weights(&left, temperature)) < threshold + 1e-12);
    }

    #[test]
    fn the_removal_of_a_weak_edge_moves_no_weight_by_more_than_the_threshold(
        logits in logits(5), temperature in 0.05..2.0_f64,
    ) {
        let threshold = 0.4 / 5.0;
        let mut before = edge_weights(&logits, temperature);
        let least = position_of_least(&before);
        prop_assume!(logits.len() > 2 && before[least] < threshold);
        let mut left = logits;
        left.remove(least);
        before.remove(least);
        prop_assert!(largest_jump(&before, &edge_weights(&left, temperature)) < threshold + 1e-12);
    }

    #[test]
    fn a_search_only_removes_and_its_ledger_replays((config, op_set) in configs(), seed in any::<u64>()) {
        let mut annealer = Annealer::new(config.clone(), &op_set, seed).unwrap();
        let mut noise = Noise::new(seed);
        for step in 0..STEPS {
            let before = annealer.topology().clone();
            let lines = annealer.ledger().len();
            let pruned = advance(&mut annealer, &mut noise, step);
            prop_assert!(annealer.topology().is_subset_of(&before));
            prop_assert_eq!(&annealer.ledger()[lines..], &pruned.removals[..]);
            prop_assert_eq!(&replay(&op_set, annealer.ledger()).unwrap(), annealer.topology());
            for line in &pruned.removals {
                let rule_of_none = op_set == OpSet::darts8() && line.reason == asap_anneal::Reason::Edge;
                prop_assert!(line.phi < line.threshold || rule_of_none, "{line:?}");
                prop_assert!(!line.forced);
                prop_assert!(line.net_displacement.abs() <= line.path_length + 1e-9);
            }
            // Every node keeps an input, and every edge an operation.
            for kind in CellKind::ALL {
                for node in INPUT_NODES..NODES {
                    prop_assert!(annealer.topology().cell(kind).edges().any(|(edge, _)| edge.to() == node));
                }
            }
        }
        prop_assert!(annealer.op_weights(0.2).matches(annealer.topology()));
    }

    #[test]
    fn a_second_check_at_once_removes_nothing((config, op_set) in configs(), seed in any::<u64>()) {
        let mut annealer = Annealer::new(config, &op_set, seed).unwrap();
        let mut noise = Noise::new(seed);
        for step in 0..STEPS {
            advance(&mut annealer, &mut noise, step);
            let once = annealer.clone();
            let temperature = annealer.temperature(step as f64 / STEPS as f64);
            let again = annealer.prune(Moment { epoch: step / 4, step }, temperature);
            prop_assert!(again.removals.is_empty());
            prop_assert_eq!(again.kept, (0..annealer.parameters().len()).collect::<Vec<_>>());
            prop_assert_eq!(&annealer, &once);
        }
    }

    #[test]
    fn survivors_keep_their_parameters((config, op_set) in configs(), seed in any::<u64>()) {
        let mut annealer = Annealer::new(config, &op_set, seed).unwrap();
        let mut noise = Noise::new(seed);
        let rule = annealer.params().config().edge_rule;
        for step in 0..STEPS {
            let moved: Vec<f64> =
                annealer.parameters().iter().map(|value| value + 0.08 * noise.sample()).collect();
            let names_before = names(annealer.topology(), rule);
            annealer.set_parameters(&moved).unwrap();
            let temperature = annealer.temperature(step as f64 / STEPS as f64);
            let pruned = annealer.prune(Moment { epoch: step / 4, step }, temperature);
            let values: Vec<f64> = pruned.kept.iter().map(|index| moved[*index]).collect();
            prop_assert_eq!(annealer.parameters(), &values[..]);
            let kept: Vec<_> = pruned.kept.iter().map(|index| names_before[*index].clone()).collect();
            prop_assert_eq!(kept, names(annealer.topology(), rule));
        }
    }

    #[test]
    fn the_end_decides_everything_that_is_open(
        (config, op_set) in configs(), seed in any::<u64>(), stop in 0..STEPS,
    ) {
        let mut annealer = Annealer::new(config, &op_set, seed).unwrap();
        let mut noise = Noise::new(seed);
        for step in 0..stop {
            advance(&mut annealer, &mut noise, step);
        }
        let discrete = annealer.topology().is_discrete();
        let at = Moment { epoch: 10, step: stop };
        let forced = annealer.force(at, 0.2);
        prop_assert_eq!(forced.is_empty(), discrete);
        prop_assert!(forced.iter().all(|line| line.forced && line.reason == asap_anneal::Reason::Forced));
        prop_assert!(annealer.is_finished() && annealer.topology().is_discrete());
        prop_assert_eq!(&replay(&op_set, annealer.ledger()).unwrap(), annealer.topology());
        prop_assert!(annealer.force(at, 0.2).is_empty());
        let genotype = annealer.genotype().unwrap();
        for kind in CellKind::ALL {
            for inputs in genotype.cell(kind).nodes() {
                let least = if op_set == OpSet::darts8() { 1 } else { 2 };
                prop_assert!((least..=2).contains(&inputs.len()));
                prop_assert!(inputs.iter().all(|(operation, _)| *operation != Operation::None));
            }
        }
        // What is left weighs exactly 1: the supernet is the network found.
        let weights = annealer.op_weights(0.2);
        prop_assert_eq!(&weights, &asap_genotype::OpWeights::ones(annealer.topology()));
    }

    #[test]
    fn a_search_goes_on_from_its_saved_state_bit_for_bit(
        (config, op_set) in configs(), seed in any::<u64>(), pause in 0..STEPS,
    ) {
        let mut annealer = Annealer::new(config, &op_set, seed).unwrap();
        let mut noise = Noise::new(seed);
        for step in 0..pause {
            advance(&mut annealer, &mut noise, step);
        }
        let text = serde_json::to_string(&annealer.state()).unwrap();
        let state: AnnealerState = serde_json::from_str(&text).unwrap();
        let mut resumed = Annealer::from_state(state).unwrap();
        let (mut noise, mut same_noise) = (Noise::new(!seed), Noise::new(!seed));
        for step in pause..STEPS {
            advance(&mut annealer, &mut noise, step);
            advance(&mut resumed, &mut same_noise, step);
        }
        let at = Moment { epoch: 10, step: STEPS };
        prop_assert_eq!(annealer.force(at, 0.13), resumed.force(at, 0.13));
        prop_assert_eq!(
            serde_json::to_string(&annealer.state()).unwrap(),
            serde_json::to_string(&resumed.state()).unwrap()
        );
    }
}

/// A name for every parameter, in the order that the documentation promises.
fn names(topology: &Topology, rule: EdgeRule) -> Vec<String> {
    let mut names = Vec::new();
    for kind in CellKind::ALL {
        for (edge, alive) in topology.cell(kind).edges() {
            names.extend(
                alive
                    .iter()
                    .map(|operation| format!("{kind} {edge} {operation}")),
            );
        }
    }
    if rule == EdgeRule::Anneal {
        for kind in CellKind::ALL {
            names.extend(
                topology
                    .cell(kind)
                    .edges()
                    .map(|(edge, _)| format!("{kind} {edge}")),
            );
        }
    }
    names
}

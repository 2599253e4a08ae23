//! What is removed, when, and what the end forces.

use asap_anneal::{
    AnnealConfig, Annealer, Check, Error, Moment, Reason, ThresholdBase, edge_weights,
};
use asap_genotype::{Edge, OpSet, Operation};

use crate::set::{AT, NORMAL, annealer, edge, first_decided, set_alphas, set_logits};

#[test]
fn everything_is_alive_at_first_and_edges_share_two() {
    let annealer = annealer(AnnealConfig::default());
    assert_eq!(annealer.topology().operations_alive(), 2 * 14 * 7);
    assert_eq!(annealer.parameters().len(), 2 * 14 * 7 + 2 * 14);
    let weights = annealer.edge_weights(NORMAL, 1.6);
    assert_eq!(weights[edge(0, 2).index()], 1.0);
    assert!((weights[edge(4, 5).index()] - 0.4).abs() < 1e-12);
    assert_eq!(annealer.alphas(NORMAL, edge(0, 5)).len(), 7);
    assert!(
        annealer
            .alphas(NORMAL, edge(0, 5))
            .iter()
            .all(|alpha| alpha.abs() < 6e-3)
    );
}

#[test]
fn another_seed_starts_elsewhere_and_the_same_one_does_not() {
    let start = |seed| Annealer::new(AnnealConfig::default(), &OpSet::darts7(), seed).unwrap();
    assert_eq!(start(7), start(7));
    assert_ne!(start(7), start(8));
}

#[test]
fn nothing_is_removed_in_grace() {
    let mut annealer = annealer(AnnealConfig::default());
    set_alphas(&mut annealer, &[(edge(0, 2), Operation::SepConv3x3, 50.0)]);
    let pruned = annealer.prune(AT, 1.0);
    assert!(pruned.removals.is_empty());
    assert_eq!(pruned.kept.len(), annealer.parameters().len());
    assert_eq!(annealer.prune(AT, 0.999).removals.len(), 6);
}

#[test]
fn an_operation_under_the_threshold_goes_and_its_line_says_why() {
    let mut annealer = annealer(first_decided());
    let start = annealer.alphas(NORMAL, edge(0, 2)).to_vec();
    set_alphas(
        &mut annealer,
        &[
            (edge(0, 2), Operation::MaxPool3x3, -0.55),
            (edge(0, 2), Operation::DilConv5x5, 0.05),
        ],
    );
    let pruned = annealer.prune(AT, 0.5);
    let [line] = &pruned.removals[..] else {
        panic!("{:?}", pruned.removals)
    };
    assert_eq!(
        (line.epoch, line.step, line.cell, line.edge),
        (20, 700, NORMAL, edge(0, 2))
    );
    assert_eq!(line.operation, Some(Operation::MaxPool3x3));
    assert_eq!(
        (line.rival, line.rival_edge),
        (Some(Operation::DilConv5x5), None)
    );
    assert_eq!((line.reason, line.forced), (Reason::Threshold, false));
    assert!((line.alpha_gap - 0.6).abs() < 1e-12);
    // exp(-1.1) / (exp(-1.1) + 5 + exp(0.1)).
    assert!((line.phi - 0.051_703_8).abs() < 1e-6, "{}", line.phi);
    assert_eq!((line.threshold, line.temperature), (0.4 / 7.0, 0.5));
    let net = (0.05 - start[6]) - (-0.55 - start[0]);
    assert!((line.net_displacement - net).abs() < 1e-12);
    // Each of the two alphas made one straight move.
    assert!((line.path_length - net).abs() < 1e-12);
    assert_eq!(line.alpha_steps, 1);
    assert!(
        !annealer
            .topology()
            .normal
            .alive(edge(0, 2))
            .contains(&Operation::MaxPool3x3)
    );
}

#[test]
fn the_weakest_goes_first_and_the_others_are_weighed_anew() {
    let mut annealer = annealer(first_decided());
    // At T = 0.5 both weigh under 0.4/7 at first; without the weaker, the other weighs 0.0584, above it.
    let weak = [
        (edge(0, 2), Operation::MaxPool3x3, -0.602),
        (edge(0, 2), Operation::SkipConnect, -0.5856),
    ];
    set_alphas(&mut annealer, &weak);
    let weights = annealer.op_weights(0.5);
    assert!(weights.edge(NORMAL, edge(0, 2))[2] < 0.4 / 7.0);
    let pruned = annealer.prune(AT, 0.5);
    let removed: Vec<_> = pruned.removals.iter().map(|line| line.operation).collect();
    assert_eq!(removed, [Some(Operation::MaxPool3x3)]);
}

#[test]
fn the_last_operation_of_an_edge_stays() {
    let mut annealer = annealer(first_decided());
    set_alphas(&mut annealer, &[(edge(0, 2), Operation::SepConv5x5, 1e3)]);
    assert_eq!(annealer.prune(AT, 0.13).removals.len(), 6);
    assert_eq!(
        annealer.topology().normal.alive(edge(0, 2)),
        [Operation::SepConv5x5]
    );
    assert!(annealer.prune(AT, 0.13).removals.is_empty());
}

#[test]
fn the_threshold_of_those_alive_decides_two_rivals_sooner() {
    // 1.5 temperatures apart: beyond the 1.39 of 0.4/2, far from the 2.80 of 0.4/7.
    let lines = |threshold_base| {
        let mut annealer = annealer(AnnealConfig {
            threshold_base,
            ..first_decided()
        });
        let leaders = [
            (edge(0, 2), Operation::SepConv3x3, 10.0),
            (edge(0, 2), Operation::SepConv5x5, 10.0 - 1.5 * 0.2),
        ];
        set_alphas(&mut annealer, &leaders);
        annealer.prune(AT, 0.2).removals.len()
    };
    assert_eq!(lines(ThresholdBase::Initial), 5);
    assert_eq!(lines(ThresholdBase::Alive), 6);
}

#[test]
fn a_check_per_epoch_happens_once_in_it() {
    let mut annealer = annealer(AnnealConfig {
        check: Check::Epoch,
        ..first_decided()
    });
    assert!(annealer.prune(AT, 0.5).removals.is_empty());
    set_alphas(&mut annealer, &[(edge(0, 2), Operation::SepConv3x3, 50.0)]);
    assert!(
        annealer
            .prune(Moment { step: 701, ..AT }, 0.5)
            .removals
            .is_empty()
    );
    assert_eq!(
        annealer
            .prune(
                Moment {
                    epoch: 21,
                    step: 702
                },
                0.5
            )
            .removals
            .len(),
        6
    );
}

#[test]
fn a_weak_edge_goes_with_all_its_operations() {
    let mut annealer = annealer(AnnealConfig::default());
    // Against two at 0 it weighs 2 exp(-3) / (2 + exp(-3)) = 0.049, under 0.4/3.
    set_logits(&mut annealer, &[(edge(1, 3), -1.5)]);
    let pruned = annealer.prune(AT, 0.5);
    let [line] = &pruned.removals[..] else {
        panic!("{:?}", pruned.removals)
    };
    assert_eq!(
        (line.edge, line.operation, line.reason),
        (edge(1, 3), None, Reason::Edge)
    );
    assert_eq!((line.rival, line.rival_edge), (None, Some(edge(0, 3))));
    assert!((line.phi - edge_weights(&[0.0, -1.5, 0.0], 0.5)[1]).abs() < 1e-15);
    assert_eq!((line.threshold, line.alpha_gap), (0.4 / 3.0, 1.5));
    assert_eq!(pruned.kept.len(), 2 * 14 * 8 - 8);
    assert!(annealer.topology().normal.alive(edge(1, 3)).is_empty());
    assert!(annealer.alphas(NORMAL, edge(1, 3)).is_empty());
    assert_eq!(annealer.edge_weights(NORMAL, 0.5)[edge(1, 3).index()], 0.0);
    assert_eq!(annealer.edge_weights(NORMAL, 0.5)[edge(0, 3).index()], 1.0);
}

#[test]
fn edges_stop_at_two() {
    let mut annealer = annealer(AnnealConfig::default());
    let far = [
        (edge(0, 5), 30.0),
        (edge(1, 5), 20.0),
        (edge(2, 5), 10.0),
        (edge(3, 5), 5.0),
    ];
    set_logits(&mut annealer, &far);
    let removed: Vec<Edge> = annealer
        .prune(AT, 0.2)
        .removals
        .iter()
        .map(|line| line.edge)
        .collect();
    assert_eq!(removed, [edge(4, 5), edge(3, 5), edge(2, 5)]);
    set_logits(&mut annealer, &[(edge(0, 5), 90.0)]);
    assert!(annealer.prune(AT, 0.2).removals.is_empty());
}

#[test]
fn parameters_of_another_count_or_not_finite_are_refused_and_change_nothing() {
    let mut annealer = annealer(AnnealConfig::default());
    let before = annealer.clone();
    assert!(matches!(
        annealer.set_parameters(&[0.0]),
        Err(Error::ParameterCount {
            expected: 224,
            found: 1
        })
    ));
    let mut diverged = before.parameters().to_vec();
    diverged[17] = f64::NAN;
    let error = annealer.set_parameters(&diverged).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected finite alphas and edge logits, found NaN at position 17"
    );
    assert_eq!(annealer, before);
}

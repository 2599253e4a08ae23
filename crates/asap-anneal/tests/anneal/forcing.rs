//! What the end of a search decides where annealing has not.

use asap_anneal::{AnnealConfig, Reason};
use asap_genotype::{Edge, Operation};

use crate::set::{AT, NORMAL, annealer, edge, first_decided, set_alphas, set_logits};

#[test]
fn a_near_tie_is_forced_with_its_gap() {
    let mut annealer = annealer(first_decided());
    let tie = [
        (edge(0, 2), Operation::SkipConnect, 9.0),
        (edge(0, 2), Operation::SepConv3x3, 9.01),
    ];
    set_alphas(&mut annealer, &tie);
    assert_eq!(annealer.prune(AT, 0.13).removals.len(), 5);
    let forced = annealer.force(AT, 0.13);
    let line = forced
        .iter()
        .find(|line| line.cell == NORMAL && line.edge == edge(0, 2))
        .unwrap();
    assert_eq!(line.operation, Some(Operation::SkipConnect));
    assert_eq!(
        (line.rival, line.reason, line.forced),
        (Some(Operation::SepConv3x3), Reason::Forced, true)
    );
    assert!((line.alpha_gap - 0.01).abs() < 1e-9);
    assert!(line.phi > line.threshold);
}

#[test]
fn the_end_keeps_the_two_edges_of_largest_weight() {
    let mut annealer = annealer(AnnealConfig::default());
    set_logits(
        &mut annealer,
        &[(edge(1, 4), 0.03), (edge(3, 4), 0.02), (edge(2, 4), 0.01)],
    );
    assert!(annealer.prune(AT, 0.9).removals.is_empty());
    let forced = annealer.force(AT, 0.9);
    let of_node: Vec<_> = forced
        .iter()
        .filter(|line| line.cell == NORMAL && line.edge.to() == 4)
        .collect();
    let edges: Vec<_> = of_node
        .iter()
        .filter(|line| line.operation.is_none())
        .collect();
    assert_eq!(
        edges.iter().map(|line| line.edge).collect::<Vec<_>>(),
        [edge(0, 4), edge(2, 4)]
    );
    assert!(edges.iter().all(|line| line.rival_edge == Some(edge(3, 4))));
    assert!((edges[1].alpha_gap - 0.01).abs() < 1e-12);
}

#[test]
fn first_decided_keeps_the_edges_whose_best_operation_led_by_most() {
    let mut annealer = annealer(first_decided());
    let into_three = [edge(0, 3), edge(1, 3), edge(2, 3)];
    // Every edge of both cells decides at its own lead; on 1->3 it is the smallest.
    let mut parameters = vec![0.0; annealer.parameters().len()];
    for (index, edge) in Edge::all().chain(Edge::all()).enumerate() {
        parameters[7 * index] = if edge == into_three[1] { 2.0 } else { 3.0 };
    }
    annealer.set_parameters(&parameters).unwrap();
    annealer.prune(AT, 0.5);
    assert_eq!(annealer.topology().operations_alive(), 28);
    assert!(annealer.is_finished() && !annealer.topology().is_discrete());
    // Whatever the survivors' alphas do later, the lead is frozen.
    let later: Vec<f64> = (0..28).map(|index| -f64::from(index)).collect();
    annealer.set_parameters(&later).unwrap();
    let forced = annealer.force(AT, 0.13);
    assert_eq!(forced.len(), 12);
    let line = forced
        .iter()
        .find(|line| line.cell == NORMAL && line.edge.to() == 3)
        .unwrap();
    assert_eq!(line.edge, into_three[1]);
    assert!((line.alpha_gap - 1.0).abs() < 1e-12);
    assert_eq!((line.phi, line.forced), (1.0, true));
    assert!(annealer.topology().is_discrete());
}

#[test]
fn a_genotype_asked_for_too_early_lists_what_is_open() {
    let error = annealer(AnnealConfig::default()).genotype().unwrap_err();
    assert!(
        error.to_string().contains("normal node 3 (3 edges)"),
        "{error}"
    );
}

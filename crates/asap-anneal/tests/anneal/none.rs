//! The op set with `none`: an edge that `none` wins is an edge removed, but every node keeps an input.

use asap_anneal::{AnnealConfig, Annealer, EdgeRule, Reason};
use asap_genotype::{CellKind, Edge, OpSet, Operation};

use crate::set::{AT, edge};

/// `none` leads by `lead` on the edges given, of the normal cell.
fn annealer(edge_rule: EdgeRule, leads: &[(Edge, f64)]) -> Annealer {
    let config = AnnealConfig {
        edge_rule,
        ..AnnealConfig::default()
    };
    let mut annealer = Annealer::new(config, &OpSet::darts8(), 1).unwrap();
    let mut parameters = vec![0.0; annealer.parameters().len()];
    for (edge, lead) in leads {
        parameters[8 * edge.index()] = *lead;
        // The best of the others, so that the order of the removals is known.
        parameters[8 * edge.index() + 4] = 0.01;
    }
    annealer.set_parameters(&parameters).unwrap();
    annealer
}

#[test]
fn an_edge_won_by_none_is_removed() {
    let mut annealer = annealer(EdgeRule::Anneal, &[(edge(0, 4), 5.0)]);
    let pruned = annealer.prune(AT, 0.5);
    assert_eq!(pruned.removals.len(), 8);
    let (last, before) = (&pruned.removals[7], &pruned.removals[6]);
    assert_eq!((last.operation, last.reason), (None, Reason::Edge));
    assert_eq!(
        (before.operation, before.rival),
        (Some(Operation::SepConv3x3), Some(Operation::None))
    );
    assert_eq!(
        (last.rival, last.alpha_gap),
        (Some(Operation::None), before.alpha_gap)
    );
    // One of four edges that share 2.
    assert!((last.phi - 0.5).abs() < 1e-12);
    assert!(annealer.topology().normal.alive(edge(0, 4)).is_empty());
}

#[test]
fn none_takes_one_of_two_last_edges_but_not_the_last() {
    let mut annealer = annealer(EdgeRule::Anneal, &[(edge(0, 2), 5.0), (edge(1, 2), 5.0)]);
    let removals = annealer.prune(AT, 0.5).removals;
    assert!(annealer.topology().normal.alive(edge(0, 2)).is_empty());
    let left = annealer.topology().normal.alive(edge(1, 2));
    assert_eq!(left.len(), 7);
    assert!(!left.contains(&Operation::None));
    let line = removals
        .iter()
        .find(|line| line.edge == edge(1, 2))
        .unwrap();
    assert_eq!(
        (line.operation, line.reason),
        (Some(Operation::None), Reason::Edge)
    );
    assert!(line.phi > 0.9 && line.alpha_gap < 0.0);
}

#[test]
fn an_edge_that_none_leads_is_the_first_that_the_end_cuts() {
    let mut annealer = annealer(EdgeRule::FirstDecided, &[(edge(1, 3), 0.2)]);
    let forced = annealer.force(AT, 0.5);
    let cut = forced
        .iter()
        .find(|line| line.cell == CellKind::Normal && line.edge.to() == 3)
        .unwrap();
    assert_eq!((cut.edge, cut.operation), (edge(1, 3), None));
    // The others lead by nothing, this one is 0.19 behind.
    assert!((cut.alpha_gap - 0.19).abs() < 1e-12);
}

#[test]
fn the_end_removes_an_edge_that_none_leads_when_the_node_has_another() {
    let mut annealer = annealer(EdgeRule::Anneal, &[(edge(0, 2), 0.2), (edge(1, 2), 0.2)]);
    let forced = annealer.force(AT, 0.5);
    let normal = &annealer.topology().normal;
    assert!(normal.alive(edge(0, 2)).is_empty());
    assert_eq!(normal.alive(edge(1, 2)), [Operation::SepConv3x3]);
    assert!(forced.iter().all(|line| line.forced));
    assert_eq!(
        annealer.genotype().unwrap().normal.nodes()[0],
        [(Operation::SepConv3x3, 1)]
    );
}

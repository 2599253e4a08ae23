//! Edges, op sets, topologies and the numbers laid out like them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use asap_genotype::{
    CellKind, DARTS_V2, EDGES, Edge, Genotype, NAMES, NODES, OpSet, OpWeights, Operation, Topology,
};
use proptest::prelude::*;

#[test]
fn edges_are_ordered_by_target_then_source_and_know_their_index() {
    let all: Vec<Edge> = Edge::all().collect();
    let text: Vec<String> = all.iter().map(Edge::to_string).collect();
    assert_eq!(
        text.join(" "),
        "0->2 1->2 0->3 1->3 2->3 0->4 1->4 2->4 3->4 0->5 1->5 2->5 3->5 4->5"
    );
    assert_eq!(all.len(), EDGES);
    assert!(all.is_sorted());
    for (index, edge) in all.into_iter().enumerate() {
        assert_eq!(edge.index(), index);
        assert_eq!(Edge::from_index(index), Some(edge));
        assert_eq!(edge.to_string().parse::<Edge>().unwrap(), edge);
        assert_eq!(Edge::new(edge.from(), edge.to()).unwrap(), edge);
        let json = serde_json::to_string(&edge).unwrap();
        assert_eq!(
            json,
            format!("{{\"from\":{},\"to\":{}}}", edge.from(), edge.to())
        );
        assert_eq!(serde_json::from_str::<Edge>(&json).unwrap(), edge);
    }
    assert_eq!(Edge::from_index(EDGES), None);
    for node in 0..NODES + 2 {
        let inputs = if (2..NODES).contains(&node) { node } else { 0 };
        assert_eq!(Edge::incoming(node).count(), inputs, "{node}");
    }
}

#[test]
fn no_edge_leads_into_an_input_node_or_backwards_or_out_of_the_cell() {
    for (from, to) in [(0, 1), (2, 2), (3, 2), (0, 6), (usize::MAX, 3)] {
        assert!(Edge::new(from, to).is_err(), "{from}->{to}");
    }
    for text in ["", "0-2", "0->", "->2", "0->2->3", "a->2", "-1->2", "0 ->2"] {
        assert!(text.parse::<Edge>().is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Edge>("{\"from\":4,\"to\":3}").is_err());
}

#[test]
fn names_of_operations_and_kinds_are_the_same_in_text_and_in_files() {
    for operation in Operation::ALL {
        assert_eq!(operation.name().parse::<Operation>().unwrap(), operation);
        assert_eq!(
            serde_json::to_string(&operation).unwrap(),
            format!("\"{operation}\"")
        );
    }
    for kind in CellKind::ALL {
        assert_eq!(kind.name().parse::<CellKind>().unwrap(), kind);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
    assert!("conv".parse::<Operation>().is_err());
    assert!("reduce".parse::<CellKind>().is_err());
}

#[test]
fn op_sets_have_names_and_refuse_what_is_not_a_set() {
    let own = OpSet::new(vec![Operation::SkipConnect, Operation::SepConv3x3]).unwrap();
    assert_eq!(own.name(), "skip_connect,sep_conv_3x3");
    for op_set in [OpSet::darts7(), OpSet::darts8(), own] {
        assert_eq!(op_set.name().parse::<OpSet>().unwrap(), op_set);
        let json = serde_json::to_string(&op_set).unwrap();
        assert_eq!(serde_json::from_str::<OpSet>(&json).unwrap(), op_set);
        for (index, operation) in op_set.operations().iter().enumerate() {
            assert_eq!(op_set.position(*operation), Some(index));
        }
    }
    assert_eq!((OpSet::darts7().len(), OpSet::darts8().len()), (7, 8));
    assert_eq!(OpSet::darts7().position(Operation::None), None);
    assert!(OpSet::new(Vec::new()).is_err());
    assert!(OpSet::new(vec![Operation::SkipConnect; 2]).is_err());
    assert!(serde_json::from_str::<OpSet>("[]").is_err());
    assert_eq!(
        "darts9".parse::<OpSet>().unwrap_err().to_string(),
        "unknown op set `darts9`: expected `darts7`, `darts8` or operations joined by commas"
    );
    assert!(
        "none,conv"
            .parse::<OpSet>()
            .unwrap_err()
            .to_string()
            .contains("operation `conv`")
    );
}

#[test]
fn the_last_operation_of_an_edge_goes_only_with_the_edge() {
    let mut cell = Topology::full(&OpSet::darts7()).normal;
    let edge = Edge::new(1, 4).unwrap();
    cell.remove_operation(edge, Operation::SepConv5x5).unwrap();
    assert_eq!(cell.alive(edge).len(), 6);
    assert_eq!(
        cell.remove_operation(edge, Operation::SepConv5x5)
            .unwrap_err()
            .to_string(),
        "operation `sep_conv_5x5` is not alive on edge 1->4: alive are max_pool_3x3, \
         avg_pool_3x3, skip_connect, sep_conv_3x3, dil_conv_3x3, dil_conv_5x5"
    );
    assert!(cell.keep_only(edge, Operation::SepConv5x5).is_err());
    cell.keep_only(edge, Operation::SkipConnect).unwrap();
    assert_eq!(
        cell.remove_operation(edge, Operation::SkipConnect)
            .unwrap_err()
            .to_string(),
        "`skip_connect` is the last operation of edge 1->4: remove the edge instead"
    );
    cell.remove_edge(edge).unwrap();
    assert_eq!(cell.edges_alive(), EDGES - 1);
    assert_eq!(
        cell.remove_edge(edge).unwrap_err().to_string(),
        "edge 1->4 is not alive"
    );
    assert!(cell.remove_operation(edge, Operation::SkipConnect).is_err());
}

#[test]
fn what_is_still_open_is_listed() {
    let mut topology = Topology::from_genotype(&DARTS_V2);
    assert!(topology.is_discrete());
    let full = Topology::full(&OpSet::darts7());
    assert!(topology.is_subset_of(&full) && !full.is_subset_of(&topology));
    topology.normal = full.normal;
    for edge in Edge::all().filter(|edge| edge.to() != 3) {
        topology
            .normal
            .keep_only(edge, Operation::SkipConnect)
            .unwrap();
    }
    topology
        .normal
        .keep_only(Edge::new(0, 3).unwrap(), Operation::SkipConnect)
        .unwrap();
    topology
        .normal
        .remove_edge(Edge::new(1, 3).unwrap())
        .unwrap();
    assert!(!topology.is_discrete());
    assert_eq!(
        topology
            .to_genotype(&OpSet::darts7())
            .unwrap_err()
            .to_string(),
        "the topology is not a genotype yet, still open are normal node 4 (4 edges), normal node 5 \
         (5 edges), normal edge 2->3 (max_pool_3x3, avg_pool_3x3, skip_connect, sep_conv_3x3, \
         sep_conv_5x5, dil_conv_3x3, dil_conv_5x5)"
    );
}

#[test]
fn an_edge_that_none_won_is_no_edge_of_the_genotype() {
    let op_set = OpSet::darts8();
    let mut topology = Topology::from_genotype(&DARTS_V2);
    let mut expected = topology.clone();
    let lost = Edge::new(0, 2).unwrap();
    topology.normal = Topology::full(&op_set).normal;
    for edge in Edge::all() {
        match expected.normal.alive(edge) {
            _ if edge == lost => topology.normal.keep_only(edge, Operation::None).unwrap(),
            [] => topology.normal.remove_edge(edge).unwrap(),
            [kept, ..] => topology.normal.keep_only(edge, *kept).unwrap(),
        }
    }
    expected.normal.remove_edge(lost).unwrap();
    let genotype = topology.to_genotype(&op_set).unwrap();
    assert_eq!(genotype, expected.to_genotype(&op_set).unwrap());
    assert_eq!(genotype.normal.nodes()[0], [(Operation::SepConv3x3, 1)]);
}

#[test]
fn every_published_genotype_comes_back_from_its_topology() {
    for genotype in NAMES.map(|name| Genotype::named(name).unwrap()) {
        let topology = Topology::from_genotype(genotype);
        assert_eq!(
            (topology.edges_alive(), topology.operations_alive()),
            (16, 16)
        );
        assert_eq!(topology.to_genotype(genotype.op_set()).unwrap(), *genotype);
        assert!(
            topology
                .to_genotype(&OpSet::new(vec![Operation::None]).unwrap())
                .is_err()
        );
    }
}

#[test]
fn a_topology_file_that_repeats_an_operation_or_an_unknown_edge_is_refused() {
    let good = "{\"normal\":{\"0->2\":[\"skip_connect\"]},\"reduction\":{}}";
    let topology: Topology = serde_json::from_str(good).unwrap();
    assert_eq!(topology.operations_alive(), 1);
    assert_eq!(serde_json::to_string(&topology).unwrap(), good);
    for (old, new) in [
        ("[\"skip_connect\"]", "[\"skip_connect\",\"skip_connect\"]"),
        ("0->2", "0->1"),
        ("skip_connect", "skip"),
        ("reduction", "reduce"),
    ] {
        assert!(
            serde_json::from_str::<Topology>(&good.replace(old, new)).is_err(),
            "{new}"
        );
    }
}

/// Removals at random: an edge, an operation, and whether the edge goes as a whole.
fn removals() -> impl Strategy<Value = Vec<(bool, usize, usize, bool)>> {
    proptest::collection::vec(
        (
            any::<bool>(),
            0..EDGES,
            0..8usize,
            proptest::bool::weighted(0.1),
        ),
        0..200,
    )
}

proptest! {
    #[test]
    fn pruning_only_ever_takes_away_what_it_names(removals in removals()) {
        let op_set = OpSet::darts8();
        let mut topology = Topology::full(&op_set);
        for (normal, edge, operation, whole) in removals {
            let kind = CellKind::ALL[usize::from(normal)];
            let (edge, operation) = (Edge::from_index(edge).unwrap(), Operation::ALL[operation]);
            let before = topology.clone();
            let alive = before.cell(kind).alive(edge);
            let gone = if whole {
                topology.cell_mut(kind).remove_edge(edge).map_or(0, |()| alive.len())
            } else {
                topology.cell_mut(kind).remove_operation(edge, operation).map_or(0, |()| 1)
            };
            prop_assert_eq!(topology.operations_alive() + gone, before.operations_alive());
            prop_assert!(topology.is_subset_of(&before));
            prop_assert_eq!(before.is_subset_of(&topology), gone == 0);
            let left = topology.cell(kind).alive(edge);
            prop_assert!(left.is_sorted_by_key(|one| op_set.position(*one)));
        }
        let json = serde_json::to_string(&topology).unwrap();
        prop_assert_eq!(serde_json::from_str::<Topology>(&json).unwrap(), topology.clone());

        let weights = OpWeights::uniform(&topology);
        prop_assert!(weights.matches(&topology));
        let sum: f64 = CellKind::ALL.iter().flat_map(|kind| weights.cell(*kind)).flatten().sum();
        prop_assert!((sum - topology.edges_alive() as f64).abs() < 1e-9);
        let ones = OpWeights::ones(&topology);
        let sum: f64 = CellKind::ALL.iter().flat_map(|kind| ones.cell(*kind)).flatten().sum();
        prop_assert_eq!(sum, topology.operations_alive() as f64);
    }
}

#[test]
fn op_weights_of_another_topology_do_not_match() {
    let full = Topology::full(&OpSet::darts7());
    let mut pruned = full.clone();
    let edge = Edge::new(2, 5).unwrap();
    pruned
        .reduction
        .remove_operation(edge, Operation::AvgPool3x3)
        .unwrap();
    let mut weights = OpWeights::zeros(&full);
    assert!(weights.matches(&full) && !weights.matches(&pruned));
    weights.cell_mut(CellKind::Reduction)[edge.index()].pop();
    assert!(weights.matches(&pruned));
    assert_eq!(weights.edge(CellKind::Reduction, edge), [0.0; 6]);
}

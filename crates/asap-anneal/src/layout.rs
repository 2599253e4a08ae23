//! Where the flat list of parameters keeps what: the alphas of every edge, then the edges' logits.

use std::ops::Range;

use asap_genotype::{CellKind, Edge, Topology};

use crate::config::EdgeRule;

/// The place of one living edge's parameters.
pub(crate) struct Span {
    pub(crate) kind: CellKind,
    pub(crate) edge: Edge,
    /// Its alphas, in the order of the operations alive.
    pub(crate) alphas: Range<usize>,
    /// Its logit, where edges anneal.
    pub(crate) logit: Option<usize>,
}

/// The spans of all living edges: normal before reduction, then by edge.
pub(crate) fn spans(topology: &Topology, rule: EdgeRule) -> Vec<Span> {
    let alphas = topology.operations_alive();
    let mut spans = Vec::with_capacity(topology.edges_alive());
    let mut start = 0;
    for kind in CellKind::ALL {
        for (edge, alive) in topology.cell(kind).edges() {
            let logit = match rule {
                EdgeRule::Anneal => Some(alphas + spans.len()),
                EdgeRule::FirstDecided => None,
            };
            spans.push(Span {
                kind,
                edge,
                alphas: start..start + alive.len(),
                logit,
            });
            start += alive.len();
        }
    }
    spans
}

/// How many parameters there are.
pub(crate) fn parameter_count(topology: &Topology, rule: EdgeRule) -> usize {
    let logits = match rule {
        EdgeRule::Anneal => topology.edges_alive(),
        EdgeRule::FirstDecided => 0,
    };
    topology.operations_alive() + logits
}

/// The spans of the edges into one node, out of those of a cell: edges are in the order of their target.
pub(crate) fn into_node(spans: &[Span], node: usize) -> &[Span] {
    let first = spans.partition_point(|span| span.edge.to() < node);
    let last = spans.partition_point(|span| span.edge.to() <= node);
    &spans[first..last]
}

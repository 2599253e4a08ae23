//! Numbers laid out like a topology: one for each operation alive.

use crate::{CellKind, CellTopology, EDGES, Edge, Topology};

/// One number for each alive operation of every edge: the weight that scales the operation's
/// output, or the gradient of the loss in that weight. The order is the topology's.
#[derive(Clone, Debug, PartialEq)]
pub struct OpWeights {
    normal: [Vec<f64>; EDGES],
    reduction: [Vec<f64>; EDGES],
}

impl OpWeights {
    /// All 1: the weights of a network without choices left.
    pub fn ones(topology: &Topology) -> Self {
        Self::filled(topology, |_| 1.0)
    }

    /// All 0: where a sum of gradients starts.
    pub fn zeros(topology: &Topology) -> Self {
        Self::filled(topology, |_| 0.0)
    }

    /// The same weight for each operation of an edge, 1 in sum.
    pub fn uniform(topology: &Topology) -> Self {
        Self::filled(topology, |alive| 1.0 / alive as f64)
    }

    /// The numbers of one cell, by edge index.
    pub fn cell(&self, kind: CellKind) -> &[Vec<f64>; EDGES] {
        match kind {
            CellKind::Normal => &self.normal,
            CellKind::Reduction => &self.reduction,
        }
    }

    /// The numbers of one cell, by edge index, to be changed.
    pub fn cell_mut(&mut self, kind: CellKind) -> &mut [Vec<f64>; EDGES] {
        match kind {
            CellKind::Normal => &mut self.normal,
            CellKind::Reduction => &mut self.reduction,
        }
    }

    /// The numbers of one edge, in the order of the operations alive there.
    pub fn edge(&self, kind: CellKind, edge: Edge) -> &[f64] {
        &self.cell(kind)[edge.index()]
    }

    /// Whether there is exactly one number for each operation alive.
    pub fn matches(&self, topology: &Topology) -> bool {
        CellKind::ALL.into_iter().all(|kind| {
            Edge::all()
                .all(|edge| self.edge(kind, edge).len() == topology.cell(kind).alive(edge).len())
        })
    }

    fn filled(topology: &Topology, value: impl Fn(usize) -> f64) -> Self {
        let cell = |cell: &CellTopology| {
            let mut numbers: [Vec<f64>; EDGES] = Default::default();
            for (edge, alive) in cell.edges() {
                numbers[edge.index()] = vec![value(alive.len()); alive.len()];
            }
            numbers
        };
        Self {
            normal: cell(&topology.normal),
            reduction: cell(&topology.reduction),
        }
    }
}

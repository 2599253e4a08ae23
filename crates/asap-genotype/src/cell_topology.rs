//! What is alive in one cell: the operations on every edge while a search prunes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::names;
use crate::op_set::first_repeated;
use crate::{
    CellGenotype, CellKind, EDGES, Edge, Error, INPUT_NODES, NODES, OpSet, Operation, Result,
};

/// Which operations are alive on every edge of one cell; an edge without any is removed.
///
/// Serde writes a map from edges to operations, as in `{"0->2": ["sep_conv_3x3"]}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, Vec<Operation>>",
    into = "BTreeMap<String, Vec<Operation>>"
)]
pub struct CellTopology {
    alive: [Vec<Operation>; EDGES],
}

impl CellTopology {
    /// Every operation alive on every edge: where a search starts.
    pub fn full(op_set: &OpSet) -> Self {
        Self {
            alive: std::array::from_fn(|_| op_set.operations().to_vec()),
        }
    }

    /// One operation on each edge that the cell uses.
    pub fn from_cell(cell: &CellGenotype) -> Self {
        let mut alive: [Vec<Operation>; EDGES] = Default::default();
        for (edge, operation) in cell.edges() {
            alive[edge.index()].push(operation);
        }
        Self { alive }
    }

    /// The operations alive on an edge, in op-set order; empty when the edge is removed.
    pub fn alive(&self, edge: Edge) -> &[Operation] {
        &self.alive[edge.index()]
    }

    /// The edges alive, each with its operations, in edge order.
    pub fn edges(&self) -> impl Iterator<Item = (Edge, &[Operation])> {
        Edge::all()
            .map(|edge| (edge, self.alive(edge)))
            .filter(|(_, alive)| !alive.is_empty())
    }

    /// The number of edges alive, 14 at most.
    pub fn edges_alive(&self) -> usize {
        self.edges().count()
    }

    /// The number of operations alive, over all edges.
    pub fn operations_alive(&self) -> usize {
        self.alive.iter().map(Vec::len).sum()
    }

    /// Removes one operation of an edge.
    ///
    /// # Errors
    ///
    /// When it is not alive there, or is the edge's last one, which goes by
    /// [`CellTopology::remove_edge`].
    pub fn remove_operation(&mut self, edge: Edge, operation: Operation) -> Result<()> {
        let position = self.position(edge, operation)?;
        let alive = &mut self.alive[edge.index()];
        if alive.len() == 1 {
            return Err(Error::LastOperation { edge, operation });
        }
        alive.remove(position);
        Ok(())
    }

    /// Removes an edge with all its operations.
    ///
    /// # Errors
    ///
    /// When the edge is not alive.
    pub fn remove_edge(&mut self, edge: Edge) -> Result<()> {
        if self.alive(edge).is_empty() {
            return Err(Error::EdgeNotAlive { edge });
        }
        self.alive[edge.index()].clear();
        Ok(())
    }

    /// Removes every operation of an edge but one.
    ///
    /// # Errors
    ///
    /// When that one is not alive there.
    pub fn keep_only(&mut self, edge: Edge, operation: Operation) -> Result<()> {
        self.position(edge, operation)?;
        self.alive[edge.index()] = vec![operation];
        Ok(())
    }

    /// Whether everything alive here is alive in the other one too.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.edges().all(|(edge, alive)| {
            alive
                .iter()
                .all(|operation| other.alive(edge).contains(operation))
        })
    }

    fn position(&self, edge: Edge, operation: Operation) -> Result<usize> {
        let alive = self.alive(edge);
        if alive.is_empty() {
            return Err(Error::EdgeNotAlive { edge });
        }
        alive
            .iter()
            .position(|other| *other == operation)
            .ok_or_else(|| Error::OperationNotAlive {
                edge,
                operation,
                alive: names(alive.iter()),
            })
    }

    /// Nodes with more than two edges and edges with more than one operation, in words.
    pub(crate) fn open(&self, kind: CellKind) -> Vec<String> {
        let mut open = Vec::new();
        for node in INPUT_NODES..NODES {
            let edges = Edge::incoming(node)
                .filter(|edge| !self.alive(*edge).is_empty())
                .count();
            if edges > 2 {
                open.push(format!("{kind} node {node} ({edges} edges)"));
            }
        }
        for (edge, alive) in self.edges().filter(|(_, alive)| alive.len() > 1) {
            open.push(format!("{kind} edge {edge} ({})", names(alive.iter())));
        }
        open
    }
}

impl TryFrom<BTreeMap<String, Vec<Operation>>> for CellTopology {
    type Error = Error;

    fn try_from(edges: BTreeMap<String, Vec<Operation>>) -> Result<Self> {
        let mut alive: [Vec<Operation>; EDGES] = Default::default();
        for (text, operations) in edges {
            let edge: Edge = text.parse()?;
            if let Some(operation) = first_repeated(&operations) {
                return Err(Error::RepeatedOperation {
                    operation,
                    place: format!(" on {edge}"),
                });
            }
            alive[edge.index()] = operations;
        }
        Ok(Self { alive })
    }
}

impl From<CellTopology> for BTreeMap<String, Vec<Operation>> {
    fn from(cell: CellTopology) -> Self {
        cell.edges()
            .map(|(edge, alive)| (edge.to_string(), alive.to_vec()))
            .collect()
    }
}

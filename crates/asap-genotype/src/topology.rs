//! What is alive in both cells, and the genotype that is left in the end.

use serde::{Deserialize, Serialize};

use crate::{
    CellGenotype, CellKind, CellTopology, Error, Genotype, INPUT_NODES, INTERMEDIATE_NODES, OpSet,
    Operation, Result,
};

/// What is alive in both cells.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// The cell that keeps the resolution.
    pub normal: CellTopology,
    /// The cell that halves it.
    pub reduction: CellTopology,
}

impl Topology {
    /// Every operation alive on every edge: where a search starts.
    pub fn full(op_set: &OpSet) -> Self {
        Self {
            normal: CellTopology::full(op_set),
            reduction: CellTopology::full(op_set),
        }
    }

    /// One operation on each edge that the genotype uses.
    pub fn from_genotype(genotype: &Genotype) -> Self {
        Self {
            normal: CellTopology::from_cell(&genotype.normal),
            reduction: CellTopology::from_cell(&genotype.reduction),
        }
    }

    /// The cell of a kind.
    pub fn cell(&self, kind: CellKind) -> &CellTopology {
        match kind {
            CellKind::Normal => &self.normal,
            CellKind::Reduction => &self.reduction,
        }
    }

    /// The cell of a kind, to be changed.
    pub fn cell_mut(&mut self, kind: CellKind) -> &mut CellTopology {
        match kind {
            CellKind::Normal => &mut self.normal,
            CellKind::Reduction => &mut self.reduction,
        }
    }

    /// The number of operations alive in both cells.
    pub fn operations_alive(&self) -> usize {
        self.normal.operations_alive() + self.reduction.operations_alive()
    }

    /// The number of edges alive in both cells, 28 at most.
    pub fn edges_alive(&self) -> usize {
        self.normal.edges_alive() + self.reduction.edges_alive()
    }

    /// Whether everything alive here is alive in the other one too.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        CellKind::ALL
            .into_iter()
            .all(|kind| self.cell(kind).is_subset_of(other.cell(kind)))
    }

    /// Whether nothing is left to decide: two edges at most into each node, one operation on each.
    pub fn is_discrete(&self) -> bool {
        self.open().is_empty()
    }

    /// The genotype that the topology has come to. An edge left with `none` is no edge of it.
    ///
    /// # Errors
    ///
    /// When something is left to decide (the message lists it), or an operation is outside the op
    /// set.
    pub fn to_genotype(&self, op_set: &OpSet) -> Result<Genotype> {
        let open = self.open();
        if !open.is_empty() {
            return Err(Error::StillOpen {
                open: open.join(", "),
            });
        }
        let cell = |kind: CellKind| {
            let mut nodes: [Vec<(Operation, usize)>; INTERMEDIATE_NODES] = Default::default();
            for (edge, alive) in self.cell(kind).edges() {
                let passing = alive
                    .iter()
                    .filter(|operation| **operation != Operation::None);
                nodes[edge.to() - INPUT_NODES].extend(passing.map(|one| (*one, edge.from())));
            }
            CellGenotype::new(kind, nodes)
        };
        Genotype::new(
            cell(CellKind::Normal)?,
            cell(CellKind::Reduction)?,
            op_set.clone(),
        )
    }

    fn open(&self) -> Vec<String> {
        CellKind::ALL
            .into_iter()
            .flat_map(|kind| self.cell(kind).open(kind))
            .collect()
    }
}

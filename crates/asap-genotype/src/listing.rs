//! The order in which a genotype's text lists the inputs of its nodes.
//!
//! A genotype is the same whatever that order is. State dicts of DARTS number the operations of a
//! cell by it, so who reads one needs the list.

use crate::published::{NAMES, listings};
use crate::{CellGenotype, CellKind, Genotype, INPUT_NODES, INTERMEDIATE_NODES, Operation};

/// A genotype, with the inputs of its nodes in the order of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    genotype: Genotype,
    normal: Vec<(Operation, usize)>,
    reduction: Vec<(Operation, usize)>,
}

impl Listing {
    /// The lists of both cells, already checked.
    pub(crate) fn new(
        genotype: Genotype,
        normal: Vec<(Operation, usize)>,
        reduction: Vec<(Operation, usize)>,
    ) -> Self {
        Self {
            genotype,
            normal,
            reduction,
        }
    }

    /// A genotype known to be right at compile time.
    pub(crate) fn published(
        normal: [[(Operation, usize); 2]; INTERMEDIATE_NODES],
        reduction: [[(Operation, usize); 2]; INTERMEDIATE_NODES],
    ) -> Self {
        let cells = [normal, reduction].map(CellGenotype::published);
        let [normal_cell, reduction_cell] = cells;
        Self::new(
            Genotype::published(normal_cell, reduction_cell),
            normal.concat(),
            reduction.concat(),
        )
    }

    /// The published genotype of a name as its authors list it, one of [`NAMES`] in upper or lower
    /// case.
    pub fn named(name: &str) -> Option<&'static Self> {
        NAMES
            .iter()
            .zip(listings())
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, one)| one)
    }

    /// Lists the two inputs of a node, 2 to 5, the other way round.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn swap_inputs(&mut self, kind: CellKind, node: usize) {
        let first = 2 * (node - INPUT_NODES);
        match kind {
            CellKind::Normal => self.normal.swap(first, first + 1),
            CellKind::Reduction => self.reduction.swap(first, first + 1),
        }
    }

    /// What is listed.
    pub fn genotype(&self) -> &Genotype {
        &self.genotype
    }

    /// The inputs of nodes 2 to 5 of a cell, two for each node. An input that is missing is `none`
    /// from some node.
    pub fn inputs(&self, kind: CellKind) -> &[(Operation, usize)] {
        match kind {
            CellKind::Normal => &self.normal,
            CellKind::Reduction => &self.reduction,
        }
    }
}

impl From<&Genotype> for Listing {
    /// A published genotype as its authors list it; any other by source, as [`Genotype::to_darts`]
    /// writes it.
    fn from(genotype: &Genotype) -> Self {
        let known = listings().into_iter().find(|listing| {
            let cells = |kind| listing.genotype.cell(kind) == genotype.cell(kind);
            CellKind::ALL.into_iter().all(cells)
        });
        let [normal, reduction] = match known {
            Some(listing) => [listing.normal.clone(), listing.reduction.clone()],
            None => [by_source(&genotype.normal), by_source(&genotype.reduction)],
        };
        Self::new(genotype.clone(), normal, reduction)
    }
}

/// Two inputs for each node: one that is missing is `none` from the first node that is free.
pub(crate) fn by_source(cell: &CellGenotype) -> Vec<(Operation, usize)> {
    let mut all = Vec::with_capacity(2 * INTERMEDIATE_NODES);
    for (node, inputs) in (INPUT_NODES..).zip(cell.nodes()) {
        let free = (0..node).filter(|from| inputs.iter().all(|(_, used)| used != from));
        let missing = free.map(|from| (Operation::None, from));
        all.extend(inputs.iter().copied().chain(missing).take(2));
    }
    all
}

//! A found architecture: which two edges each node of both cells keeps, and the operation on each.

use std::fmt;
use std::str::FromStr;

use crate::{CellKind, Edge, Error, INPUT_NODES, INTERMEDIATE_NODES, OpSet, Operation, Result};

/// One discrete cell. Its output joins all intermediate nodes (paper).
///
/// The inputs of a node are a sum, so they are kept in the order of their sources: two cells that
/// compute the same are equal. A node has fewer than two inputs only where `none` won an edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CellGenotype {
    nodes: [Vec<(Operation, usize)>; INTERMEDIATE_NODES],
}

impl CellGenotype {
    /// A cell from the inputs of nodes 2 to 5, each an operation and the node it reads. The kind is
    /// for messages.
    ///
    /// # Errors
    ///
    /// When a node has more than two inputs, reads a node that is not before it, or one node twice,
    /// or when an operation is `none`.
    pub fn new(
        kind: CellKind,
        mut nodes: [Vec<(Operation, usize)>; INTERMEDIATE_NODES],
    ) -> Result<Self> {
        let cell = kind;
        for (node, inputs) in (INPUT_NODES..).zip(&mut nodes) {
            inputs.sort_by_key(|(_, from)| *from);
            if inputs.len() > 2 {
                return Err(Error::TooManyInputs {
                    cell,
                    node,
                    found: inputs.len(),
                });
            }
            for (index, (operation, from)) in inputs.iter().enumerate() {
                if *from >= node {
                    return Err(Error::InputOutOfRange {
                        cell,
                        node,
                        from: *from,
                    });
                }
                if *operation == Operation::None {
                    return Err(Error::NoneInput { cell, node });
                }
                if index > 0 && inputs[index - 1].1 == *from {
                    return Err(Error::RepeatedInput {
                        cell,
                        node,
                        from: *from,
                    });
                }
            }
        }
        Ok(Self { nodes })
    }

    /// A cell known to be right at compile time: the published ones, which a test checks.
    pub(crate) fn published(nodes: [[(Operation, usize); 2]; INTERMEDIATE_NODES]) -> Self {
        Self {
            nodes: nodes.map(|mut inputs| {
                inputs.sort_by_key(|(_, from)| *from);
                inputs.to_vec()
            }),
        }
    }

    /// The inputs of nodes 2 to 5, each an operation and the node it reads, by source.
    pub fn nodes(&self) -> &[Vec<(Operation, usize)>; INTERMEDIATE_NODES] {
        &self.nodes
    }

    /// The edges of the cell, each with its operation, in edge order.
    pub fn edges(&self) -> impl Iterator<Item = (Edge, Operation)> {
        (INPUT_NODES..).zip(&self.nodes).flat_map(|(node, inputs)| {
            // Every source was checked to be before its node, so no edge is left out here.
            inputs.iter().filter_map(move |(operation, from)| {
                Edge::new(*from, node).ok().map(|edge| (edge, *operation))
            })
        })
    }
}

/// A normal and a reduction cell, and the op set they were chosen from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Genotype {
    /// The cell that keeps the resolution.
    pub normal: CellGenotype,
    /// The cell that halves it.
    pub reduction: CellGenotype,
    op_set: OpSet,
}

impl Genotype {
    /// A genotype of two cells.
    ///
    /// # Errors
    ///
    /// When a cell has an operation that the op set lacks.
    pub fn new(normal: CellGenotype, reduction: CellGenotype, op_set: OpSet) -> Result<Self> {
        for (cell, kind) in [
            (&normal, CellKind::Normal),
            (&reduction, CellKind::Reduction),
        ] {
            for (edge, operation) in cell.edges() {
                if op_set.position(operation).is_none() {
                    let op_set = op_set.name();
                    return Err(Error::OutsideOpSet {
                        cell: kind,
                        node: edge.to(),
                        operation,
                        op_set,
                    });
                }
            }
        }
        Ok(Self {
            normal,
            reduction,
            op_set,
        })
    }

    pub(crate) fn published(normal: CellGenotype, reduction: CellGenotype) -> Self {
        Self {
            normal,
            reduction,
            op_set: OpSet::darts7(),
        }
    }

    /// The cell of a kind.
    pub fn cell(&self, kind: CellKind) -> &CellGenotype {
        match kind {
            CellKind::Normal => &self.normal,
            CellKind::Reduction => &self.reduction,
        }
    }

    /// The operations that the search chose from.
    pub fn op_set(&self) -> &OpSet {
        &self.op_set
    }

    /// Refuses a genotype that was chosen from other operations, or from the same in another order.
    ///
    /// # Errors
    ///
    /// When the op sets differ; the message names both.
    pub fn require_op_set(&self, expected: &OpSet) -> Result<()> {
        if self.op_set == *expected {
            return Ok(());
        }
        Err(Error::OtherOpSet {
            expected: expected.name(),
            found: self.op_set.name(),
        })
    }
}

impl fmt::Display for Genotype {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_darts())
    }
}

impl FromStr for Genotype {
    type Err = Error;

    /// Reads JSON, which starts with a brace, or DARTS text.
    fn from_str(text: &str) -> Result<Self> {
        if text.trim_start().starts_with('{') {
            Self::from_json(text)
        } else {
            Self::from_darts(text)
        }
    }
}

//! Where the parts of a drawn cell stand: nodes in columns, left to right, with room for lines.
//!
//! A node stands one column right of the last node it reads. A line that passes columns gets a lane
//! in each, between the nodes, so that no line crosses a node or a label; all lines out of one node
//! share its lanes.

use asap_genotype::{CellGenotype, INPUT_NODES, NODES, Operation};

/// Height of the label of an operation.
pub(crate) const LABEL_HEIGHT: f64 = 24.0;
/// Distance of the middles of two labels of one node.
pub(crate) const LABEL_PITCH: f64 = 30.0;
/// Side of the box of a node.
pub(crate) const NODE_SIZE: f64 = 34.0;
/// Free height between two parts of a column.
pub(crate) const SPACING: f64 = 20.0;

/// A part of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A node with the labels of its operations.
    Node(usize),
    /// The line out of a node from an earlier column.
    Lane(usize),
    /// The concat of the intermediate nodes.
    Output,
}

/// A part and the height of its middle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) part: Part,
    pub(crate) y: f64,
    pub(crate) height: f64,
}

/// A drawn cell without its horizontal measures.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The parts of each column, from above: inputs first, the output alone in the last.
    pub(crate) columns: Vec<Vec<Placed>>,
    /// The height that all parts together take.
    pub(crate) height: f64,
    inputs: [Vec<(Operation, usize)>; NODES],
    column_of: [usize; NODES],
}

impl Layout {
    pub(crate) fn new(cell: &CellGenotype) -> Self {
        let mut inputs: [Vec<(Operation, usize)>; NODES] = Default::default();
        for (node, found) in (INPUT_NODES..).zip(cell.nodes()) {
            inputs[node].clone_from(found);
        }
        let mut column_of = [0; NODES];
        for node in INPUT_NODES..NODES {
            let sources = inputs[node].iter().map(|(_, from)| column_of[*from]);
            column_of[node] = 1 + sources.max().unwrap_or(0);
        }
        let output = 1 + column_of.iter().max().unwrap_or(&0);
        let mut layout = Self {
            columns: vec![Vec::new(); output + 1],
            height: 0.0,
            inputs,
            column_of,
        };
        layout.fill_columns(output);
        layout.order();
        layout.straighten();
        layout
    }

    /// The middle of a node's box, or of the lane of its line, in a column.
    pub(crate) fn line_y(&self, node: usize, column: usize) -> Option<f64> {
        self.columns[column]
            .iter()
            .find(|placed| placed.part == Part::Node(node) || placed.part == Part::Lane(node))
            .map(|placed| placed.y)
    }

    /// The labels of a node from above, each with its operation, its source and the height of its
    /// middle: the input whose line comes from further above stands above.
    pub(crate) fn labels(&self, node: usize, y: f64) -> Vec<(Operation, usize, f64)> {
        let before = self.column_of[node].saturating_sub(1);
        let mut inputs = self.inputs[node].clone();
        inputs.sort_by(|a, b| {
            let height = |from| self.line_y(from, before).unwrap_or(0.0);
            height(a.1).total_cmp(&height(b.1))
        });
        let first = y - LABEL_PITCH * (inputs.len() as f64 - 1.0) / 2.0;
        (0..)
            .zip(inputs)
            .map(|(row, (operation, from))| (operation, from, first + LABEL_PITCH * f64::from(row)))
            .collect()
    }

    /// Whether the line out of a node still feeds an operation right of a column.
    pub(crate) fn feeds_beyond(&self, node: usize, column: usize) -> bool {
        self.last_target(node).is_some_and(|last| column < last)
    }

    /// Whether an input node is read at all; every intermediate node is part of the output.
    pub(crate) fn is_used(&self, node: usize) -> bool {
        node >= INPUT_NODES || self.last_target(node).is_some()
    }

    fn last_target(&self, node: usize) -> Option<usize> {
        (INPUT_NODES..NODES)
            .filter(|target| self.inputs[*target].iter().any(|(_, from)| *from == node))
            .map(|target| self.column_of[target])
            .max()
    }

    fn fill_columns(&mut self, output: usize) {
        for node in 0..NODES {
            let column = self.column_of[node];
            let labels = self.inputs[node].len() as f64;
            let height = NODE_SIZE.max(LABEL_HEIGHT + LABEL_PITCH * (labels - 1.0));
            // An input node has its name under the box.
            let height = if node < INPUT_NODES {
                NODE_SIZE + 24.0
            } else {
                height
            };
            self.columns[column].push(Placed {
                part: Part::Node(node),
                y: 0.0,
                height,
            });
            let last = if node < INPUT_NODES {
                self.last_target(node).unwrap_or(0)
            } else {
                output
            };
            for passed in column + 1..last {
                self.columns[passed].push(Placed {
                    part: Part::Lane(node),
                    y: 0.0,
                    height: 8.0,
                });
            }
        }
        let part = Placed {
            part: Part::Output,
            y: 0.0,
            height: 4.0 * NODE_SIZE,
        };
        self.columns[output].push(part);
    }

    /// Pairs of heights that lines join between a column and the next one.
    pub(crate) fn lines(&self, column: usize) -> Vec<(f64, f64)> {
        let from = |node| self.line_y(node, column).unwrap_or(0.0);
        let mut lines = Vec::new();
        for placed in &self.columns[column + 1] {
            match placed.part {
                Part::Lane(node) => lines.push((from(node), placed.y)),
                Part::Node(node) => {
                    lines.extend(
                        self.inputs[node]
                            .iter()
                            .map(|(_, source)| (from(*source), placed.y)),
                    );
                }
                Part::Output => {
                    lines.extend((INPUT_NODES..NODES).map(|node| (from(node), placed.y)));
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asap_genotype::{Genotype, NAMES};

    #[test]
    fn parts_of_a_column_never_overlap_and_every_line_has_a_place() {
        for genotype in NAMES.iter().filter_map(|name| Genotype::named(name)) {
            for cell in [&genotype.normal, &genotype.reduction] {
                let layout = Layout::new(cell);
                for column in &layout.columns {
                    for pair in column.windows(2) {
                        let needed = (pair[0].height + pair[1].height) / 2.0 + SPACING;
                        assert!(pair[1].y - pair[0].y >= needed - 1e-9);
                    }
                    for part in column {
                        assert!(part.y - part.height / 2.0 >= -1e-9);
                        assert!(part.y + part.height / 2.0 <= layout.height + 1e-9);
                    }
                }
                for (edge, _) in cell.edges() {
                    for column in layout.column_of[edge.from()]..layout.column_of[edge.to()] {
                        assert!(layout.line_y(edge.from(), column).is_some(), "{edge}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_node_stands_right_of_everything_it_reads() {
        let layout = Layout::new(&asap_genotype::XNAS.normal);
        // Node 2 reads the inputs, node 3 reads 2, node 4 reads 3, node 5 reads 4.
        assert_eq!(layout.column_of, [0, 0, 1, 2, 3, 4]);
        assert_eq!(layout.columns.len(), 6);
    }
}

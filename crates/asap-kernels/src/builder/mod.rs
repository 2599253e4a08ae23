//! Makes a [`Plan`]: stem, cells and head in order, then the backward pass in reverse.
//!
//! Every parameter, buffer, sum and vector is allotted here, so that the tasks' places are right by construction.

mod allot;
mod auxiliary;
mod operation;
mod parts;
mod spec;
mod stem;
mod tasks;

pub use auxiliary::AuxiliaryForm;
pub use spec::{CellOperation, CellSpec, Connection};

pub(crate) use operation::{CellInputSpec, OperationSpec, cell_input_plan, operation_plan};

use crate::layout::padded;
use crate::plan::{Bank, Head, Place, Plan, Size, Task, View};
use parts::{BankForm, InputForm, Term};

/// Something a cell reads: the stem or an earlier cell.
#[derive(Clone, Debug)]
struct Source {
    view: View,
    size: Size,
    segments: Vec<usize>,
    gradient: Place,
    /// Whether a task has written to `gradient`.
    written: bool,
}

struct CellRecord {
    source: usize,
    /// Sources of nodes 0 and 1.
    previous: [usize; 2],
    inputs: [Option<usize>; 2],
    banks: [Option<usize>; 5],
    nodes: [usize; 4],
}

/// Collects stem, cells and head into a [`Plan`].
pub struct PlanBuilder {
    plan: Plan,
    pools_by_edge: bool,
    sources: Vec<Source>,
    cells: Vec<CellRecord>,
    /// Inputs that are the stem's later convolutions.
    stem_stages: Vec<usize>,
    /// The source that an auxiliary head reads.
    auxiliary: Option<(usize, AuxiliaryForm)>,
}

impl PlanBuilder {
    /// Without stem, cells and head.
    fn empty(batch: usize, op_weights: usize) -> Self {
        Self {
            plan: Plan {
                batch,
                op_weights,
                ..Plan::default()
            },
            pools_by_edge: false,
            sources: Vec::new(),
            cells: Vec::new(),
            stem_stages: Vec::new(),
            auxiliary: None,
        }
    }

    /// Adds a cell that reads the two before it, at the beginning the stem in their place.
    ///
    /// # Panics
    /// If a convolution has another kernel than 3 or 5, or the stride is not 1 or 2.
    pub fn cell(&mut self, spec: &CellSpec<'_>) {
        let stride = spec.stride;
        assert!(
            matches!(stride, 1 | 2),
            "expected a stride of 1 or 2, found {stride}"
        );
        let newest = self.sources.len() - 1;
        let previous = [newest.saturating_sub(1), newest];
        let alive = |node| spec.connections.iter().any(|c| c.from == node);
        let channels = padded(spec.channels);
        let mut inputs = [None; 2];
        for node in 0..2 {
            if alive(node) {
                let form = InputForm {
                    name: format!("{}.input{node}", spec.name),
                    channels: spec.channels,
                    reduce: node == 0 && spec.reduce_first_input,
                    affine: spec.affine,
                };
                let source = self.sources[previous[node]].clone();
                inputs[node] = Some(self.input(&form, &source));
            }
        }
        let norms: Vec<usize> = inputs
            .iter()
            .flatten()
            .map(|&i| self.plan.inputs[i].norm)
            .collect();
        if !norms.is_empty() {
            self.plan
                .forward
                .extend(inputs.iter().flatten().map(|&i| Task::Input(i)));
            self.plan
                .forward
                .extend([Task::Barrier, Task::Coefficients(norms)]);
        }
        // A cell without a living input keeps the size it would have had.
        let node_size = match inputs.iter().flatten().next() {
            Some(&i) => self.plan.inputs[i].out.strided(spec.stride),
            None => Size {
                channels,
                ..self.sources[newest].size.strided(spec.stride)
            },
        };
        let concat_size = Size {
            channels: 4 * channels,
            ..node_size
        };
        let concat = self.place(concat_size);
        let gradient = self.place(concat_size);
        let nodes = std::array::from_fn(|i| {
            let value = Place {
                at: i * channels,
                ..concat
            };
            let gradient = Place {
                at: i * channels,
                ..gradient
            };
            self.node(node_size, value, gradient)
        });
        let mut banks = [None; 5];
        for from in 0..5 {
            if from >= 2 {
                self.plan.forward.push(Task::Node(nodes[from - 2]));
            }
            if alive(from) {
                banks[from] = Some(self.cell_bank(spec, from, inputs, nodes));
            }
            match from {
                0 => {}
                1 => {
                    let wave: Vec<usize> = banks[..2].iter().flatten().copied().collect();
                    self.banks_forward(&wave);
                }
                _ => self.banks_forward(banks[from].as_slice()),
            }
        }
        self.plan.forward.push(Task::Node(nodes[3]));
        self.sources.push(Source {
            view: View {
                place: concat,
                norm: None,
            },
            size: concat_size,
            segments: vec![spec.channels; 4],
            gradient,
            written: false,
        });
        self.cells.push(CellRecord {
            source: newest + 1,
            previous,
            inputs,
            banks,
            nodes,
        });
    }

    /// All that leaves one node of a cell.
    fn cell_bank(
        &mut self,
        spec: &CellSpec<'_>,
        from: usize,
        inputs: [Option<usize>; 2],
        nodes: [usize; 4],
    ) -> usize {
        let mut bank = match inputs.get(from) {
            Some(input) => {
                let input =
                    &self.plan.inputs[input.expect("a node with connections has its input")];
                let view = View {
                    place: input.y,
                    norm: Some(input.norm),
                };
                let mut bank = Bank::new(view, input.out, spec.stride, input.gradient);
                bank.source_sums = Some(input.sums);
                bank
            }
            None => {
                let node = &self.plan.nodes[nodes[from - 2]];
                let view = View {
                    place: node.value,
                    norm: None,
                };
                let mut bank = Bank::new(view, node.size, 1, node.gradient);
                bank.gradient_add = true;
                bank
            }
        };
        let form = BankForm {
            channels: spec.channels,
            affine: spec.affine,
            normalise_pools: spec.normalise_pools,
        };
        for connection in spec.connections.iter().filter(|c| c.from == from) {
            let operation = connection.operation;
            let place = match operation {
                // Shared by all edges out of the node.
                CellOperation::MaxPool | CellOperation::AveragePool if !self.pools_by_edge => {
                    format!("nodes.{from}")
                }
                _ => format!("edges.{from}-{}", connection.to),
            };
            let term = Term {
                name: format!("{}.{place}.{}", spec.name, operation.name()),
                operation,
                node: nodes[connection.to - 2],
                weight: connection.weight,
                cell: self.cells.len(),
            };
            self.connect(form, &term, &mut bank);
        }
        self.bank(bank)
    }

    /// Ends with global average pool and classifier, and lays out the backward pass.
    pub fn finish(mut self, classes: usize) -> Plan {
        let last = self.sources.len() - 1;
        let Source {
            view,
            size,
            ref segments,
            gradient,
            ..
        } = self.sources[last];
        let segments = segments.clone();
        let classifier = self.classifier("classifier", segments, classes);
        self.plan.head = Some(Head {
            source: view,
            size,
            classifier,
            gradient,
        });
        self.plan.forward.push(Task::Head);
        self.sources[last].written = true;
        self.auxiliary_forward(classes);
        for cell in std::mem::take(&mut self.cells).into_iter().rev() {
            self.auxiliary_backward(cell.source);
            self.cell_backward(&cell);
        }
        self.stem_backward();
        self.plan.scratch.image = self.plan.scratch.image.max(size.channels);
        self.lay_out()
    }
}

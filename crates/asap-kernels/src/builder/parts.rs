//! The parts of a plan: nodes, and the operations of banks and inputs with their parameters and outputs.

use super::{CellOperation, PlanBuilder, Source};
use crate::depthwise::Taps;
use crate::layout::{ParameterKind, padded, padded_segments};
use crate::plan::{
    Bank, Chain, Classifier, Convolution, DropPath, Input, InputKernel, Node, NodeTerm, Place,
    Reduce, SharedPool, Size, Target, View,
};
use crate::pool::PoolKind;

/// How far the normalisation of a term reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// There is none between the tensor and the node.
    Plain,
    /// It is this term's.
    Own,
    /// Other nodes read it too.
    Shared,
}

/// What the operations of a bank have in common.
#[derive(Clone, Copy)]
pub(super) struct BankForm {
    pub(super) channels: usize,
    pub(super) affine: bool,
    pub(super) normalise_pools: bool,
}

/// One operation of a bank and where it ends.
pub(super) struct Term {
    /// Prefix of its parameters' names.
    pub(super) name: String,
    pub(super) operation: CellOperation,
    pub(super) node: usize,
    /// Index into the op weights of a step.
    pub(super) weight: usize,
    /// Index of the cell.
    pub(super) cell: usize,
}

/// ReLU-1x1-BN, or a factorised reduce.
pub(super) struct InputForm {
    pub(super) name: String,
    pub(super) channels: usize,
    pub(super) reduce: bool,
    pub(super) affine: bool,
}

impl PlanBuilder {
    pub(super) fn input(&mut self, form: &InputForm, source: &Source) -> usize {
        let InputForm {
            ref name,
            channels,
            reduce,
            affine,
        } = *form;
        let out = Size {
            channels: padded(channels),
            ..source.size
        };
        let out = if reduce { out.strided(2) } else { out };
        let (kernel, norm, y) = if reduce {
            self.need_tile(source.size, 1);
            let reduce = self.reduce(name, &source.segments, channels, out, affine);
            (InputKernel::Reduce(reduce), reduce.norm, reduce.y)
        } else {
            let kind = ParameterKind::Pointwise {
                segments: source.segments.clone(),
                outputs: channels,
                first: 0,
                columns: out.channels,
            };
            let kernel = self.kernel(format!("{name}.conv"), kind, out.pixels());
            let transposed = self.transposed(kernel, source.size.channels, out.channels);
            let norm = self.norm(&format!("{name}.norm"), channels, out.pixels(), affine);
            (
                InputKernel::Pointwise { kernel, transposed },
                norm,
                self.place(out),
            )
        };
        self.need_products(out, source.size.channels);
        let input = Input {
            source: source.view,
            size: source.size,
            kernel,
            norm,
            y,
            out,
            gradient: self.place(out),
            sums: self.sums(2 * out.channels),
            source_gradient: source.gradient,
            source_gradient_add: false,
        };
        self.plan.inputs.push(input);
        self.plan.inputs.len() - 1
    }

    pub(super) fn node(&mut self, size: Size, value: Place, gradient: Place) -> usize {
        let shift_vector = self.vector(size.channels);
        let sum = self.sums(size.channels);
        self.plan.nodes.push(Node {
            terms: Vec::new(),
            size,
            value,
            shift_vector,
            gradient,
            sum,
        });
        self.plan.nodes.len() - 1
    }

    /// Adds a term to a node.
    fn target(&mut self, term: &Term, y: View, reach: Reach) -> Target {
        let node = term.node;
        let channels = self.plan.nodes[node].size.channels;
        // As DARTS has it: the identity is never lost.
        let identity = term.operation == CellOperation::Skip && reach == Reach::Plain;
        let drop_path = (!identity).then(|| DropPath {
            cell: term.cell,
            sum: self.sums(channels),
        });
        let term = NodeTerm {
            y,
            weight: term.weight,
            scale_vector: self.vector(channels),
            back_vector: self.vector(channels),
            products: self.sums(channels),
            normalised: reach != Reach::Plain,
            shared: reach == Reach::Shared,
            drop_path,
        };
        self.plan.nodes[node].terms.push(term);
        Target {
            node,
            term: self.plan.nodes[node].terms.len() - 1,
        }
    }

    /// Every edge of the cells to come has pools of its own, whose normalisations have their own running statistics.
    /// A pass is slower for it.
    pub fn keep_pools_by_edge(&mut self) {
        self.pools_by_edge = true;
    }

    /// Takes a bank with all its operations.
    pub(super) fn bank(&mut self, bank: Bank) -> usize {
        let out = bank.size.strided(bank.stride);
        self.need_tile(bank.size, bank.halo);
        self.need_tile(out, 2);
        self.need_products(out, bank.size.channels);
        self.plan.banks.push(bank);
        self.plan.banks.len() - 1
    }

    /// Adds an operation to a bank.
    pub(super) fn connect(&mut self, form: BankForm, term: &Term, bank: &mut Bank) {
        let out = bank.size.strided(bank.stride);
        let stride = bank.stride;
        match term.operation {
            CellOperation::MaxPool => self.pool(form, term, PoolKind::Max, bank),
            CellOperation::AveragePool => self.pool(form, term, PoolKind::Average, bank),
            CellOperation::Skip if stride == 1 => {
                let target = self.target(term, bank.source, Reach::Plain);
                bank.skips.push(target);
            }
            CellOperation::Skip => {
                let BankForm {
                    channels, affine, ..
                } = form;
                let reduce = self.reduce(&term.name, &[channels], channels, out, affine);
                let view = View {
                    place: reduce.y,
                    norm: Some(reduce.norm),
                };
                let target = self.target(term, view, Reach::Own);
                bank.reduces.push((reduce, target));
            }
            CellOperation::Separable { kernel } => {
                let taps = Taps::new(kernel, 1, stride);
                let first = self.chain(form, &term.name, "1", taps, out);
                let second = self.chain(form, &term.name, "2", Taps { stride: 1, ..taps }, out);
                self.convolution(term, first, Some(second), bank);
            }
            CellOperation::Dilated { kernel } => {
                let first = self.chain(form, &term.name, "", Taps::new(kernel, 2, stride), out);
                self.convolution(term, first, None, bank);
            }
        }
    }

    /// A pool that the bank has already serves this term too.
    fn pool(&mut self, form: BankForm, term: &Term, kind: PoolKind, bank: &mut Bank) {
        let at = bank
            .pools
            .iter()
            .position(|p| p.kind == kind && !self.pools_by_edge)
            .unwrap_or_else(|| {
                let out = bank.size.strided(bank.stride);
                let norm = form.normalise_pools.then(|| {
                    self.norm(
                        &format!("{}.norm", term.name),
                        form.channels,
                        out.pixels(),
                        false,
                    )
                });
                let y = View {
                    place: self.place(out),
                    norm,
                };
                bank.pools.push(SharedPool {
                    kind,
                    y,
                    targets: Vec::new(),
                });
                bank.pools.len() - 1
            });
        let y = bank.pools[at].y;
        let reach = if y.norm.is_some() {
            Reach::Shared
        } else {
            Reach::Plain
        };
        bank.pools[at].targets.push(self.target(term, y, reach));
    }

    fn convolution(&mut self, term: &Term, first: Chain, second: Option<Chain>, bank: &mut Bank) {
        let last = second.unwrap_or(first);
        let view = View {
            place: last.y,
            norm: Some(last.norm),
        };
        let target = self.target(term, view, Reach::Own);
        let channels = bank.size.channels;
        let inner_sums = if second.is_some() {
            self.sums(2 * channels)
        } else {
            0
        };
        bank.halo = bank.halo.max(first.taps.padding());
        bank.convolutions.push(Convolution {
            first,
            second,
            inner_sums,
            target,
        });
    }

    fn chain(&mut self, form: BankForm, name: &str, stage: &str, taps: Taps, out: Size) -> Chain {
        let channels = form.channels;
        let kind = ParameterKind::Depthwise {
            channels,
            kernel: taps.kernel,
        };
        let depthwise = self.kernel(format!("{name}.depthwise{stage}"), kind, out.pixels());
        let kind = ParameterKind::Pointwise {
            segments: vec![channels],
            outputs: channels,
            first: 0,
            columns: out.channels,
        };
        let pointwise = self.kernel(format!("{name}.pointwise{stage}"), kind, out.pixels());
        let transposed = self.transposed(pointwise, out.channels, out.channels);
        let norm = self.norm(
            &format!("{name}.norm{stage}"),
            channels,
            out.pixels(),
            form.affine,
        );
        Chain {
            taps,
            depthwise,
            pointwise,
            transposed,
            norm,
            y: self.place(out),
        }
    }

    pub(super) fn classifier(
        &mut self,
        name: &str,
        segments: Vec<usize>,
        classes: usize,
    ) -> Classifier {
        let outputs = classes;
        let kind = ParameterKind::Linear { segments, outputs };
        let weight = self.kernel(format!("{name}.weight"), kind, 1);
        let bias = self.parameter(format!("{name}.bias"), ParameterKind::Bias { outputs });
        Classifier {
            classes,
            weight,
            bias,
        }
    }

    /// A factorised reduce: two kernels, each with its own half of the output columns.
    fn reduce(
        &mut self,
        name: &str,
        segments: &[usize],
        outputs: usize,
        out: Size,
        affine: bool,
    ) -> Reduce {
        let (columns, inputs) = (out.channels, padded_segments(segments));
        let split = outputs / 2;
        let halves = [("conv_a", 0, split), ("conv_b", split, outputs - split)];
        let halves = halves.map(|(suffix, first, outputs)| {
            let segments = segments.to_vec();
            let kind = ParameterKind::Pointwise {
                segments,
                outputs,
                first,
                columns,
            };
            let kernel = self.kernel(format!("{name}.{suffix}"), kind, out.pixels());
            (kernel, self.transposed(kernel, inputs, columns))
        });
        let norm = self.norm(&format!("{name}.norm"), outputs, out.pixels(), affine);
        Reduce {
            kernels: halves.map(|(kernel, _)| kernel),
            transposed: halves.map(|(_, transposed)| transposed),
            inputs,
            outputs: columns,
            norm,
            y: self.place(out),
        }
    }
}

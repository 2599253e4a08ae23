//! The plan of one operation, of one mixed op, or of what a cell does to an input: a tensor in, a tensor out.

use super::{CellOperation, PlanBuilder, Source};
use crate::layout::padded;
use crate::plan::{Bank, Door, Doors, Plan, Size, Task, View};

use super::parts::{BankForm, InputForm, Term};

/// A bank whose operations all end in one node.
pub(crate) struct OperationSpec<'a> {
    /// `[N, C, H, W]` of the source.
    pub(crate) shape: [usize; 4],
    pub(crate) stride: usize,
    pub(crate) affine: bool,
    pub(crate) normalise_pools: bool,
    /// Each with the op weight of its position.
    pub(crate) operations: &'a [CellOperation],
}

/// ReLU-1x1-BN, or a factorised reduce.
pub(crate) struct CellInputSpec {
    /// `[N, C, H, W]` of the source.
    pub(crate) shape: [usize; 4],
    pub(crate) outputs: usize,
    pub(crate) reduce: bool,
    pub(crate) affine: bool,
}

fn size([_, channels, height, width]: [usize; 4]) -> Size {
    Size {
        height,
        width,
        channels: padded(channels),
    }
}

/// The plan of a weighted sum of operations of one source.
pub(crate) fn operation_plan(spec: &OperationSpec<'_>) -> Plan {
    let mut builder = PlanBuilder::empty(spec.shape[0], spec.operations.len());
    let (size, channels) = (size(spec.shape), spec.shape[1]);
    let source = builder.door(size, channels);
    let result = builder.door(size.strided(spec.stride), channels);
    let node = builder.node(result.size, result.tensor.place, result.gradient);
    let form = BankForm {
        channels,
        affine: spec.affine,
        normalise_pools: spec.normalise_pools,
    };
    let mut bank = Bank::new(source.tensor, size, spec.stride, source.gradient);
    for (weight, &operation) in spec.operations.iter().enumerate() {
        let name = operation.name().to_owned();
        builder.connect(
            form,
            &Term {
                name,
                operation,
                node,
                weight,
                cell: 0,
            },
            &mut bank,
        );
    }
    let bank = builder.bank(bank);

    builder.plan.forward.push(Task::Source);
    builder.banks_forward(&[bank]);
    builder
        .plan
        .forward
        .extend([Task::Node(node), Task::Result]);
    builder.plan.backward.push(Task::ResultGradient);
    builder.node_backward(node);
    builder.banks_backward(&[bank]);
    builder.plan.backward.push(Task::SourceGradient);
    builder.plan.doors = Some(Doors {
        source,
        result,
        result_sums: None,
    });
    builder.lay_out()
}

/// The plan of what stands in front of a cell.
pub(crate) fn cell_input_plan(spec: &CellInputSpec) -> Plan {
    let mut builder = PlanBuilder::empty(spec.shape[0], 0);
    let (size, channels) = (size(spec.shape), spec.shape[1]);
    let source = builder.door(size, channels);
    let form = InputForm {
        name: "input".to_owned(),
        channels: spec.outputs,
        reduce: spec.reduce,
        affine: spec.affine,
    };
    let segments = vec![channels];
    let (view, gradient) = (source.tensor, source.gradient);
    let input = builder.input(
        &form,
        &Source {
            view,
            size,
            segments,
            gradient,
            written: false,
        },
    );

    let built = builder.plan.inputs[input].clone();
    for place in [built.y, built.gradient] {
        builder.plan.buffers[place.buffer].side_by_side = true;
    }
    let (norm, sums) = (built.norm, built.sums);
    let result = Door {
        tensor: View {
            place: built.y,
            norm: Some(norm),
        },
        gradient: built.gradient,
        size: built.out,
        channels: spec.outputs,
    };
    let forward = [
        Task::Source,
        Task::Input(input),
        Task::Barrier,
        Task::Coefficients(vec![norm]),
    ];
    builder.plan.forward.extend(forward);
    builder.plan.forward.push(Task::Result);
    builder.plan.backward = vec![
        Task::ResultGradient,
        Task::Barrier,
        builder.plan.inputs[input].coefficients(),
        Task::InputBack(input),
        Task::SourceGradient,
    ];
    builder.plan.doors = Some(Doors {
        source,
        result,
        result_sums: Some(sums),
    });
    builder.lay_out()
}

impl PlanBuilder {
    /// A tensor and its gradient, each in memory of its own: nobody but the door writes there, so padding stays zero.
    fn door(&mut self, size: Size, channels: usize) -> Door {
        let tensor = View {
            place: self.place_side_by_side(size),
            norm: None,
        };
        Door {
            tensor,
            gradient: self.place_side_by_side(size),
            size,
            channels,
        }
    }
}

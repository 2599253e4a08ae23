//! Single operations for other people's candle code, forward and backward.
//!
//! Each is the plan of one bank, run by the same tasks as a network's step, and differentiable once by candle's
//! `backward`. Batch normalisation works in training mode: by the statistics of the batch, in every call.

mod arguments;
mod config;
mod custom_op;

pub(crate) use arguments::check_numbers;
pub use config::{CellInputConfig, OperationConfig};

use candle_core::{DType, Device, Tensor};

use crate::error::Error;
use crate::plan::Plan;
use arguments::{check_source, check_tensor, nothing, pack};
use custom_op::EngineOp;

/// In messages, and in candle's graph.
const CELL_INPUT: &str = "cell input";

/// A parameter's name and its shape as PyTorch has it, `[O, I, kh, kw]` for a kernel.
pub type NamedShape = (String, Vec<usize>);

/// Names and shapes of the parameters that [`apply_operation`] and [`mixed_operation`] take, in their order.
///
/// # Errors
/// If there is no such operation.
pub fn operation_parameters(config: &OperationConfig) -> Result<Vec<NamedShape>, Error> {
    config.check()?;
    Ok(named_shapes(&config.plan([1, config.channels, 1, 1])))
}

/// Names and shapes of the parameters that [`cell_input`] takes, in their order.
///
/// # Errors
/// If there is no such input.
pub fn cell_input_parameters(config: &CellInputConfig) -> Result<Vec<NamedShape>, Error> {
    config.check()?;
    Ok(named_shapes(&config.plan([1, config.inputs, 1, 1])))
}

fn named_shapes(plan: &Plan) -> Vec<NamedShape> {
    plan.parameters()
        .iter()
        .map(|p| (p.name.clone(), p.kind.shape()))
        .collect()
}

/// The operation of `x`; the plain sum, if there are several.
///
/// # Shapes
/// `x` is `[N, C, H, W]`, contiguous or not, f32 on the CPU like all tensors here; `parameters` those of
/// [`operation_parameters`]. The result is `[N, C, H, W]`, at stride 2 with half the height and width, rounded up.
///
/// # Errors
/// If there is no such operation, if a tensor does not fit it, or if threads cannot be started.
pub fn apply_operation(
    x: &Tensor,
    parameters: &[Tensor],
    config: &OperationConfig,
) -> Result<Tensor, Error> {
    let ones = Tensor::ones(config.operations.len(), DType::F32, &Device::Cpu)?;
    mixed_operation(x, parameters, &ones, config)
}

/// The weighted sum of the operations of `x`, with gradients in the op weights too.
///
/// # Shapes
/// As [`apply_operation`]; `op_weights` is `[operations]`.
///
/// # Errors
/// As [`apply_operation`].
pub fn mixed_operation(
    x: &Tensor,
    parameters: &[Tensor],
    op_weights: &Tensor,
    config: &OperationConfig,
) -> Result<Tensor, Error> {
    config.check()?;
    let name = config.name();
    let shape = check_source(name, x, config.channels)?;
    check_tensor(name, "op weights", op_weights, &[config.operations.len()])?;
    let plan = config.plan(shape);
    let packed = pack(name, &plan, parameters)?;
    let op = EngineOp::new(name, plan, config.level, config.threads)?;
    Ok(x.contiguous()?
        .apply_op3(&packed, &op_weights.contiguous()?, op)?)
}

/// ReLU-1x1-BN of `x`, or its factorised reduce.
///
/// # Shapes
/// `x` is `[N, inputs, H, W]`, contiguous or not, f32 on the CPU like all tensors here; `parameters` those of
/// [`cell_input_parameters`]. The result is `[N, outputs, H, W]`, reduced with half the height and width, rounded up.
///
/// # Errors
/// If there is no such input, if a tensor does not fit it, or if threads cannot be started.
pub fn cell_input(
    x: &Tensor,
    parameters: &[Tensor],
    config: &CellInputConfig,
) -> Result<Tensor, Error> {
    config.check()?;
    let plan = config.plan(check_source(CELL_INPUT, x, config.inputs)?);
    let packed = pack(CELL_INPUT, &plan, parameters)?;
    let op = EngineOp::new(CELL_INPUT, plan, config.level, config.threads)?;
    Ok(x.contiguous()?.apply_op3(&packed, &nothing()?, op)?)
}

//! What operations are given: checked once, at the door, and packed for candle.

use candle_core::{DType, Device, Tensor};

use crate::error::Error;
use crate::plan::Plan;

/// All parameters as one tensor, since an operation of ours can have three inputs in candle at most; candle's
/// `backward` unpacks their gradients.
pub(super) fn pack(
    name: &'static str,
    plan: &Plan,
    parameters: &[Tensor],
) -> Result<Tensor, Error> {
    let expected = plan.parameters();
    if parameters.len() != expected.len() {
        let names: Vec<&str> = expected.iter().map(|p| p.name.as_str()).collect();
        let what = format!("{} parameters {names:?}", expected.len());
        return Err(argument(name, what, parameters.len()));
    }
    let mut flat = Vec::new();
    for (expected, found) in expected.iter().zip(parameters) {
        check_tensor(name, &expected.name, found, &expected.kind.shape())?;
        flat.push(found.flatten_all()?);
    }
    if flat.is_empty() {
        nothing()
    } else {
        Ok(Tensor::cat(&flat, 0)?.contiguous()?)
    }
}

/// No values.
pub(super) fn nothing() -> Result<Tensor, Error> {
    Ok(Tensor::zeros(0, DType::F32, &Device::Cpu)?)
}

pub(crate) fn check_numbers(name: &'static str, numbers: &[(&str, usize)]) -> Result<(), Error> {
    match numbers.iter().find(|(_, number)| *number == 0) {
        Some((what, _)) => Err(argument(name, format!("1 or more {what}"), 0)),
        None => Ok(()),
    }
}

/// The source's `[N, C, H, W]`.
pub(super) fn check_source(
    name: &'static str,
    x: &Tensor,
    channels: usize,
) -> Result<[usize; 4], Error> {
    check_kind(name, "a source", x)?;
    match *x.dims() {
        [n, c, h, w] if c == channels && n * h * w > 0 => Ok([n, c, h, w]),
        _ => {
            let expected = format!("a source [N, {channels}, H, W] that is not empty");
            Err(argument(name, expected, format!("{:?}", x.dims())))
        }
    }
}

pub(super) fn check_tensor(
    name: &'static str,
    what: &str,
    tensor: &Tensor,
    shape: &[usize],
) -> Result<(), Error> {
    check_kind(name, what, tensor)?;
    if tensor.dims() == shape {
        return Ok(());
    }
    Err(argument(
        name,
        format!("{what} of shape {shape:?}"),
        format!("{:?}", tensor.dims()),
    ))
}

fn check_kind(name: &'static str, what: &str, tensor: &Tensor) -> Result<(), Error> {
    let (dtype, device) = (tensor.dtype(), tensor.device());
    if dtype == DType::F32 && device.is_cpu() {
        return Ok(());
    }
    let found = format!("{} on {:?}", dtype.as_str(), device.location());
    Err(argument(name, format!("{what} of f32 on the CPU"), found))
}

pub(super) fn argument(
    operation: &'static str,
    expected: impl ToString,
    found: impl ToString,
) -> Error {
    Error::Argument {
        operation,
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

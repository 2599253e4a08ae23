//! A case through the public functions: candle tensors in, candle's `backward`, gradients out.

use asap_kernels::reference::Tensor4;
use asap_kernels::{Level, cell_input, mixed_operation};
use candle_core::{Device, Tensor, Var};

use crate::case::{Case, Computed, Subject};

/// The case on some threads at some level.
pub(crate) fn computed(case: &Case, level: Level, threads: usize) -> Computed {
    let source = variable(&images(&case.source));
    let parameters: Vec<Var> = case
        .parameters
        .iter()
        .map(|(_, shape, values)| variable(&tensor(values, shape)))
        .collect();
    let op_weights = variable(&tensor(&case.op_weights, &[case.op_weights.len()]));
    let tensors: Vec<Tensor> = parameters.iter().map(|p| p.as_tensor().clone()).collect();
    let result = apply(
        &case.subject,
        &source,
        &tensors,
        &op_weights,
        level,
        threads,
    );
    let gradients = (&result * images(&case.gradient))
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    let of = |variable: &Var| match gradients.get(variable) {
        Some(gradient) => gradient.clone(),
        // A cell input has no op weights.
        None => {
            assert_eq!(variable.elem_count(), 0);
            variable.as_tensor().clone()
        }
    };
    let names = case.parameters.iter().map(|(name, ..)| name.clone());
    Computed {
        result: from_images(&result),
        source: from_images(&of(&source)),
        parameters: names
            .zip(parameters.iter().map(|p| values(&of(p))))
            .collect(),
        op_weights: values(&of(&op_weights)),
    }
}

/// The subject of a case on tensors.
pub(crate) fn apply(
    subject: &Subject,
    source: &Tensor,
    parameters: &[Tensor],
    op_weights: &Tensor,
    level: Level,
    threads: usize,
) -> Tensor {
    match subject.clone() {
        Subject::Operations(config) => {
            let config = asap_kernels::OperationConfig {
                level,
                threads,
                ..config
            };
            mixed_operation(source, parameters, op_weights, &config).unwrap()
        }
        Subject::CellInput(config) => {
            let config = asap_kernels::CellInputConfig {
                level,
                threads,
                ..config
            };
            cell_input(source, parameters, &config).unwrap()
        }
    }
}

fn variable(tensor: &Tensor) -> Var {
    Var::from_tensor(tensor).unwrap()
}

/// A tensor of f32.
pub(crate) fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// `[N, H, W, C]` as a contiguous tensor `[N, C, H, W]`.
pub(crate) fn images(images: &Tensor4) -> Tensor {
    let tensor = tensor(&images.values, &images.shape());
    tensor.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
}

/// The inverse of [`images`].
pub(crate) fn from_images(tensor: &Tensor) -> Tensor4 {
    let tensor = tensor.permute((0, 2, 3, 1)).unwrap();
    let (n, h, w, c) = tensor.dims4().unwrap();
    Tensor4::new([n, h, w, c], values(&tensor))
}

pub(crate) fn values(tensor: &Tensor) -> Vec<f64> {
    let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(f64::from).collect()
}

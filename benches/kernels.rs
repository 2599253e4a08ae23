//! Single operations, forward and backward in the input and every parameter, through candle as others call them.
//!
//! One thread, stride 1; `reduce` is the skip connection at stride 2.

use asap_benches::Numbers;
use asap_kernels::{
    CellInputConfig, CellOperation, OperationConfig, apply_operation, cell_input,
    cell_input_parameters, mixed_operation, operation_parameters,
};
use candle_core::{DType, Device, Tensor, Var};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;

const IMAGES: usize = 32;
/// Channels with height and width, as the three stages of a network have them.
const SHAPES: [(usize, usize); 3] = [(8, 28), (16, 16), (32, 8)];
const OPERATIONS: [CellOperation; 7] = [
    CellOperation::MaxPool,
    CellOperation::AveragePool,
    CellOperation::Skip,
    CellOperation::Separable { kernel: 3 },
    CellOperation::Separable { kernel: 5 },
    CellOperation::Dilated { kernel: 3 },
    CellOperation::Dilated { kernel: 5 },
];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    for (channels, size) in SHAPES {
        for operation in OPERATIONS {
            single(
                &mut criterion,
                &OperationConfig::new(operation, channels),
                size,
            );
        }
        let reduce = OperationConfig {
            stride: 2,
            ..OperationConfig::new(CellOperation::Skip, channels)
        };
        single(&mut criterion, &reduce, size);
        mixed(&mut criterion, channels, size);
        input(&mut criterion, channels, size);
    }
    criterion.final_summary();
}

/// An operation as in a network that is trained for use.
fn single(criterion: &mut Criterion, config: &OperationConfig, size: usize) {
    let x = variable(&[IMAGES, config.channels, size, size]);
    let shapes = operation_parameters(config).expect("a known operation");
    let parameters = parameters(shapes.iter().map(|(_, shape)| shape.as_slice()));
    let name = match config.stride {
        1 => config.operations[0].name(),
        _ => "reduce",
    };
    bench(criterion, name, &x, || {
        apply_operation(&x, &parameters, config).expect("tensors that fit")
    });
}

/// All operations of an edge, as in a supernet.
fn mixed(criterion: &mut Criterion, channels: usize, size: usize) {
    let config = OperationConfig::mixed(OPERATIONS.to_vec(), channels);
    let x = variable(&[IMAGES, channels, size, size]);
    let shapes = operation_parameters(&config).expect("known operations");
    let parameters = parameters(shapes.iter().map(|(_, shape)| shape.as_slice()));
    let op_weights = Var::ones(OPERATIONS.len(), DType::F32, &Device::Cpu).expect("memory");
    let op_weights = op_weights.into_inner();
    bench(criterion, "mixed_op", &x, || {
        mixed_operation(&x, &parameters, &op_weights, &config).expect("tensors that fit")
    });
}

/// What stands in front of a cell: from the four nodes of the cell before to one node's channels.
fn input(criterion: &mut Criterion, channels: usize, size: usize) {
    let config = CellInputConfig::new(4 * channels, channels);
    let x = variable(&[IMAGES, 4 * channels, size, size]);
    let shapes = cell_input_parameters(&config).expect("a known input");
    let parameters = parameters(shapes.iter().map(|(_, shape)| shape.as_slice()));
    bench(criterion, "cell_input", &x, || {
        cell_input(&x, &parameters, &config).expect("tensors that fit")
    });
}

fn bench(criterion: &mut Criterion, name: &str, x: &Tensor, forward: impl Fn() -> Tensor) {
    let shape: Vec<String> = x.dims().iter().map(usize::to_string).collect();
    let mut group = criterion.benchmark_group("kernels");
    group.throughput(Throughput::Elements(IMAGES as u64));
    group.bench_function(
        BenchmarkId::new(name, shape.join("x") + "_f32"),
        |bencher| {
            // The gradient of the result is 1 everywhere.
            bencher.iter(|| forward().backward().expect("a gradient"));
        },
    );
    group.finish();
}

fn parameters<'a>(shapes: impl Iterator<Item = &'a [usize]>) -> Vec<Tensor> {
    shapes.map(variable).collect()
}

/// A tensor that gradients are computed for.
fn variable(shape: &[usize]) -> Tensor {
    let values = Numbers::new(0).floats(shape.iter().product());
    let variable = Var::from_vec(values, shape, &Device::Cpu).expect("memory");
    variable.into_inner()
}

//! What does not fit is an error that says what was expected and what was found.

use asap_kernels::{
    CellInputConfig, CellOperation, OperationConfig, apply_operation, cell_input,
    cell_input_parameters, mixed_operation, operation_parameters,
};
use candle_core::{DType, Device, Tensor};

use crate::case::{DILATED_3, SEPARABLE_3};

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

fn dilated() -> OperationConfig {
    OperationConfig {
        affine: false,
        ..OperationConfig::new(DILATED_3, 4)
    }
}

fn dilated_parameters() -> Vec<Tensor> {
    vec![zeros(&[4, 1, 3, 3]), zeros(&[4, 4, 1, 1])]
}

fn message<T>(result: Result<T, asap_kernels::Error>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn parameters_have_the_names_and_shapes_of_pytorch() {
    let named = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec());
    let found = operation_parameters(&OperationConfig::new(SEPARABLE_3, 6)).unwrap();
    let expected = [
        named("sep_conv_3x3.depthwise1", &[6, 1, 3, 3]),
        named("sep_conv_3x3.pointwise1", &[6, 6, 1, 1]),
        named("sep_conv_3x3.norm1.scale", &[6]),
        named("sep_conv_3x3.norm1.shift", &[6]),
        named("sep_conv_3x3.depthwise2", &[6, 1, 3, 3]),
        named("sep_conv_3x3.pointwise2", &[6, 6, 1, 1]),
        named("sep_conv_3x3.norm2.scale", &[6]),
        named("sep_conv_3x3.norm2.shift", &[6]),
    ];
    assert_eq!(found, expected);
    let config = CellInputConfig {
        reduce: true,
        affine: false,
        ..CellInputConfig::new(5, 7)
    };
    let expected = [
        named("input.conv_a", &[3, 5, 1, 1]),
        named("input.conv_b", &[4, 5, 1, 1]),
    ];
    assert_eq!(cell_input_parameters(&config).unwrap(), expected);
    assert_eq!(
        operation_parameters(&OperationConfig::new(CellOperation::Skip, 6)).unwrap(),
        []
    );
}

#[test]
fn an_operation_that_does_not_exist_is_refused() {
    let cases = [
        (
            OperationConfig::new(CellOperation::Separable { kernel: 7 }, 4),
            "sep_conv_5x5: expected kernel 3 or 5, found 7",
        ),
        (
            OperationConfig {
                stride: 3,
                ..dilated()
            },
            "dil_conv_3x3: expected stride 1 or 2, found 3",
        ),
        (
            OperationConfig {
                threads: 0,
                ..dilated()
            },
            "dil_conv_3x3: expected 1 or more threads, found 0",
        ),
        (
            OperationConfig {
                channels: 0,
                ..dilated()
            },
            "dil_conv_3x3: expected 1 or more channels, found 0",
        ),
        (
            OperationConfig::mixed(vec![], 4),
            "mixed op: expected one operation or more, none twice, found []",
        ),
        (
            OperationConfig::mixed(vec![CellOperation::Skip; 2], 4),
            "mixed op: expected one operation or more, none twice, found [Skip, Skip]",
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(message(operation_parameters(&config)), expected);
        assert_eq!(
            message(apply_operation(&zeros(&[1, 4, 3, 3]), &[], &config)),
            expected
        );
    }
    let config = CellInputConfig::new(4, 0);
    let found = message(cell_input(&zeros(&[1, 4, 3, 3]), &[], &config));
    assert_eq!(
        found,
        "cell input: expected 1 or more output channels, found 0"
    );
}

#[test]
fn a_tensor_that_does_not_fit_is_refused() {
    let x = zeros(&[2, 4, 3, 3]);
    let half = x.to_dtype(DType::F64).unwrap();
    let flat = zeros(&[2, 4, 9]);
    let narrow = zeros(&[2, 3, 3, 3]);
    let empty = zeros(&[0, 4, 3, 3]);
    let source = "dil_conv_3x3: expected a source [N, 4, H, W] that is not empty, found";
    let cases = [
        (
            half,
            "dil_conv_3x3: expected a source of f32 on the CPU, found f64 on Cpu".to_owned(),
        ),
        (flat, format!("{source} [2, 4, 9]")),
        (narrow, format!("{source} [2, 3, 3, 3]")),
        (empty, format!("{source} [0, 4, 3, 3]")),
    ];
    for (x, expected) in cases {
        let found = message(apply_operation(&x, &dilated_parameters(), &dilated()));
        assert_eq!(found, expected);
    }

    let missing = &dilated_parameters()[..1];
    assert_eq!(
        message(apply_operation(&x, missing, &dilated())),
        "dil_conv_3x3: expected 2 parameters [\"dil_conv_3x3.depthwise\", \"dil_conv_3x3.pointwise\"], found 1"
    );
    let turned: Vec<Tensor> = dilated_parameters().into_iter().rev().collect();
    assert_eq!(
        message(apply_operation(&x, &turned, &dilated())),
        "dil_conv_3x3: expected dil_conv_3x3.depthwise of shape [4, 1, 3, 3], found [4, 4, 1, 1]"
    );
    assert_eq!(
        message(mixed_operation(
            &x,
            &dilated_parameters(),
            &zeros(&[2]),
            &dilated()
        )),
        "dil_conv_3x3: expected op weights of shape [1], found [2]"
    );
}

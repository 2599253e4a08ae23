//! The forms that are held to the plain one here: every precision of the chosen device.

use asap_kernels::device::{DeviceOperation, Operated, Precision};
use asap_kernels::reference::Tensor4;
use asap_kernels::{CellOperation, OperationConfig, operation_parameters};

use crate::case::{Case, Computed, Subject};
use crate::chosen;
use crate::compare::Form;

/// Precisions with the unit roundoff of the factors of their products.
const PRECISIONS: [(Precision, f64); 3] = [
    (Precision::F32, 0.0),
    (Precision::Tf32, 1.0 / 2048.0),
    (Precision::Bf16, 1.0 / 256.0),
];

/// All forms of a subject. Where nothing shifts what a ReLU inside reads, only f32: rounded further, some of it would fall on the
/// other side.
pub(crate) fn of(subject: &Subject) -> Vec<Form> {
    let has_kink = |operation: &CellOperation| matches!(operation, CellOperation::Separable { .. });
    let precisions = match subject {
        Subject::Operations(config) if !config.affine && config.operations.iter().any(has_kink) => {
            &PRECISIONS[..1]
        }
        _ => &PRECISIONS[..],
    };
    let form = |&(precision, rounding): &(Precision, f64)| Form {
        how: format!("a device in {}", precision.name()),
        rounding,
        computed: Box::new(move |case| computed(case, precision)),
    };
    precisions.iter().map(form).collect()
}

fn computed(case: &Case, precision: Precision) -> Computed {
    let single = |values: &[f64]| -> Vec<f32> { values.iter().map(|&v| v as f32).collect() };
    let double = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
    let [n, h, w, _] = case.source.shape();
    let device = chosen::device(7);
    let operation = match &case.subject {
        Subject::Operations(config) => DeviceOperation::new(device, config, [n, h, w], precision),
        Subject::CellInput(config) => {
            DeviceOperation::cell_input(device, config, [n, h, w], precision)
        }
    };
    let parameters: Vec<Vec<f32>> = case.parameters.iter().map(|p| single(&p.2)).collect();
    let slices: Vec<&[f32]> = parameters.iter().map(Vec::as_slice).collect();
    let [source, gradient] = [&case.source, &case.gradient].map(|t| single(&t.values));
    let Operated {
        result,
        source,
        parameters,
        op_weights,
    } = operation
        .unwrap()
        .run(&source, &slices, &single(&case.op_weights), &gradient)
        .unwrap();
    let names = case.parameters.iter().map(|(name, ..)| name.clone());
    let gradients = parameters.iter().map(|values| double(values));
    Computed {
        result: Tensor4::new(case.gradient.shape(), double(&result)),
        source: Tensor4::new(case.source.shape(), double(&source)),
        parameters: names.zip(gradients).collect(),
        op_weights,
    }
}

#[test]
fn what_does_not_fit_an_operation_is_refused() {
    let config = OperationConfig::new(CellOperation::Dilated { kernel: 3 }, 3);
    let none = OperationConfig {
        stride: 3,
        ..config.clone()
    };
    let device = chosen::device(1);
    assert!(DeviceOperation::new(device, &none, [2, 4, 5], Precision::F32).is_err());
    for empty in [[0, 4, 5], [2, 0, 5], [2, 4, 0]] {
        let device = chosen::device(1);
        let refused = DeviceOperation::new(device, &config, empty, Precision::F32).err();
        let message = refused.unwrap().to_string();
        assert!(message.contains("1 or more"), "{message}");
    }
    let device = chosen::device(1);
    let mut operation = DeviceOperation::new(device, &config, [2, 4, 5], Precision::F32).unwrap();
    let shapes = operation_parameters(&config).unwrap();
    let counts = shapes.iter().map(|(_, shape)| shape.iter().product());
    let parameters: Vec<Vec<f32>> = counts.map(|count| vec![1.0; count]).collect();
    let slices: Vec<&[f32]> = parameters.iter().map(Vec::as_slice).collect();
    let images = [0.5; 2 * 4 * 5 * 3];
    operation.run(&images, &slices, &[1.0], &images).unwrap();
    let short = &images[1..];
    for (source, parameters, op_weights, gradient) in [
        (short, &slices[..], &[1.0][..], &images[..]),
        (&images, &slices[1..], &[1.0], &images),
        (
            &images,
            &[&[1.0][..], slices[1], slices[2], slices[3]],
            &[1.0],
            &images,
        ),
        (&images, &slices, &[], &images),
        (&images, &slices, &[1.0], short),
    ] {
        let refused = operation.run(source, parameters, op_weights, gradient);
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("expected"), "{message}");
    }
}

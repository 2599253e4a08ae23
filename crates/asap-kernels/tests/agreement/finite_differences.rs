//! Gradients are slopes: of the plain form's values, which know nothing of any backward pass.

use asap_kernels::reference::Tensor4;
use asap_kernels::{Level, OperationConfig};

use crate::case::{Case, Computed, OPERATIONS, Subject};
use crate::random::Random;
use crate::{fast, plain};

/// `sum gradient * result` of the plain form.
fn loss(case: &Case) -> f64 {
    let result = plain::computed(case).computed.result;
    result
        .values
        .iter()
        .zip(&case.gradient.values)
        .map(|(y, g)| y * g)
        .sum()
}

/// The case `step` along a direction in one of its arrays: the source, a parameter, the op weights.
fn moved(case: &Case, array: usize, direction: &[f64], step: f64) -> Case {
    let mut case = case.clone();
    let last = case.parameters.len() + 1;
    let values = match array {
        0 => &mut case.source.values,
        i if i == last => &mut case.op_weights,
        i => &mut case.parameters[i - 1].2,
    };
    values
        .iter_mut()
        .zip(direction)
        .for_each(|(value, d)| *value += step * d);
    case
}

fn gradients(fast: &Computed) -> Vec<&[f64]> {
    let Tensor4 { values, .. } = &fast.source;
    let parameters = fast.parameters.iter().map(|(_, g)| g.as_slice());
    std::iter::once(values.as_slice())
        .chain(parameters)
        .chain([&fast.op_weights[..]])
        .collect()
}

#[test]
fn gradients_are_slopes() {
    let config = OperationConfig {
        stride: 2,
        affine: true,
        ..OperationConfig::mixed(OPERATIONS.into(), 5)
    };
    let case = Case::new(Subject::Operations(config), [3, 5, 7], 2);
    // Half a step to each side, so small that no kink lies in between, and f64 still has 9 digits of the difference.
    let step = 1e-6;
    for level in Level::available() {
        let fast = fast::computed(&case, level, 2);
        for (array, gradient) in gradients(&fast).into_iter().enumerate() {
            for seed in 0..3 {
                let direction = Random::new(seed).values(gradient.len(), 1.0);
                let ahead = loss(&moved(&case, array, &direction, step / 2.0));
                let behind = loss(&moved(&case, array, &direction, -step / 2.0));
                let slope = (ahead - behind) / step;
                let terms = gradient.iter().zip(&direction).map(|(g, d)| g * d);
                let size = terms.clone().map(|t| t * t).sum::<f64>().sqrt();
                let found: f64 = terms.sum();
                // The gradients' own errors, see `compare`, and 1e-9 of the loss over the step.
                let tolerance = 1e-4 * size + 1e-9 * loss(&case).abs();
                assert!(
                    (found - slope).abs() <= tolerance,
                    "array {array} at {level}: slope {slope}, gradient {found}, of size {size}"
                );
            }
        }
    }
}

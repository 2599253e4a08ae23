//! Where a derivative jumps the fast forms decide as the plain ones and PyTorch: the first of equal maxima takes the
//! gradient, and ReLU has derivative 0 at 0.

use asap_kernels::reference::Tensor4;
use asap_kernels::{CellInputConfig, CellOperation, OperationConfig};

use crate::case::{Case, DILATED_3, SEPARABLE_5, Subject};
use crate::compare::assert_agree;
use crate::random::Random;
use crate::{forms, plain};

/// A source of `-1, 0, 1`.
fn coarse(subject: Subject, images: [usize; 3]) -> Case {
    let case = Case::new(subject, images, 5);
    let mut random = Random::new(8);
    Case {
        source: case.source.map(|_| random.sign()),
        ..case
    }
}

#[test]
fn the_first_of_equal_maxima_takes_the_whole_gradient() {
    for stride in [1, 2] {
        for channels in [3, 16] {
            let config = OperationConfig {
                stride,
                ..OperationConfig::new(CellOperation::MaxPool, channels)
            };
            let case = coarse(Subject::Operations(config), [4, 5, 7]);
            // Whole numbers: sums of them are exact, so there is nothing to tolerate.
            let case = Case {
                gradient: case.gradient.map(|value| (value * 9.0).round()),
                op_weights: vec![1.0],
                ..case
            };
            let plain = plain::computed(&case).computed;
            for form in forms::of(&case.subject) {
                let computed = (form.computed)(&case);
                assert!(computed == plain, "{}, {}", form.how, case.title());
            }
        }
    }
}

#[test]
fn relu_passes_no_gradient_at_exact_zeros() {
    let operation = |operation| Subject::Operations(OperationConfig::new(operation, 12));
    let input = |reduce| {
        Subject::CellInput(CellInputConfig {
            reduce,
            ..CellInputConfig::new(12, 10)
        })
    };
    for subject in [operation(DILATED_3), input(false), input(true)] {
        let case = coarse(subject, [3, 5, 4]);
        assert!(case.source.values.contains(&0.0));
        let plain = plain::computed(&case);
        for form in forms::of(&case.subject) {
            let computed = (form.computed)(&case);
            assert_agree(&case, &plain, &computed, &form.how, form.rounding);
            for (x, gradient) in case.source.values.iter().zip(&computed.source.values) {
                assert!(*x > 0.0 || *gradient == 0.0);
            }
        }
    }
}

/// Of the ReLU in the middle of a separable convolution: a channel that nothing reaches is 0 everywhere, before and
/// after its normalisation.
#[test]
fn the_inner_relu_passes_no_gradient_at_exact_zeros() {
    let config = OperationConfig {
        affine: false,
        ..OperationConfig::new(SEPARABLE_5, 9)
    };
    let mut case = Case::new(Subject::Operations(config), [3, 6, 5], 1);
    let silent = 4;
    let kernel = case
        .parameters
        .iter_mut()
        .find(|(name, ..)| name.ends_with("pointwise1"));
    kernel.unwrap().2[9 * silent..][..9].fill(0.0);
    let plain = plain::computed(&case);
    for form in forms::of(&case.subject) {
        let computed = (form.computed)(&case);
        assert_agree(&case, &plain, &computed, &form.how, form.rounding);
        let of = |name: &str| {
            let found = computed
                .parameters
                .iter()
                .find(|(found, _)| found.ends_with(name));
            Tensor4::new(
                [9, 1, 1, found.unwrap().1.len() / 9],
                found.unwrap().1.clone(),
            )
        };
        for name in ["pointwise1", "depthwise2"] {
            let gradients = of(name);
            for i in 0..gradients.c {
                assert_eq!(gradients.at(silent, 0, 0, i), 0.0, "{name}");
            }
        }
    }
}

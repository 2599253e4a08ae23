//! Every operation and the mixed op of all, over channels, odd and oblong sizes, strides, affine and pool forms.

use asap_kernels::{CellOperation, OperationConfig};

use crate::case::{DILATED_3, DILATED_5, OPERATIONS, SEPARABLE_3, SEPARABLE_5, Subject};
use crate::compare::{assert_agree, clear_of_kinks};
use crate::forms;

/// Channels with images `[n, h, w]`: fewer images than threads, and numbers of images that no number of threads
/// divides; widths that end in every kind of block, and more rows than fit a chunk.
pub(crate) const SIZES: [(usize, [usize; 3]); 16] = [
    (1, [5, 2, 3]),
    (3, [4, 3, 2]),
    (7, [7, 5, 4]),
    (8, [1, 9, 13]),
    (8, [9, 1, 1]),
    (12, [2, 7, 17]),
    (16, [5, 1, 6]),
    (16, [2, 12, 11]),
    (17, [3, 8, 3]),
    (24, [4, 7, 7]),
    (40, [5, 6, 9]),
    (64, [2, 7, 11]),
    (64, [7, 3, 1]),
    (100, [3, 4, 5]),
    (256, [5, 2, 3]),
    (256, [2, 3, 9]),
];

/// Holds every form of a subject to its plain one.
pub(crate) fn assert_subject_agrees(subject: &Subject, images: [usize; 3]) {
    for forms in forms::of(subject).chunk_by(|a, b| a.rounding == b.rounding) {
        let rounding = forms[0].rounding;
        let (case, plain) = clear_of_kinks(subject, images, rounding);
        for form in forms {
            let computed = (form.computed)(&case);
            assert_agree(&case, &plain, &computed, &form.how, rounding);
        }
    }
}

fn assert_operations_agree(operations: &[CellOperation], affine: bool, normalise_pools: bool) {
    for stride in [1, 2] {
        for (channels, images) in SIZES {
            let operations = operations.to_vec();
            let config = OperationConfig {
                stride,
                affine,
                normalise_pools,
                ..OperationConfig::mixed(operations, channels)
            };
            assert_subject_agrees(&Subject::Operations(config), images);
        }
    }
}

#[test]
fn max_pool_agrees() {
    assert_operations_agree(&[CellOperation::MaxPool], false, false);
}

#[test]
fn normalised_max_pool_agrees() {
    assert_operations_agree(&[CellOperation::MaxPool], false, true);
}

#[test]
fn average_pool_agrees() {
    assert_operations_agree(&[CellOperation::AveragePool], false, false);
}

#[test]
fn normalised_average_pool_agrees() {
    assert_operations_agree(&[CellOperation::AveragePool], false, true);
}

#[test]
fn skip_connect_agrees() {
    assert_operations_agree(&[CellOperation::Skip], false, false);
    assert_operations_agree(&[CellOperation::Skip], true, false);
}

#[test]
fn separable_3x3_agrees() {
    assert_operations_agree(&[SEPARABLE_3], false, false);
}

#[test]
fn separable_3x3_with_affine_agrees() {
    assert_operations_agree(&[SEPARABLE_3], true, false);
}

#[test]
fn separable_5x5_agrees() {
    assert_operations_agree(&[SEPARABLE_5], false, false);
}

#[test]
fn separable_5x5_with_affine_agrees() {
    assert_operations_agree(&[SEPARABLE_5], true, false);
}

#[test]
fn dilated_3x3_agrees() {
    assert_operations_agree(&[DILATED_3], false, false);
    assert_operations_agree(&[DILATED_3], true, false);
}

#[test]
fn dilated_5x5_agrees() {
    assert_operations_agree(&[DILATED_5], false, false);
    assert_operations_agree(&[DILATED_5], true, false);
}

#[test]
fn mixed_op_of_all_operations_agrees_in_search_form() {
    assert_operations_agree(&OPERATIONS, false, true);
}

#[test]
fn mixed_op_of_all_operations_agrees_in_final_form() {
    assert_operations_agree(&OPERATIONS, true, false);
}

//! What stands in front of a cell, from any number of channels to any other.

use asap_kernels::CellInputConfig;

use crate::case::Subject;
use crate::operations::{SIZES, assert_subject_agrees};

fn assert_inputs_agree(reduce: bool) {
    for (i, (inputs, images)) in SIZES.into_iter().enumerate() {
        // Every number of channels meets two others, one near it and one far.
        for (outputs, affine) in [
            (SIZES[(i + 1) % 16].0, true),
            (SIZES[(i + 9) % 16].0, false),
        ] {
            let config = CellInputConfig {
                reduce,
                affine,
                ..CellInputConfig::new(inputs, outputs)
            };
            assert_subject_agrees(&Subject::CellInput(config), images);
        }
    }
}

#[test]
fn relu_pointwise_and_normalisation_agree() {
    assert_inputs_agree(false);
}

#[test]
fn factorised_reduce_agrees() {
    assert_inputs_agree(true);
}

//! How far the fast form may be from the plain one.
//!
//! The plain form computes in f64, the fast one in f32, where each rounding is wrong by up to `u = 2^-24` of its number
//! and by 0.4 u on average. The errors of a sum of `n` products are random and grow like `sqrt(n) u` times the root of
//! the sum of their squares (Higham and Mary 2019, theorem 2.4), and the longest sums here run over taps, over channels,
//! and over images and pixels. From the source to the farthest gradient at most eight such sums follow one another: two
//! products and a normalisation in each of two chains, there and back. If every one of them adds `sqrt(n) u`, that is
//! 2.5 times the average error eight times over, where random errors add up like `sqrt(8)`: seven standard deviations.
//!
//! A normalisation takes the variance as `mean(y^2) - mean(y)^2`, from sums of squares that are wrong by `sqrt(n) u`, and
//! so passes on half of `sqrt(n) u` times its condition, `mean(y^2)` over the variance (half, for the root). That is
//! about 1 after a convolution and some hundreds for the maxima of a tiny image, which are nearly all the same.
//!
//! A device rounds the factors of its pointwise products to fewer bits, and in bf16 what they put out: by up to `v` of each number,
//! 2^-11 in TF32 and 2^-8 in bf16. The errors of products are then in proportion to these and as random, and add up like them: a sum
//! is wrong by about `v` of itself, however long it is, in the place of `sqrt(n) u`. Mean and variance are those of the rounded numbers,
//! so that a normalisation only passes on the errors, in proportion to the deviation in the place of the numbers: times the root of its
//! condition. Pools and skips have no products and round nothing.
//!
//! What is held against this is the largest difference in a tensor, in proportion to its largest number, or to what its
//! sums are made of where those cancel.

use crate::case::{Case, Computed, Subject};
use crate::plain::{self, Plain};

/// A form that is held to the plain one.
pub(crate) struct Form {
    /// In messages.
    pub(crate) how: String,
    /// Unit roundoff of the factors of its pointwise products, 0 if they are f32.
    pub(crate) rounding: f64,
    pub(crate) computed: Box<dyn Fn(&Case) -> Computed>,
}

/// In proportion to the numbers of a tensor.
fn tolerance(case: &Case, plain: &Plain, rounding: f64) -> f64 {
    let products = match &case.subject {
        Subject::Operations(config) => 25 + config.channels,
        Subject::CellInput(config) => config.inputs,
    };
    let [n, h, w, _] = case.source.shape();
    let sums = (products.max(n * h * w) as f64).sqrt() * f64::powi(2.0, -24);
    let rounding = if case.subject.has_products() {
        rounding
    } else {
        0.0
    };
    let tolerance =
        (8.0 + plain.condition / 2.0) * sums + (8.0 + plain.condition.sqrt()) * rounding;
    assert!(
        tolerance < 0.15,
        "{tolerance} holds nothing to anything: {}",
        case.title()
    );
    tolerance
}

/// A case whose plain form is so far from the kinks of inner ReLUs that a form with such a `rounding` falls on the same side.
pub(crate) fn clear_of_kinks(
    subject: &Subject,
    images: [usize; 3],
    rounding: f64,
) -> (Case, Plain) {
    for seed in 0..50 {
        let mut case = Case::new(subject.clone(), images, seed);
        if rounding > 0.0 {
            case.shift_inner();
        }
        let plain = plain::computed(&case);
        if plain.margin > tolerance(&case, &plain, rounding) {
            return (case, plain);
        }
    }
    panic!("no seed keeps {subject:?} clear of kinks");
}

/// Holds all that a form computed to the plain one; `rounding` as [`Form`] has it.
pub(crate) fn assert_agree(case: &Case, plain: &Plain, fast: &Computed, how: &str, rounding: f64) {
    let (expected, tolerance) = (&plain.computed, tolerance(case, plain, rounding));
    let close = |what: &str, expected: &[f64], fast: &[f64], terms: f64| {
        assert_eq!(fast.len(), expected.len(), "{what}");
        let scale = expected.iter().map(|e| e.abs()).fold(terms, f64::max);
        for (i, (expected, fast)) in expected.iter().zip(fast).enumerate() {
            assert!(
                (fast - expected).abs() <= tolerance * scale,
                "{what}[{i}] by {how}: expected {expected}, found {fast}, numbers up to {scale}: {}",
                case.title()
            );
        }
    };
    assert_eq!(
        fast.result.shape(),
        expected.result.shape(),
        "{}",
        case.title()
    );
    close("result", &expected.result.values, &fast.result.values, 0.0);
    close(
        "gradient of the source",
        &expected.source.values,
        &fast.source.values,
        0.0,
    );
    let parameters = expected.parameters.iter().zip(&fast.parameters);
    for (((name, expected), (fast_name, fast)), terms) in parameters.zip(&plain.parameter_terms) {
        assert_eq!(name, fast_name);
        close(name, expected, fast, *terms);
    }
    close(
        "op weights",
        &expected.op_weights,
        &fast.op_weights,
        plain.op_weight_terms,
    );
}

//! How far tensors of a device are from those of the processor, and which is the farthest.

use asap_space::Precision;
use std::fmt;

/// How long the difference of a tensor may be, as a share of the tensor's own length.
///
/// Rounding moves a value over the kink of a ReLU or to another maximum of a pool now and then, and then a whole gradient comes
/// or goes. So gradients differ by far more than their factors were rounded by, the more the closer the layer is to the images,
/// and a single flip in f32 shows too. What is allowed was chosen after measuring, not derived: at least 1.25 times the most that the
/// networks of `asap bench agree` were off with the seeds 0, 1, 2 and 7, on kernels that the host runs and that round as tensor
/// cores do. A gradient that is missing is off by its own length; in bf16 little less than that is noticed.
///
/// | most found | f32 | tf32 | bf16 |
/// |---|---|---|---|
/// | forward | 5.2e-7 | 9.1e-4 | 7.8e-3 |
/// | gradients together | 3.9e-3 | 0.19 | 0.30 |
/// | one tensor's gradient | 0.024 | 0.24 | 0.75 |
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    /// Of what no kink doubles: loss, logits, running statistics.
    pub(super) forward: f64,
    /// Of many gradients as one.
    pub(super) together: f64,
    /// Of the gradient of one parameter.
    pub(super) each: f64,
}

impl Tolerance {
    pub(super) fn of(precision: Precision) -> Self {
        let (forward, together, each) = match precision {
            Precision::F32 => (1e-4, 0.03, 0.1),
            Precision::Tf32 => (3e-3, 0.3, 0.5),
            // Under 1, the length of what is missing.
            Precision::Bf16 => (2e-2, 0.6, 0.95),
        };
        Self {
            forward,
            together,
            each,
        }
    }
}

/// What is never held against a tensor that is zero but for rounding.
const ROUNDING: f64 = 1e-6;

/// The tensor that is the farthest off.
#[derive(Default)]
pub(super) struct Worst {
    what: String,
    tolerance: f64,
    /// Of what is allowed: over 1 is too much.
    share: f64,
}

impl Worst {
    /// Looks at a tensor.
    pub(super) fn look(&mut self, what: &str, found: &[f32], expected: &[f32], tolerance: f64) {
        let share = share(found, expected, tolerance);
        if share > self.share || self.what.is_empty() {
            *self = Self {
                what: what.to_owned(),
                tolerance,
                share,
            };
        }
    }

    pub(super) fn agrees(&self) -> bool {
        self.share <= 1.0
    }

    pub(super) fn is_worse_than(&self, other: &Self) -> bool {
        self.share > other.share
    }
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what, tolerance, ..
        } = self;
        let verdict = if self.agrees() { "agrees" } else { "differs" };
        let percent = 100.0 * self.share;
        write!(
            f,
            "{verdict}; the farthest is {what} with {percent:.1} % of the difference allowed, {tolerance} of its length"
        )
    }
}

/// The length of a difference as a share of the one allowed; infinite where something is no number or missing.
fn share(found: &[f32], expected: &[f32], tolerance: f64) -> f64 {
    let pairs = || found.iter().zip(expected);
    let numbers = pairs().all(|(f, e)| f.is_finite() && e.is_finite());
    if found.len() != expected.len() || !numbers {
        return f64::INFINITY;
    }
    let difference: f64 = pairs()
        .map(|(f, e)| (f64::from(*f) - f64::from(*e)).powi(2))
        .sum();
    let size: f64 = expected.iter().map(|e| f64::from(*e).powi(2)).sum();
    difference.sqrt() / (tolerance * size.sqrt() + ROUNDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_share_of_the_length_allowed() {
        let mut worst = Worst::default();
        worst.look("near", &[3.0, 4.25], &[3.0, 4.0], 0.1);
        assert!(worst.agrees());
        assert!((worst.share - 0.5).abs() < 1e-5, "{}", worst.share);
        worst.look("far", &[3.0, 2.0], &[3.0, 4.0], 0.1);
        worst.look("nearer again", &[3.0, 4.0], &[3.0, 4.0], 0.1);
        assert!(!worst.agrees());
        assert!((worst.share - 4.0).abs() < 1e-4, "{}", worst.share);
        assert!(worst.to_string().contains("differs; the farthest is far"));
    }

    #[test]
    fn a_gradient_that_is_missing_agrees_in_no_precision() {
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
            let mut worst = Worst::default();
            let tolerance = Tolerance::of(precision).each;
            worst.look("gradient", &[0.0, 0.0], &[0.3, -0.4], tolerance);
            assert!(!worst.agrees(), "{precision:?}");
        }
    }

    #[test]
    fn what_is_no_number_or_of_another_length_never_agrees() {
        for found in [&[f32::NAN, 1.0][..], &[1.0]] {
            let mut worst = Worst::default();
            worst.look("tensor", found, &[1.0, 1.0], 1e9);
            assert!(!worst.agrees());
        }
    }
}

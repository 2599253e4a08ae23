//! Whether a network knows when it is right: the expected calibration error.
//!
//! Images are put into bins of equal width by the probability of the answer; the error is the mean, over images, of the
//! difference between a bin's mean probability and its share of right answers (Guo et al., "On Calibration of Modern
//! Neural Networks", arXiv:1706.04599).

/// As in Guo et al.
const BINS: usize = 15;

/// Sums over the images of every bin.
#[derive(Clone, Debug, Default)]
pub(super) struct Calibration {
    bins: [Bin; BINS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    images: usize,
    correct: usize,
    confidence: f64,
}

impl Calibration {
    /// Counts an image whose answer has the probability `confidence`.
    pub(super) fn add(&mut self, confidence: f64, correct: bool) {
        // Bins are open below and closed above: a probability of exactly 1 belongs to the last.
        let above = (confidence * BINS as f64).ceil() as usize;
        let bin = &mut self.bins[above.clamp(1, BINS) - 1];
        bin.images += 1;
        bin.correct += usize::from(correct);
        bin.confidence += confidence;
    }

    /// The error, 0 to 1; 0 without images.
    pub(super) fn expected_error(&self) -> f64 {
        let images: usize = self.bins.iter().map(|bin| bin.images).sum();
        let difference = |bin: &Bin| (bin.correct as f64 - bin.confidence).abs();
        self.bins.iter().map(difference).sum::<f64>() / images.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(answers: &[(f64, bool)]) -> f64 {
        let mut calibration = Calibration::default();
        for &(confidence, correct) in answers {
            calibration.add(confidence, correct);
        }
        calibration.expected_error()
    }

    /// By hand: 0.95 and 0.97 share the last bin, |1 - 1.92| = 0.92; 0.61 and 0.65 share (9/15, 10/15],
    /// |2 - 1.26| = 0.74; 0.3 is alone, |0 - 0.3|. In all (0.92 + 0.74 + 0.3) / 5.
    #[test]
    fn the_error_has_the_value_computed_by_hand() {
        let answers = [
            (0.95, true),
            (0.97, false),
            (0.61, true),
            (0.65, true),
            (0.3, false),
        ];
        assert!((error(&answers) - 0.392).abs() < 1e-12);
    }

    #[test]
    fn errors_within_a_bin_cancel_and_across_bins_do_not() {
        assert!(error(&[(0.5, true), (0.5, false)]).abs() < 1e-12);
        assert!((error(&[(0.4, true), (0.6, false)]) - 0.6).abs() < 1e-12);
    }

    #[test]
    fn the_ends_of_the_scale_have_a_bin() {
        assert_eq!(error(&[(1.0, true)]), 0.0);
        assert_eq!(error(&[(0.0, false)]), 0.0);
        assert_eq!(error(&[]), 0.0);
    }
}

//! What a row of logits says: the answer, the place of a class, and probabilities, in f64 and without overflow.

/// Index of the largest value, the first one of equals.
pub(super) fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// How many classes come before `class` when the largest value is first and equals keep their order.
pub(super) fn rank(values: &[f32], class: usize) -> usize {
    let own = values[class];
    let before =
        |(index, value): &(usize, &f32)| **value > own || (**value == own && *index < class);
    values.iter().enumerate().filter(before).count()
}

/// `log(sum of exp(logits)) - logits[label]`.
pub(super) fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    log_sum_exp(logits) - f64::from(logits[label])
}

/// The probability of every class.
pub(super) fn softmax(logits: &[f32]) -> impl Iterator<Item = f64> {
    let all = log_sum_exp(logits);
    logits
        .iter()
        .map(move |&logit| (f64::from(logit) - all).exp())
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = f64::from(logits[argmax(logits)]);
    let sum: f64 = logits
        .iter()
        .map(|&logit| (f64::from(logit) - largest).exp())
        .sum();
    sum.ln() + largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_wins() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(argmax(&[0.0]), 0);
    }

    #[test]
    fn a_rank_counts_those_before_and_equals_in_their_order() {
        let values = [1.0, 3.0, 3.0, 2.0];
        assert_eq!([0, 1, 2, 3].map(|class| rank(&values, class)), [3, 0, 1, 2]);
    }

    /// From PyTorch 2.15: `cross_entropy(tensor([[1., 2., 3.]]), tensor([0]))`, and `softmax` of the same.
    #[test]
    fn cross_entropy_and_softmax_are_those_of_pytorch() {
        let logits = [1.0, 2.0, 3.0];
        assert!((cross_entropy(&logits, 0) - 2.407_605_964_444_38).abs() < 1e-12);
        let expected = [
            0.090_030_573_170_380_46,
            0.244_728_471_054_797_67,
            0.665_240_955_774_821_8,
        ];
        for (found, expected) in softmax(&logits).zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert!(cross_entropy(&[1e5, 0.0], 1).is_finite());
        assert!(softmax(&[1e5, 0.0]).eq([1.0, 0.0]));
    }
}

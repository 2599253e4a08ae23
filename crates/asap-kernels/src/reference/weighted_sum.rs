//! The value of a node: the sum of what arrives, each by its op weight.

use super::Tensor4;

/// `sum_k weight_k * input_k`.
///
/// # Panics
/// If there is no input, or if the shapes differ.
pub fn weighted_sum(inputs: &[&Tensor4], weights: &[f64]) -> Tensor4 {
    assert_eq!(inputs.len(), weights.len());
    let mut result = Tensor4::zeros(inputs[0].shape());
    for (input, weight) in inputs.iter().zip(weights) {
        result = result.plus(&input.map(|value| weight * value));
    }
    result
}

/// The gradients of the loss in every input and in every weight of [`weighted_sum`].
pub fn weighted_sum_backward(
    inputs: &[&Tensor4],
    weights: &[f64],
    gradient: &Tensor4,
) -> (Vec<Tensor4>, Vec<f64>) {
    let in_inputs = weights
        .iter()
        .map(|weight| gradient.map(|value| weight * value))
        .collect();
    let in_weights = inputs
        .iter()
        .map(|input| {
            input
                .values
                .iter()
                .zip(&gradient.values)
                .map(|(a, b)| a * b)
                .sum()
        })
        .collect();
    (in_inputs, in_weights)
}

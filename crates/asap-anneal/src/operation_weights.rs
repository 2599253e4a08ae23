//! Weights of the operations of one edge: the Gibbs-Boltzmann distribution
//! `phi_o = exp(alpha_o / T) / sum over o' alive of exp(alpha_o' / T)` (paper).

/// The weight `phi` of every operation alive on an edge: positive, and they add up to 1.
///
/// `alphas` holds one number per operation alive and must not be empty; `temperature` is above 0.
/// A weight may round to 0 where an alpha is hundreds of temperatures behind.
#[must_use]
pub fn operation_weights(alphas: &[f64], temperature: f64) -> Vec<f64> {
    // The largest exponent is 0, so nothing overflows and the sum is at least 1.
    let largest = alphas.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut weights: Vec<f64> = alphas
        .iter()
        .map(|alpha| ((alpha - largest) / temperature).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= sum;
    }
    weights
}

/// The gradient of the loss in the alphas, from its gradient in the operation weights:
/// `d alpha_o = phi_o / T * (d phi_o - sum over o' of phi_o' * d phi_o')`.
///
/// `weights` is what [`operation_weights`] returned at the same temperature.
#[must_use]
pub fn alpha_gradient(weights: &[f64], weight_gradient: &[f64], temperature: f64) -> Vec<f64> {
    let mean: f64 = weights
        .iter()
        .zip(weight_gradient)
        .map(|(phi, d)| phi * d)
        .sum();
    let through = weights.iter().zip(weight_gradient);
    through
        .map(|(phi, d)| phi / temperature * (d - mean))
        .collect()
}

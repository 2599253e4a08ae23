//! Pointwise (1 x 1) convolution: `out[.., o] = sum_i weight[o, i] * in[.., i]`.

use super::Tensor4;

/// The gradients of [`pointwise`].
#[derive(Clone, Debug)]
pub struct PointwiseGradients {
    /// In the input.
    pub input: Tensor4,
    /// In the weights, `[O, I, 1, 1]`.
    pub weights: Vec<f64>,
}

/// The 1 x 1 convolution of the input with weights `[O, I, 1, 1]`; their number says how many outputs.
pub fn pointwise(input: &Tensor4, weights: &[f64]) -> Tensor4 {
    assert!(weights.len().is_multiple_of(input.c));
    let outputs = weights.len() / input.c;
    Tensor4::from_fn(
        [input.n, input.h, input.w, outputs],
        |image, y, x, output| {
            (0..input.c)
                .map(|i| weights[output * input.c + i] * input.at(image, y, x, i))
                .sum()
        },
    )
}

/// The gradients of the loss in the input and the weights of [`pointwise`].
pub fn pointwise_backward(
    input: &Tensor4,
    weights: &[f64],
    gradient: &Tensor4,
) -> PointwiseGradients {
    let mut result = PointwiseGradients {
        input: Tensor4::zeros(input.shape()),
        weights: vec![0.0; weights.len()],
    };
    for (image, y, x, output) in gradient.positions() {
        let outgoing = gradient.at(image, y, x, output);
        for i in 0..input.c {
            let weight = output * input.c + i;
            *result.input.at_mut(image, y, x, i) += outgoing * weights[weight];
            result.weights[weight] += outgoing * input.at(image, y, x, i);
        }
    }
    result
}

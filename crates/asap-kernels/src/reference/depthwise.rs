//! Depthwise convolution: every channel with its own `k x k` weights.
//!
//! `out[n, y, x, c] = sum_t weight[c, t] * in[n, tap_t(y, x), c]` over the taps inside the image.

use super::{Tensor4, Window};

/// The gradients of [`depthwise`].
#[derive(Clone, Debug)]
pub struct DepthwiseGradients {
    /// In the input.
    pub input: Tensor4,
    /// In the weights, `[C, 1, k, k]`.
    pub weights: Vec<f64>,
}

/// The depthwise convolution of the input with weights `[C, 1, k, k]`.
pub fn depthwise(input: &Tensor4, weights: &[f64], window: Window) -> Tensor4 {
    assert_eq!(weights.len(), input.c * window.area());
    let (h, w) = (window.output_size(input.h), window.output_size(input.w));
    Tensor4::from_fn([input.n, h, w, input.c], |image, y, x, channel| {
        window
            .taps([y, x], [input.h, input.w])
            .map(|tap| {
                weights[channel * window.area() + tap.index]
                    * input.at(image, tap.y, tap.x, channel)
            })
            .sum()
    })
}

/// The gradients of the loss in the input and the weights of [`depthwise`].
pub fn depthwise_backward(
    input: &Tensor4,
    weights: &[f64],
    window: Window,
    gradient: &Tensor4,
) -> DepthwiseGradients {
    let mut result = DepthwiseGradients {
        input: Tensor4::zeros(input.shape()),
        weights: vec![0.0; weights.len()],
    };
    for (image, y, x, channel) in gradient.positions() {
        let outgoing = gradient.at(image, y, x, channel);
        for tap in window.taps([y, x], [input.h, input.w]) {
            let weight = channel * window.area() + tap.index;
            *result.input.at_mut(image, tap.y, tap.x, channel) += outgoing * weights[weight];
            result.weights[weight] += outgoing * input.at(image, tap.y, tap.x, channel);
        }
    }
    result
}

//! Factorised reduce: half the resolution by two pointwise convolutions of stride 2.
//!
//! ReLU; the first convolution reads the pixels at even rows and columns, the second those one row down
//! and one column right of them; their outputs side by side; batch norm. Where the size is odd the last
//! shifted pixel lies outside the image and reads as zero.

use super::{
    Affine, Tensor4, batch_norm, batch_norm_backward, pointwise, pointwise_backward, relu,
    relu_backward,
};

/// The weights of a factorised reduce to `C` channels.
#[derive(Clone, Copy, Debug)]
pub struct FactorisedReduce<'a> {
    /// Weights of the convolution of the even pixels, `[C/2, I, 1, 1]`.
    pub even: &'a [f64],
    /// Weights of the convolution of the shifted pixels, `[C - C/2, I, 1, 1]`.
    pub shifted: &'a [f64],
    /// What follows the normalisation.
    pub affine: Option<Affine<'a>>,
}

/// The gradients of [`factorised_reduce`].
#[derive(Clone, Debug)]
pub struct FactorisedReduceGradients {
    /// In the input.
    pub input: Tensor4,
    /// In the weights of the even pixels.
    pub even: Vec<f64>,
    /// In the weights of the shifted pixels.
    pub shifted: Vec<f64>,
    /// In the scale of the batch norm.
    pub scale: Vec<f64>,
    /// In the shift of the batch norm.
    pub shift: Vec<f64>,
}

/// The factorised reduce of the input, in training mode: `[N, ceil(H/2), ceil(W/2), C]`.
pub fn factorised_reduce(input: &Tensor4, weights: FactorisedReduce<'_>) -> Tensor4 {
    let positive = relu(input);
    let even = pointwise(&every_second(&positive, 0), weights.even);
    let shifted = pointwise(&every_second(&positive, 1), weights.shifted);
    batch_norm(&Tensor4::concat(&[&even, &shifted]), weights.affine)
}

/// The gradients of the loss in the input and every weight of [`factorised_reduce`].
pub fn factorised_reduce_backward(
    input: &Tensor4,
    weights: FactorisedReduce<'_>,
    gradient: &Tensor4,
) -> FactorisedReduceGradients {
    let positive = relu(input);
    let even_pixels = every_second(&positive, 0);
    let shifted_pixels = every_second(&positive, 1);
    let even = pointwise(&even_pixels, weights.even);
    let shifted = pointwise(&shifted_pixels, weights.shifted);

    let mixed = Tensor4::concat(&[&even, &shifted]);
    let norm = batch_norm_backward(&mixed, weights.affine, gradient);
    let even_gradient = norm.input.channels(0, even.c);
    let shifted_gradient = norm.input.channels(even.c, shifted.c);
    let even = pointwise_backward(&even_pixels, weights.even, &even_gradient);
    let shifted = pointwise_backward(&shifted_pixels, weights.shifted, &shifted_gradient);
    let positive_gradient = every_second_backward(input.shape(), 0, &even.input)
        .plus(&every_second_backward(input.shape(), 1, &shifted.input));
    FactorisedReduceGradients {
        input: relu_backward(input, &positive_gradient),
        even: even.weights,
        shifted: shifted.weights,
        scale: norm.scale,
        shift: norm.shift,
    }
}

/// The pixels at rows and columns `first`, `first + 2`, ... (`first` 0 or 1), zero outside the image.
pub fn every_second(input: &Tensor4, first: usize) -> Tensor4 {
    let half = [input.n, input.h.div_ceil(2), input.w.div_ceil(2), input.c];
    Tensor4::from_fn(half, |image, y, x, channel| {
        let (y, x) = (2 * y + first, 2 * x + first);
        if y < input.h && x < input.w {
            input.at(image, y, x, channel)
        } else {
            0.0
        }
    })
}

/// The gradient of the loss in an input of the given shape of [`every_second`].
pub fn every_second_backward(input: [usize; 4], first: usize, gradient: &Tensor4) -> Tensor4 {
    let mut result = Tensor4::zeros(input);
    for (image, y, x, channel) in gradient.positions() {
        let outgoing = gradient.at(image, y, x, channel);
        let (y, x) = (2 * y + first, 2 * x + first);
        if y < result.h && x < result.w {
            *result.at_mut(image, y, x, channel) += outgoing;
        }
    }
    result
}

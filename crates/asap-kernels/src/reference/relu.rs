//! `relu(x) = max(x, 0)`, with derivative 0 at 0 as in PyTorch.

use super::Tensor4;

/// The positive part of every value.
pub fn relu(input: &Tensor4) -> Tensor4 {
    input.map(|value| value.max(0.0))
}

/// The gradient of the loss in the input of [`relu`].
pub fn relu_backward(input: &Tensor4, gradient: &Tensor4) -> Tensor4 {
    Tensor4::from_fn(input.shape(), |image, y, x, channel| {
        if input.at(image, y, x, channel) > 0.0 {
            gradient.at(image, y, x, channel)
        } else {
            0.0
        }
    })
}

//! Drop-path: every image of a tensor times a number of its own.

use super::Tensor4;

/// Image `i` times `scales[i]`: 0 where the path is lost, over the probability to survive where it is not.
///
/// # Panics
/// If there is not one scale per image.
pub fn drop_path(input: &Tensor4, scales: &[f64]) -> Tensor4 {
    assert_eq!(scales.len(), input.n);
    Tensor4::from_fn(input.shape(), |image, y, x, channel| {
        input.at(image, y, x, channel) * scales[image]
    })
}

/// The gradient of the loss in the input of [`drop_path`].
pub fn drop_path_backward(scales: &[f64], gradient: &Tensor4) -> Tensor4 {
    drop_path(gradient, scales)
}

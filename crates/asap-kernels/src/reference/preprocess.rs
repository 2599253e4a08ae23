//! What a cell does to its inputs: ReLU, pointwise, batch norm.

use super::{
    Affine, Tensor4, batch_norm, batch_norm_backward, pointwise, pointwise_backward, relu,
    relu_backward,
};

/// The weights of a preprocess.
#[derive(Clone, Copy, Debug)]
pub struct Preprocess<'a> {
    /// Pointwise weights, `[O, I, 1, 1]`.
    pub pointwise: &'a [f64],
    /// What follows the normalisation.
    pub affine: Option<Affine<'a>>,
}

/// The gradients of [`preprocess`].
#[derive(Clone, Debug)]
pub struct PreprocessGradients {
    /// In the input.
    pub input: Tensor4,
    /// In the pointwise weights.
    pub pointwise: Vec<f64>,
    /// In the scale of the batch norm.
    pub scale: Vec<f64>,
    /// In the shift of the batch norm.
    pub shift: Vec<f64>,
}

/// ReLU, pointwise and batch norm of the input, in training mode.
pub fn preprocess(input: &Tensor4, weights: Preprocess<'_>) -> Tensor4 {
    batch_norm(&pointwise(&relu(input), weights.pointwise), weights.affine)
}

/// The gradients of the loss in the input and every weight of [`preprocess`].
pub fn preprocess_backward(
    input: &Tensor4,
    weights: Preprocess<'_>,
    gradient: &Tensor4,
) -> PreprocessGradients {
    let positive = relu(input);
    let mixed = pointwise(&positive, weights.pointwise);

    let norm = batch_norm_backward(&mixed, weights.affine, gradient);
    let mixing = pointwise_backward(&positive, weights.pointwise, &norm.input);
    PreprocessGradients {
        input: relu_backward(input, &mixing.input),
        pointwise: mixing.weights,
        scale: norm.scale,
        shift: norm.shift,
    }
}

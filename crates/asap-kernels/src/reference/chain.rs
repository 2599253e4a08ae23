//! The chain of `sep_conv` and `dil_conv`: ReLU, depthwise, pointwise, batch norm.
//!
//! A `dil_conv` is one chain with dilation 2; a `sep_conv` is two chains, the stride in the first.

use super::{
    Affine, Tensor4, Window, batch_norm, batch_norm_backward, depthwise, depthwise_backward,
    pointwise, pointwise_backward, relu, relu_backward,
};

/// The weights and the window of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    /// Depthwise weights, `[I, 1, k, k]`.
    pub depthwise: &'a [f64],
    /// Pointwise weights, `[O, I, 1, 1]`.
    pub pointwise: &'a [f64],
    /// Window of the depthwise convolution.
    pub window: Window,
    /// What follows the normalisation.
    pub affine: Option<Affine<'a>>,
}

/// The gradients of [`chain`].
#[derive(Clone, Debug)]
pub struct ChainGradients {
    /// In the input.
    pub input: Tensor4,
    /// In the depthwise weights.
    pub depthwise: Vec<f64>,
    /// In the pointwise weights.
    pub pointwise: Vec<f64>,
    /// In the scale of the batch norm.
    pub scale: Vec<f64>,
    /// In the shift of the batch norm.
    pub shift: Vec<f64>,
}

/// ReLU, depthwise, pointwise and batch norm of the input, in training mode.
pub fn chain(input: &Tensor4, chain: Chain<'_>) -> Tensor4 {
    let filtered = depthwise(&relu(input), chain.depthwise, chain.window);
    batch_norm(&pointwise(&filtered, chain.pointwise), chain.affine)
}

/// The gradients of the loss in the input and every weight of [`chain`].
pub fn chain_backward(input: &Tensor4, chain: Chain<'_>, gradient: &Tensor4) -> ChainGradients {
    let positive = relu(input);
    let filtered = depthwise(&positive, chain.depthwise, chain.window);
    let mixed = pointwise(&filtered, chain.pointwise);

    let norm = batch_norm_backward(&mixed, chain.affine, gradient);
    let mixing = pointwise_backward(&filtered, chain.pointwise, &norm.input);
    let filtering = depthwise_backward(&positive, chain.depthwise, chain.window, &mixing.input);
    ChainGradients {
        input: relu_backward(input, &filtering.input),
        depthwise: filtering.weights,
        pointwise: mixing.weights,
        scale: norm.scale,
        shift: norm.shift,
    }
}

//! The plain reference form of every kernel: loops over `f64`, slow and obviously right.
//!
//! Nothing here is fast or shared with the fast kernels, on purpose: tests hold the two together,
//! values and gradients, and golden values from PyTorch hold this module itself
//! (`tests/reference_golden.rs`).
//!
//! Every function `f` that has a gradient comes with `f_backward`, which takes the inputs of `f` and
//! the gradient of the loss in its output, and hands back the gradient of the loss in each input.
//!
//! # Shapes
//! Images are `[N, H, W, C]` ([`Tensor4`]). Weights are flat, in PyTorch's order: depthwise
//! `[C, 1, k, k]`, pointwise `[O, I, 1, 1]`, dense `[O, I, k, k]`, linear `[O, I]`.
//!
//! # Panics
//! Functions panic when shapes do not fit: a wrong shape is a bug in the caller.

mod average_pool;
mod batch_norm;
mod chain;
mod dense;
mod depthwise;
mod drop_path;
mod factorised_reduce;
mod head;
mod max_pool;
mod pointwise;
mod preprocess;
mod relu;
mod tensor;
mod unpadded_pool;
mod weighted_sum;
mod window;

pub use average_pool::{average_pool, average_pool_backward};
pub use batch_norm::{
    Affine, BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, BatchNormGradients, Statistics, batch_norm,
    batch_norm_backward, normalise, statistics, update_running,
};
pub use chain::{Chain, ChainGradients, chain, chain_backward};
pub use dense::{DenseGradients, dense, dense_backward};
pub use depthwise::{DepthwiseGradients, depthwise, depthwise_backward};
pub use drop_path::{drop_path, drop_path_backward};
pub use factorised_reduce::{
    FactorisedReduce, FactorisedReduceGradients, every_second, every_second_backward,
    factorised_reduce, factorised_reduce_backward,
};
pub use head::{
    CrossEntropy, LinearGradients, cross_entropy, global_average_pool,
    global_average_pool_backward, linear, linear_backward, smoothed_cross_entropy,
};
pub use max_pool::{max_pool, max_pool_backward};
pub use pointwise::{PointwiseGradients, pointwise, pointwise_backward};
pub use preprocess::{Preprocess, PreprocessGradients, preprocess, preprocess_backward};
pub use relu::{relu, relu_backward};
pub use tensor::Tensor4;
pub use unpadded_pool::{unpadded_average_pool, unpadded_average_pool_backward};
pub use weighted_sum::{weighted_sum, weighted_sum_backward};
pub use window::{Tap, Window};

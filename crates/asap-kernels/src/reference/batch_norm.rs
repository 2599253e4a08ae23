//! Batch normalisation over images and pixels, channel by channel.
//!
//! `out = (in - mean) / sqrt(variance + eps) * scale + shift`. In training mode mean and (biased)
//! variance are those of the batch; in evaluation they are the running ones, which move by
//! `momentum` toward the batch's mean and unbiased variance. eps 1e-5, momentum 0.1: PyTorch's defaults.

use super::Tensor4;

/// Added to the variance under the root.
pub const BATCH_NORM_EPSILON: f64 = 1e-5;
/// Share of the batch in the running statistics.
pub const BATCH_NORM_MOMENTUM: f64 = 0.1;

/// Mean and variance of every channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Mean of every channel.
    pub mean: Vec<f64>,
    /// Variance of every channel: biased for a batch, unbiased when running.
    pub variance: Vec<f64>,
}

impl Statistics {
    /// Running statistics before the first batch: mean 0, variance 1.
    pub fn initial(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            variance: vec![1.0; channels],
        }
    }
}

/// What follows the normalisation: `scale * normalised + shift`.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// One factor per channel.
    pub scale: &'a [f64],
    /// One summand per channel.
    pub shift: &'a [f64],
}

/// The gradients of [`batch_norm`]. Those of scale and shift stand here without an affine too: there they
/// are the gradients at scale 1 and shift 0.
#[derive(Clone, Debug)]
pub struct BatchNormGradients {
    /// In the input.
    pub input: Tensor4,
    /// In the scale of every channel.
    pub scale: Vec<f64>,
    /// In the shift of every channel.
    pub shift: Vec<f64>,
}

/// Mean and biased variance of every channel over images and pixels.
pub fn statistics(input: &Tensor4) -> Statistics {
    let rows = (input.n * input.h * input.w) as f64;
    let mut mean = vec![0.0; input.c];
    for (image, y, x, channel) in input.positions() {
        mean[channel] += input.at(image, y, x, channel) / rows;
    }
    let mut variance = vec![0.0; input.c];
    for (image, y, x, channel) in input.positions() {
        variance[channel] += (input.at(image, y, x, channel) - mean[channel]).powi(2) / rows;
    }
    Statistics { mean, variance }
}

/// The input normalised by the given statistics: evaluation mode with the running ones.
pub fn normalise(input: &Tensor4, by: &Statistics, affine: Option<Affine<'_>>) -> Tensor4 {
    Tensor4::from_fn(input.shape(), |image, y, x, channel| {
        let deviation = (by.variance[channel] + BATCH_NORM_EPSILON).sqrt();
        let normalised = (input.at(image, y, x, channel) - by.mean[channel]) / deviation;
        match affine {
            Some(affine) => affine.scale[channel] * normalised + affine.shift[channel],
            None => normalised,
        }
    })
}

/// The input normalised by the statistics of the batch: training mode.
pub fn batch_norm(input: &Tensor4, affine: Option<Affine<'_>>) -> Tensor4 {
    normalise(input, &statistics(input), affine)
}

/// The gradients of the loss in the input, the scale and the shift of [`batch_norm`].
///
/// With `z` the normalised input and `g` the gradient times the scale,
/// `d in = (g - mean(g) - z * mean(g * z)) / sqrt(variance + eps)`, means over the batch.
pub fn batch_norm_backward(
    input: &Tensor4,
    affine: Option<Affine<'_>>,
    gradient: &Tensor4,
) -> BatchNormGradients {
    let rows = (input.n * input.h * input.w) as f64;
    let batch = statistics(input);
    let normalised = normalise(input, &batch, None);
    let mut scale = vec![0.0; input.c];
    let mut shift = vec![0.0; input.c];
    for (image, y, x, channel) in gradient.positions() {
        let outgoing = gradient.at(image, y, x, channel);
        scale[channel] += outgoing * normalised.at(image, y, x, channel);
        shift[channel] += outgoing;
    }
    let input = Tensor4::from_fn(input.shape(), |image, y, x, channel| {
        let factor = affine.map_or(1.0, |affine| affine.scale[channel]);
        let centred = gradient.at(image, y, x, channel)
            - shift[channel] / rows
            - normalised.at(image, y, x, channel) * scale[channel] / rows;
        factor * centred / (batch.variance[channel] + BATCH_NORM_EPSILON).sqrt()
    });
    BatchNormGradients {
        input,
        scale,
        shift,
    }
}

/// Moves the running statistics toward those of a batch of `rows` values per channel.
///
/// # Panics
/// If `rows` is less than 2: one value has no unbiased variance.
pub fn update_running(running: &mut Statistics, batch: &Statistics, rows: usize) {
    assert!(
        rows >= 2,
        "an unbiased variance needs two values or more, found {rows}"
    );
    let unbiased = rows as f64 / (rows - 1) as f64;
    for (running, batch) in running.mean.iter_mut().zip(&batch.mean) {
        *running += BATCH_NORM_MOMENTUM * (batch - *running);
    }
    for (running, batch) in running.variance.iter_mut().zip(&batch.variance) {
        *running += BATCH_NORM_MOMENTUM * (batch * unbiased - *running);
    }
}

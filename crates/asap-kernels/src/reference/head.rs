//! The head of a network: global average pool, linear classifier, mean cross-entropy.
//!
//! Features and logits are tensors of one pixel: `[N, 1, 1, C]`.

use super::{PointwiseGradients, Tensor4, pointwise, pointwise_backward};

/// The gradients of [`linear`].
#[derive(Clone, Debug)]
pub struct LinearGradients {
    /// In the features.
    pub input: Tensor4,
    /// In the weights, `[O, I]`.
    pub weights: Vec<f64>,
    /// In the bias, `[O]`.
    pub bias: Vec<f64>,
}

/// Mean cross-entropy of a batch and its gradient.
#[derive(Clone, Debug)]
pub struct CrossEntropy {
    /// `mean_n -log softmax(logits_n)[label_n]`, with smoothed labels the mean over those.
    pub loss: f64,
    /// The gradient of the loss in the logits.
    pub gradient: Tensor4,
}

/// The mean of every channel of every image: `[N, 1, 1, C]`.
pub fn global_average_pool(input: &Tensor4) -> Tensor4 {
    let pixels = (input.h * input.w) as f64;
    let mut result = Tensor4::zeros([input.n, 1, 1, input.c]);
    for (image, y, x, channel) in input.positions() {
        *result.at_mut(image, 0, 0, channel) += input.at(image, y, x, channel) / pixels;
    }
    result
}

/// The gradient of the loss in an input of the given shape of [`global_average_pool`].
pub fn global_average_pool_backward(input: [usize; 4], gradient: &Tensor4) -> Tensor4 {
    let pixels = (input[1] * input[2]) as f64;
    Tensor4::from_fn(input, |image, _, _, channel| {
        gradient.at(image, 0, 0, channel) / pixels
    })
}

/// `weights * features + bias`: weights `[O, I]`, bias `[O]`.
pub fn linear(input: &Tensor4, weights: &[f64], bias: &[f64]) -> Tensor4 {
    let product = pointwise(input, weights);
    Tensor4::from_fn(product.shape(), |image, y, x, output| {
        product.at(image, y, x, output) + bias[output]
    })
}

/// The gradients of the loss in the features, the weights and the bias of [`linear`].
pub fn linear_backward(input: &Tensor4, weights: &[f64], gradient: &Tensor4) -> LinearGradients {
    let PointwiseGradients { input, weights } = pointwise_backward(input, weights, gradient);
    let mut bias = vec![0.0; gradient.c];
    for (image, y, x, output) in gradient.positions() {
        bias[output] += gradient.at(image, y, x, output);
    }
    LinearGradients {
        input,
        weights,
        bias,
    }
}

/// The mean cross-entropy of logits `[N, 1, 1, classes]` under one label per image.
pub fn cross_entropy(logits: &Tensor4, labels: &[u32]) -> CrossEntropy {
    smoothed_cross_entropy(logits, labels, 0.0)
}

/// [`cross_entropy`] with the share `smoothing` of every label spread evenly over all classes.
pub fn smoothed_cross_entropy(logits: &Tensor4, labels: &[u32], smoothing: f64) -> CrossEntropy {
    assert_eq!(labels.len(), logits.n);
    let images = logits.n as f64;
    let mut loss = 0.0;
    let mut gradient = Tensor4::zeros(logits.shape());
    for (image, &label) in labels.iter().enumerate() {
        let row = |class| logits.at(image, 0, 0, class);
        let largest = (0..logits.c).map(row).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = (0..logits.c)
            .map(|class| (row(class) - largest).exp())
            .sum();
        for class in 0..logits.c {
            let probability = (row(class) - largest).exp() / total;
            let certain = if class == label as usize { 1.0 } else { 0.0 };
            let target = (1.0 - smoothing) * certain + smoothing / logits.c as f64;
            loss += target * (largest + total.ln() - row(class)) / images;
            *gradient.at_mut(image, 0, 0, class) = (probability - target) / images;
        }
    }
    CrossEntropy { loss, gradient }
}

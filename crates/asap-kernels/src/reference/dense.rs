//! Dense convolution, of stems and the auxiliary head: `out[n, y, x, o] = sum_{i, t} weight[o, i, t] * in[n, tap_t(y, x), i]`.

use super::{Tensor4, Window};

/// The gradients of [`dense`].
#[derive(Clone, Debug)]
pub struct DenseGradients {
    /// In the input.
    pub input: Tensor4,
    /// In the weights, `[O, I, k, k]`.
    pub weights: Vec<f64>,
}

/// The convolution of the input with weights `[O, I, k, k]`; their number says how many outputs.
pub fn dense(input: &Tensor4, weights: &[f64], window: Window) -> Tensor4 {
    let inputs = input.c * window.area();
    assert!(weights.len().is_multiple_of(inputs));
    let (h, w) = (window.output_size(input.h), window.output_size(input.w));
    Tensor4::from_fn(
        [input.n, h, w, weights.len() / inputs],
        |image, y, x, output| {
            let mut sum = 0.0;
            for tap in window.taps([y, x], [input.h, input.w]) {
                for i in 0..input.c {
                    sum += weights[output * inputs + i * window.area() + tap.index]
                        * input.at(image, tap.y, tap.x, i);
                }
            }
            sum
        },
    )
}

/// The gradients of the loss in the input and the weights of [`dense`].
pub fn dense_backward(
    input: &Tensor4,
    weights: &[f64],
    window: Window,
    gradient: &Tensor4,
) -> DenseGradients {
    let inputs = input.c * window.area();
    let mut result = DenseGradients {
        input: Tensor4::zeros(input.shape()),
        weights: vec![0.0; weights.len()],
    };
    for (image, y, x, output) in gradient.positions() {
        let outgoing = gradient.at(image, y, x, output);
        for tap in window.taps([y, x], [input.h, input.w]) {
            for i in 0..input.c {
                let weight = output * inputs + i * window.area() + tap.index;
                *result.input.at_mut(image, tap.y, tap.x, i) += outgoing * weights[weight];
                result.weights[weight] += outgoing * input.at(image, tap.y, tap.x, i);
            }
        }
    }
    result
}

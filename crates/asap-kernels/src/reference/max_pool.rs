//! 3 x 3 max pool, padding 1. The padding never wins.
//!
//! Of equal values the first one wins, row by row, and takes the whole gradient: PyTorch's rule on the
//! CPU in both memory formats (tried with 2.15.0, and held by golden values full of ties).

use super::{Tap, Tensor4, Window};

/// The largest of the 3 x 3 values around every output pixel.
pub fn max_pool(input: &Tensor4, stride: usize) -> Tensor4 {
    let window = window(stride);
    let (h, w) = (window.output_size(input.h), window.output_size(input.w));
    Tensor4::from_fn([input.n, h, w, input.c], |image, y, x, channel| {
        let winner = winner(input, window, [image, y, x, channel]);
        input.at(image, winner.y, winner.x, channel)
    })
}

/// The gradient of the loss in the input of [`max_pool`].
pub fn max_pool_backward(input: &Tensor4, stride: usize, gradient: &Tensor4) -> Tensor4 {
    let mut result = Tensor4::zeros(input.shape());
    for (image, y, x, channel) in gradient.positions() {
        let winner = winner(input, window(stride), [image, y, x, channel]);
        *result.at_mut(image, winner.y, winner.x, channel) += gradient.at(image, y, x, channel);
    }
    result
}

fn window(stride: usize) -> Window {
    Window {
        kernel: 3,
        stride,
        dilation: 1,
    }
}

fn winner(input: &Tensor4, window: Window, [image, y, x, channel]: [usize; 4]) -> Tap {
    let mut taps = window.taps([y, x], [input.h, input.w]);
    let first = taps
        .next()
        .expect("the centre of a window lies inside the image");
    taps.fold(first, |best, tap| {
        let larger =
            input.at(image, tap.y, tap.x, channel) > input.at(image, best.y, best.x, channel);
        if larger { tap } else { best }
    })
}

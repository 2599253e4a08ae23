//! 3 x 3 average pool, padding 1, that does not count the padding.

use super::{Tensor4, Window};

/// The mean of those of the 3 x 3 values around every output pixel that lie inside the image.
pub fn average_pool(input: &Tensor4, stride: usize) -> Tensor4 {
    let window = window(stride);
    let (h, w) = (window.output_size(input.h), window.output_size(input.w));
    Tensor4::from_fn([input.n, h, w, input.c], |image, y, x, channel| {
        let inside = window.taps([y, x], [input.h, input.w]).count() as f64;
        window
            .taps([y, x], [input.h, input.w])
            .map(|tap| input.at(image, tap.y, tap.x, channel) / inside)
            .sum()
    })
}

/// The gradient of the loss in an input of the given shape of [`average_pool`].
pub fn average_pool_backward(input: [usize; 4], stride: usize, gradient: &Tensor4) -> Tensor4 {
    let window = window(stride);
    let mut result = Tensor4::zeros(input);
    let size = [result.h, result.w];
    for (image, y, x, channel) in gradient.positions() {
        let inside = window.taps([y, x], size).count() as f64;
        for tap in window.taps([y, x], size) {
            *result.at_mut(image, tap.y, tap.x, channel) +=
                gradient.at(image, y, x, channel) / inside;
        }
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

//! 5 x 5 average pool without padding, the auxiliary head's.

use super::Tensor4;

/// Width and height of the window.
const SIDE: usize = 5;

/// The mean of the 5 x 5 values from every `stride`-th on, wherever as many lie inside the image.
///
/// # Panics
/// If the image has less than 5 rows or columns.
pub fn unpadded_average_pool(input: &Tensor4, stride: usize) -> Tensor4 {
    let size = |size: usize| (size - SIDE) / stride + 1;
    let shape = [input.n, size(input.h), size(input.w), input.c];
    Tensor4::from_fn(shape, |image, y, x, channel| {
        taps([y, x], stride)
            .map(|[y, x]| input.at(image, y, x, channel) / (SIDE * SIDE) as f64)
            .sum()
    })
}

/// The gradient of the loss in an input of the given shape of [`unpadded_average_pool`].
pub fn unpadded_average_pool_backward(
    input: [usize; 4],
    stride: usize,
    gradient: &Tensor4,
) -> Tensor4 {
    let mut result = Tensor4::zeros(input);
    for (image, y, x, channel) in gradient.positions() {
        let share = gradient.at(image, y, x, channel) / (SIDE * SIDE) as f64;
        for [y, x] in taps([y, x], stride) {
            *result.at_mut(image, y, x, channel) += share;
        }
    }
    result
}

fn taps([y, x]: [usize; 2], stride: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..SIDE * SIDE).map(move |tap| [y * stride + tap / SIDE, x * stride + tap % SIDE])
}

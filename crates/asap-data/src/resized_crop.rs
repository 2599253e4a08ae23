//! A random part of an image, resized to the size of all: what networks for ImageNet train on.
//!
//! As torchvision's `RandomResizedCrop`: a share of the area up to all of it, and a ratio of width to height
//! from 3:4 to 4:3, drawn on a logarithmic scale, at most ten times until it fits; then the largest part in the middle
//! with a ratio in that range.

use crate::pictures::Picture;
use crate::random::Random;
use crate::resize::{Window, resize_linear};

const LEAST_RATIO: f64 = 3.0 / 4.0;
const MOST_RATIO: f64 = 4.0 / 3.0;
const ATTEMPTS: usize = 10;

/// A random part of `picture` with at least `least_share` of its area, in the height and width of `sides`.
pub(crate) fn resized_crop(
    picture: &Picture,
    least_share: f64,
    random: &mut Random,
    sides: (usize, usize),
) -> Vec<u8> {
    let window = draw(picture.height, picture.width, least_share, random);
    resize_linear(picture, window, sides)
}

fn draw(height: usize, width: usize, least_share: f64, random: &mut Random) -> Window {
    let area = (height * width) as f64;
    let mut between = |from: f64, to: f64| from + (to - from) * random.share();
    for _ in 0..ATTEMPTS {
        let part = area * between(least_share, 1.0);
        let ratio = between(LEAST_RATIO.ln(), MOST_RATIO.ln()).exp();
        let wide = (part * ratio).sqrt().round_ties_even();
        let high = (part / ratio).sqrt().round_ties_even();
        if (1.0..=width as f64).contains(&wide) && (1.0..=height as f64).contains(&high) {
            return Window {
                top: between(0.0, height as f64 - high + 1.0).floor(),
                left: between(0.0, width as f64 - wide + 1.0).floor(),
                height: high,
                width: wide,
            };
        }
    }
    middle(height as f64, width as f64)
}

fn middle(height: f64, width: f64) -> Window {
    let ratio = width / height;
    let (high, wide) = if ratio < LEAST_RATIO {
        ((width / LEAST_RATIO).round_ties_even(), width)
    } else if ratio > MOST_RATIO {
        (height, (height * MOST_RATIO).round_ties_even())
    } else {
        (height, width)
    };
    Window {
        top: ((height - high) / 2.0).floor(),
        left: ((width - wide) / 2.0).floor(),
        height: high,
        width: wide,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::golden::{close, golden, lines};
    use crate::random::Purpose;
    use crate::resize::Form;

    #[test]
    fn a_part_is_resized_as_torchvision_resizes_it() {
        for (parameters, expected) in lines("resized_crop") {
            let number: Vec<f64> = parameters.iter().map(|p| p.parse().unwrap()).collect();
            let window = Window {
                top: number[0],
                left: number[1],
                height: number[2],
                width: number[3],
            };
            let side = number[4] as usize;
            let bytes = resize_linear(&golden("input"), window, (side, side));
            close(&bytes, &expected, 1, &format!("{parameters:?}"));
        }
    }

    #[test]
    fn the_middle_for_evaluation_is_that_of_torchvision() {
        for (parameters, expected) in lines("centre_crop") {
            let number: Vec<usize> = parameters.iter().map(|p| p.parse().unwrap()).collect();
            let form = Form {
                sides: (number[1], number[1]),
                channels: 3,
                resize_to: Some(number[0]),
            };
            let bytes = form.fit(golden("input"));
            close(&bytes, &expected, 1, &format!("{parameters:?}"));
        }
    }

    #[test]
    fn parts_lie_in_the_image_and_have_the_share_asked_for() {
        let mut shares = Vec::new();
        for place in 0..500 {
            let mut random = Random::new(2, Purpose::ResizedCrop, [0, place]);
            let window = draw(50, 70, 0.08, &mut random);
            assert!(window.top >= 0.0 && window.top + window.height <= 50.0);
            assert!(window.left >= 0.0 && window.left + window.width <= 70.0);
            let ratio = window.width / window.height;
            assert!((0.6..1.6).contains(&ratio), "{window:?}");
            shares.push(window.height * window.width / 3500.0);
        }
        let mean = shares.iter().sum::<f64>() / 500.0;
        assert!(shares.iter().all(|share| (0.07..=1.0).contains(share)));
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }

    #[test]
    fn an_image_too_narrow_for_any_part_is_cut_in_the_middle() {
        let mut random = Random::new(2, Purpose::ResizedCrop, [0, 0]);
        let expected = Window {
            top: 0.0,
            left: 48.0,
            height: 3.0,
            width: 4.0,
        };
        assert_eq!(draw(3, 100, 0.9, &mut random), expected);
    }
}

//! AutoAugment with the policy found for CIFAR-10: two changes of an image, drawn from 25 pairs.
//!
//! Pairs, probabilities and strengths as torchvision has them, on ten levels from nothing to the most; what
//! comes into view at the edges is black. Source: Cubuk and others, "AutoAugment", arXiv:1805.09501.

use crate::colour;
use crate::pictures::Picture;
use crate::random::Random;
use crate::warp;

/// A change of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
    Invert,
}

use Change::{
    AutoContrast, Brightness, Color, Contrast, Equalize, Invert, Posterize, Rotate, Sharpness,
    ShearY, Solarize, TranslateX, TranslateY,
};

/// A change, how probable it is in tenths, and its level from 0 to 9 (0 if it has none).
type Step = (Change, u32, u32);

#[rustfmt::skip]
const CIFAR10: [[Step; 2]; 25] = [
    [(Invert, 1, 0), (Contrast, 2, 6)],
    [(Rotate, 7, 2), (TranslateX, 3, 9)],
    [(Sharpness, 8, 1), (Sharpness, 9, 3)],
    [(ShearY, 5, 8), (TranslateY, 7, 9)],
    [(AutoContrast, 5, 0), (Equalize, 9, 0)],
    [(ShearY, 2, 7), (Posterize, 3, 7)],
    [(Color, 4, 3), (Brightness, 6, 7)],
    [(Sharpness, 3, 9), (Brightness, 7, 9)],
    [(Equalize, 6, 0), (Equalize, 5, 0)],
    [(Contrast, 6, 7), (Sharpness, 6, 5)],
    [(Color, 7, 7), (TranslateX, 5, 8)],
    [(Equalize, 3, 0), (AutoContrast, 4, 0)],
    [(TranslateY, 4, 3), (Sharpness, 2, 6)],
    [(Brightness, 9, 6), (Color, 2, 8)],
    [(Solarize, 5, 2), (Invert, 0, 0)],
    [(Equalize, 2, 0), (AutoContrast, 6, 0)],
    [(Equalize, 2, 0), (Equalize, 6, 0)],
    [(Color, 9, 9), (Equalize, 6, 0)],
    [(AutoContrast, 8, 0), (Solarize, 2, 8)],
    [(Brightness, 1, 3), (Color, 7, 0)],
    [(Solarize, 4, 5), (AutoContrast, 9, 0)],
    [(TranslateY, 9, 9), (TranslateY, 7, 9)],
    [(AutoContrast, 9, 0), (Solarize, 8, 3)],
    [(Equalize, 8, 0), (Invert, 1, 0)],
    [(TranslateY, 7, 9), (AutoContrast, 9, 0)],
];

/// Changes `picture` as chance has it.
pub(crate) fn auto_augment(picture: &mut Picture, random: &mut Random) {
    let pair = CIFAR10[random.below(CIFAR10.len() as u32) as usize];
    for (change, tenths, level) in pair {
        // Both are drawn always, so that the second change does not depend on the first.
        let (happens, opposite) = (random.below(10) < tenths, random.below(2) == 1);
        if happens {
            change.apply(picture, level, opposite);
        }
    }
}

impl Change {
    /// Changes `picture` at `level`; `opposite` is the other way round, if there are two.
    fn apply(self, picture: &mut Picture, level: u32, opposite: bool) {
        let way = if opposite { -1.0 } else { 1.0 };
        let up_to = |most: f64| way * evenly(0.0, most as f32, level);
        // 150 of 331 pixels: what the policy was found with.
        let share = |side: usize| up_to(150.0 / 331.0 * side as f64);
        let (height, width) = (picture.height, picture.width);
        match self {
            Self::ShearY => warp::shear_y(picture, up_to(0.3)),
            Self::TranslateX => warp::translate_x(picture, share(width)),
            Self::TranslateY => warp::translate_y(picture, share(height)),
            Self::Rotate => warp::rotate(picture, up_to(30.0)),
            Self::Brightness => colour::brightness(picture, 1.0 + up_to(0.9)),
            Self::Color => colour::saturation(picture, 1.0 + up_to(0.9)),
            Self::Contrast => colour::contrast(picture, 1.0 + up_to(0.9)),
            Self::Sharpness => colour::sharpness(picture, 1.0 + up_to(0.9)),
            Self::Posterize => {
                let lost = (f64::from(level) / 2.25).round_ties_even();
                colour::posterize(picture, 8 - lost as u32);
            }
            Self::Solarize => colour::solarize(picture, evenly(255.0, 0.0, level)),
            Self::AutoContrast => colour::auto_contrast(picture),
            Self::Equalize => colour::equalize(picture),
            Self::Invert => colour::invert(picture),
        }
    }
}

/// Number `level` of ten evenly spaced ones, in f32 from the nearer end, as PyTorch spaces them.
fn evenly(from: f32, to: f32, level: u32) -> f64 {
    let step = (to - from) / 9.0;
    f64::from(if level < 5 {
        from + step * level as f32
    } else {
        to - step * (9 - level) as f32
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::golden::{close, golden, lines};
    use crate::random::Purpose;

    const CHANGES: [Change; 13] = [
        ShearY,
        TranslateX,
        TranslateY,
        Rotate,
        Brightness,
        Color,
        Contrast,
        Sharpness,
        Posterize,
        Solarize,
        AutoContrast,
        Equalize,
        Invert,
    ];

    #[test]
    fn every_change_gives_the_bytes_of_torchvision() {
        for change in CHANGES {
            for (input, suffix) in [("input", ""), ("input_grey", "_grey")] {
                let name = format!("{change:?}{suffix}");
                let cases = lines(&name);
                assert!(!cases.is_empty(), "{name}");
                for (parameters, expected) in cases {
                    let mut picture = golden(input);
                    let level = parameters[0].parse().unwrap();
                    change.apply(&mut picture, level, parameters[1] == "-1");
                    close(
                        &picture.bytes,
                        &expected,
                        0,
                        &format!("{name} {parameters:?}"),
                    );
                }
            }
        }
    }

    #[test]
    fn the_policy_is_that_of_torchvision() {
        let published = lines("policy");
        assert_eq!(published.len(), CIFAR10.len());
        for (pair, (cells, _)) in CIFAR10.iter().zip(published) {
            for (step, cell) in pair.iter().zip(&cells[1..]) {
                let [name, probability, level] =
                    <[&str; 3]>::try_from(cell.split(',').collect::<Vec<_>>()).unwrap();
                let tenths = (probability.parse::<f64>().unwrap() * 10.0).round() as u32;
                let level = level.parse().unwrap_or(0);
                let found = (format!("{:?}", step.0), step.1, step.2);
                assert_eq!(found, (name.to_owned(), tenths, level));
            }
        }
    }

    #[test]
    fn what_happens_to_an_image_depends_on_its_place_alone() {
        let augmented = |place: u64| {
            let mut picture = golden("input");
            let mut random = Random::new(1, Purpose::AutoAugment, [0, place]);
            auto_augment(&mut picture, &mut random);
            picture.bytes
        };
        let distinct: std::collections::BTreeSet<_> = (0..50).map(augmented).collect();
        assert!(distinct.len() > 25, "{}", distinct.len());
        assert_eq!(augmented(7), augmented(7));
    }
}

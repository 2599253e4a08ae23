//! How the images of a training batch are varied.
//!
//! As the DARTS recipe has it: the image is framed with black and a window of its own size is cut
//! from it, or a random part of it is resized; half of the images are mirrored; then AutoAugment or
//! varied colours; the square that is cut out is 0 after normalisation, the mean colour, and may reach
//! over the edge.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::auto_augment::auto_augment;
use crate::colour_jitter::ColourJitter;
use crate::error::{Error, Result};
use crate::pictures::Picture;
use crate::random::{Purpose, Random};

/// What is varied in the images of a training batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Width in pixels of the black frame in which the window moves. Paper: 4. 0: no cropping.
    pub crop_padding: usize,
    /// Whether every other image, by chance, is mirrored left to right.
    pub flip: bool,
    /// Side in pixels of the square that is cut out. As DARTS trains the final network: 16.
    pub cutout: Option<usize>,
    /// The least share of its area that is seen of an image, resized to the size of all; of an image that has a file
    /// of its own, in the size of that. As DARTS trains on ImageNet: 0.08.
    #[serde(default)]
    pub resized_crop: Option<f64>,
    /// Whether images are changed by AutoAugment's policy for CIFAR-10. As the recipe of the paper: yes.
    #[serde(default)]
    pub auto_augment: bool,
    /// How far colours are varied.
    #[serde(default)]
    pub colour_jitter: ColourJitter,
}

impl Augmentation {
    /// Images as they are.
    pub const NONE: Self = Self {
        crop_padding: 0,
        flip: false,
        cutout: None,
        resized_crop: None,
        auto_augment: false,
        colour_jitter: ColourJitter::NONE,
    };

    /// Checks that something is left of an image of `height` and `width`.
    pub(crate) fn check(&self, height: usize, width: usize) -> Result<()> {
        let side = height.min(width);
        if self.crop_padding >= side {
            let expected = format!("less than the image's shorter side of {side} pixels");
            return Err(Error::setting("crop padding", expected, self.crop_padding));
        }
        if let Some(cutout) = self.cutout
            && !(1..=side).contains(&cutout)
        {
            let expected = format!("from 1 to the image's shorter side of {side} pixels");
            return Err(Error::setting("cutout", expected, cutout));
        }
        if let Some(share) = self.resized_crop {
            if !(share > 0.0 && share <= 1.0) {
                let expected = "a share of an image above 0, at most 1";
                return Err(Error::setting("resized crop", expected, share));
            }
            if self.crop_padding > 0 {
                let expected = "0 beside a resized crop";
                return Err(Error::setting("crop padding", expected, self.crop_padding));
            }
        }
        self.colour_jitter.check()
    }

    /// Whether images take long enough that all cores should prepare them.
    pub(crate) fn takes_long(&self) -> bool {
        self.resized_crop.is_some() || self.repaints()
    }

    /// Whether the bytes of images change, not only their places.
    pub(crate) fn repaints(&self) -> bool {
        self.auto_augment || self.colour_jitter != ColourJitter::NONE
    }

    /// Changes the colours of `picture`, the image at `place` under `seed`.
    pub(crate) fn repaint(&self, picture: &mut Picture, seed: u64, place: [u64; 2]) {
        if self.auto_augment {
            auto_augment(picture, &mut Random::new(seed, Purpose::AutoAugment, place));
        }
        if self.colour_jitter != ColourJitter::NONE {
            let mut random = Random::new(seed, Purpose::Colours, place);
            self.colour_jitter.apply(picture, &mut random);
        }
    }

    /// Where one image of `height` and `width` is cropped, flipped and cut out.
    pub(crate) fn draw(&self, random: &mut Random, height: usize, width: usize) -> Placement {
        let mut within = |bound: usize| random.below(bound as u32) as usize;
        let padding = self.crop_padding;
        // Every draw is made always, so that one setting does not change what another draws.
        let (down, right) = (within(2 * padding + 1), within(2 * padding + 1));
        let mirrored = within(2) == 1;
        let centre = (within(height), within(width));
        Placement {
            down: down as isize - padding as isize,
            right: right as isize - padding as isize,
            flip: self.flip && mirrored,
            cutout: self
                .cutout
                .map(|side| Rectangle::around(centre, side, height, width)),
        }
    }
}

/// What happens to one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Placement {
    /// How far down in the image the window lies, in pixels.
    pub(crate) down: isize,
    /// How far right in the image the window lies, in pixels.
    pub(crate) right: isize,
    /// Whether the window is mirrored.
    pub(crate) flip: bool,
    /// What of the window, mirrored or not, becomes 0.
    pub(crate) cutout: Option<Rectangle>,
}

/// A part of an image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rectangle {
    /// From the top.
    pub(crate) rows: Range<usize>,
    /// From the left.
    pub(crate) columns: Range<usize>,
}

impl Rectangle {
    /// The part of a square around `centre` that lies in the image.
    fn around(centre: (usize, usize), side: usize, height: usize, width: usize) -> Self {
        let span = |middle: usize, end: usize| {
            middle.saturating_sub(side / 2)..(middle + side.div_ceil(2)).min(end)
        };
        Self {
            rows: span(centre.0, height),
            columns: span(centre.1, width),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn every_window_and_both_mirror_images_are_drawn() {
        let augmentation = Augmentation {
            crop_padding: 1,
            flip: true,
            cutout: Some(1),
            ..Augmentation::NONE
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut centres = std::collections::BTreeSet::new();
        for position in 0..1000 {
            let mut random = Random::new(3, Purpose::Augmentation, [0, position]);
            let placement = augmentation.draw(&mut random, 2, 3);
            seen.insert((placement.down, placement.right, placement.flip));
            let cutout = placement.cutout.unwrap();
            assert_eq!((cutout.rows.len(), cutout.columns.len()), (1, 1));
            centres.insert((cutout.rows.start, cutout.columns.start));
        }
        assert_eq!((seen.len(), centres.len()), (3 * 3 * 2, 2 * 3));
        assert!(
            seen.iter()
                .all(|&(down, right, _)| down.abs() <= 1 && right.abs() <= 1)
        );
    }

    #[test]
    fn a_cutout_has_its_side_around_the_centre_and_ends_at_the_edge() {
        let odd = Rectangle::around((2, 2), 3, 8, 8);
        assert_eq!((odd.rows, odd.columns), (1..4, 1..4));
        let corner = Rectangle::around((0, 7), 4, 8, 8);
        assert_eq!((corner.rows, corner.columns), (0..2, 5..8));
    }

    #[test]
    fn one_setting_does_not_change_what_another_draws() {
        let random = || Random::new(3, Purpose::Augmentation, [4, 5]);
        let cropped = Augmentation {
            crop_padding: 4,
            ..Augmentation::NONE
        };
        let both = Augmentation {
            flip: true,
            cutout: Some(2),
            ..cropped
        };
        let (one, other) = (
            cropped.draw(&mut random(), 8, 8),
            both.draw(&mut random(), 8, 8),
        );
        assert_eq!((one.down, one.right), (other.down, other.right));
    }

    #[test]
    fn settings_that_leave_nothing_of_an_image_are_refused() {
        let message =
            |augmentation: Augmentation| augmentation.check(8, 6).unwrap_err().to_string();
        assert!(
            Augmentation {
                crop_padding: 5,
                flip: true,
                cutout: Some(6),
                ..Augmentation::NONE
            }
            .check(8, 6)
            .is_ok()
        );
        assert!(
            message(Augmentation {
                crop_padding: 6,
                ..Augmentation::NONE
            })
            .contains("6 pixels")
        );
        assert!(
            message(Augmentation {
                cutout: Some(7),
                ..Augmentation::NONE
            })
            .contains("found 7")
        );
        let cropped = |resized_crop, crop_padding| Augmentation {
            resized_crop: Some(resized_crop),
            crop_padding,
            ..Augmentation::NONE
        };
        assert!(cropped(1.0, 0).check(8, 6).is_ok());
        assert!(message(cropped(0.0, 0)).contains("above 0"));
        assert!(message(cropped(0.08, 4)).contains("0 beside a resized crop"));
        assert!(
            Augmentation {
                cutout: Some(0),
                ..Augmentation::NONE
            }
            .check(8, 6)
            .is_err()
        );
    }
}

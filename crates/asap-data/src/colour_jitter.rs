//! Colours varied by chance: brightness, contrast, saturation and hue, in random order.
//!
//! As torchvision's `ColorJitter`: a factor from 1 - most to 1 + most, but not below 0, and a turn of the hue from
//! -most to most.

use serde::{Deserialize, Serialize};

use crate::colour;
use crate::error::{Error, Result};
use crate::hue::turn_hue;
use crate::pictures::Picture;
use crate::random::Random;

/// The most by which colours are varied; 0 leaves them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColourJitter {
    /// Of the factor of brightness, from 0 on. As DARTS trains on ImageNet: 0.4.
    pub brightness: f64,
    /// Of the factor of contrast, from 0 on. As DARTS: 0.4.
    pub contrast: f64,
    /// Of the factor of saturation, from 0 on. As DARTS: 0.4.
    pub saturation: f64,
    /// Of the turn of the hue, from 0 to half the circle, 0.5. As DARTS: 0.2.
    pub hue: f64,
}

impl ColourJitter {
    /// Colours as they are.
    pub const NONE: Self = Self {
        brightness: 0.0,
        contrast: 0.0,
        saturation: 0.0,
        hue: 0.0,
    };

    /// Checks that every bound is one.
    pub(crate) fn check(&self) -> Result<()> {
        let bounds = [
            ("jitter of brightness", self.brightness, f64::MAX),
            ("jitter of contrast", self.contrast, f64::MAX),
            ("jitter of saturation", self.saturation, f64::MAX),
            ("jitter of hue", self.hue, 0.5),
        ];
        match bounds
            .into_iter()
            .find(|&(_, most, bound)| !(0.0..=bound).contains(&most))
        {
            Some((what, most, 0.5)) => Err(Error::setting(what, "from 0 to 0.5", most)),
            Some((what, most, _)) => Err(Error::setting(what, "0 or more", most)),
            None => Ok(()),
        }
    }

    /// Varies the colours of `picture` as chance has it.
    pub(crate) fn apply(&self, picture: &mut Picture, random: &mut Random) {
        let mut order = [0, 1, 2, 3];
        random.shuffle(&mut order);
        // Every draw is made always, so that one setting does not change what another draws.
        let [brightness, contrast, saturation, hue] = std::array::from_fn(|_| random.share());
        let factor = |most: f64, share: f64| {
            let least = (1.0 - most).max(0.0);
            least + (1.0 + most - least) * share
        };
        for change in order {
            match change {
                0 if self.brightness > 0.0 => {
                    colour::brightness(picture, factor(self.brightness, brightness));
                }
                1 if self.contrast > 0.0 => {
                    colour::contrast(picture, factor(self.contrast, contrast));
                }
                2 if self.saturation > 0.0 => {
                    colour::saturation(picture, factor(self.saturation, saturation));
                }
                3 if self.hue > 0.0 => turn_hue(picture, self.hue * (2.0 * hue - 1.0)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::golden::{close, golden, lines};
    use crate::random::Purpose;

    type Change = fn(&mut Picture, f64);

    #[test]
    fn every_change_gives_the_bytes_of_torchvision() {
        let changes: [(&str, Change); 4] = [
            ("brightness", colour::brightness),
            ("contrast", colour::contrast),
            ("saturation", colour::saturation),
            ("hue", turn_hue),
        ];
        for (name, change) in changes {
            let cases = lines(name);
            assert!(!cases.is_empty(), "{name}");
            for (parameters, expected) in cases {
                let mut picture = golden("input");
                change(&mut picture, parameters[0].parse().unwrap());
                close(
                    &picture.bytes,
                    &expected,
                    0,
                    &format!("{name} {parameters:?}"),
                );
            }
        }
    }

    #[test]
    fn nothing_to_vary_leaves_the_image_and_something_does_not() {
        let jittered = |jitter: ColourJitter, place| {
            let mut picture = golden("input");
            jitter.apply(
                &mut picture,
                &mut Random::new(1, Purpose::Colours, [0, place]),
            );
            picture.bytes
        };
        assert_eq!(jittered(ColourJitter::NONE, 3), golden("input").bytes);
        let hue = ColourJitter {
            hue: 0.2,
            ..ColourJitter::NONE
        };
        assert_ne!(jittered(hue, 3), golden("input").bytes);
        assert_eq!(jittered(hue, 3), jittered(hue, 3));
        assert_ne!(jittered(hue, 3), jittered(hue, 4));
    }

    #[test]
    fn bounds_that_are_none_are_refused() {
        let hue = |hue| ColourJitter {
            hue,
            ..ColourJitter::NONE
        };
        assert!(hue(0.5).check().is_ok());
        let message = hue(0.6).check().unwrap_err().to_string();
        assert_eq!(message, "jitter of hue: expected from 0 to 0.5, found 0.6");
        assert!(hue(f64::NAN).check().is_err());
    }
}

//! The trainings that have a name, all their numbers in one place.
//!
//! What a recipe is worth is seen only beside another training of the same recipe: the recipe alone is
//! worth more than half a point of accuracy on CIFAR-10.

use asap_data::ColourJitter;
use asap_space::StemForm;
use serde::{Deserialize, Serialize};

use crate::config::{AugmentationConfig, RunConfig, TrainConfig};
use crate::network_size::NetworkSize;
use crate::schedule::{Curve, Schedule};
use crate::sgd::SgdConfig;

/// A named way to train a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// Minutes on two CPU cores, on small images; ours.
    Quick,
    /// CIFAR as DARTS trains on it: 600 epochs.
    Darts,
    /// CIFAR as the paper trains on it, as far as it is remembered: 1500 epochs.
    Asap,
    /// ImageNet as DARTS trains on it: 250 epochs.
    ImageNet,
}

impl Recipe {
    /// All recipes, the shortest first.
    pub const ALL: [Self; 4] = [Self::Quick, Self::Darts, Self::Asap, Self::ImageNet];

    /// Its name, as `recipe = "..."` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Darts => "darts",
            Self::Asap => "asap",
            Self::ImageNet => "imagenet",
        }
    }

    /// The names of all recipes, for messages.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The recipe of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|recipe| recipe.name() == name)
    }

    /// All settings of the training.
    pub fn train(self) -> TrainConfig {
        match self {
            Self::Quick => quick(),
            Self::Darts => darts(),
            Self::Asap => asap(),
            Self::ImageNet => imagenet(),
        }
    }

    /// Puts the recipe in the place of the training that `config` has; one that is made for images of one size
    /// asks for that size.
    pub fn apply(self, config: &mut RunConfig) {
        config.train = self.train();
        if self == Self::ImageNet {
            (config.data.size, config.data.resize_to) = (IMAGENET_PIXELS, IMAGENET_RESIZED);
        }
    }
}

/// Height and width of an ImageNet image (paper).
const IMAGENET_PIXELS: usize = 224;
/// Pixels of the shorter side of an ImageNet test image before its middle is cut out (as DARTS has it).
const IMAGENET_RESIZED: usize = 256;

/// Ours: minutes on two cores, found by measurement.
fn quick() -> TrainConfig {
    TrainConfig {
        recipe: Recipe::Quick,
        channels: 16,
        cells: 5,
        stem: StemForm::Cifar,
        epochs: 10,
        steps_per_epoch: 400,
        batch: 64,
        learning_rate: Schedule::cosine(0.1, 0.0),
        sgd: SgdConfig {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 3e-4,
            clip: 5.0,
        },
        label_smoothing: 0.0,
        auxiliary_weight: 0.0,
        drop_path: 0.0,
        ema: 0.0,
        augmentation: AugmentationConfig {
            crop_padding: 2,
            flip: true,
            ..AugmentationConfig::default()
        },
    }
}

/// As DARTS trains on CIFAR: the values of its published command line.
fn darts() -> TrainConfig {
    TrainConfig {
        recipe: Recipe::Darts,
        channels: NetworkSize::Small.channels(),
        cells: NetworkSize::CELLS,
        stem: StemForm::Cifar,
        epochs: 600,
        steps_per_epoch: 0,
        batch: 96,
        learning_rate: Schedule::cosine(0.025, 0.0),
        sgd: SgdConfig {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 3e-4,
            clip: 5.0,
        },
        label_smoothing: 0.0,
        auxiliary_weight: 0.4,
        drop_path: 0.2,
        ema: 0.0,
        augmentation: AugmentationConfig {
            crop_padding: 4,
            flip: true,
            cutout: 16,
            ..AugmentationConfig::default()
        },
    }
}

/// The paper's final training. Paper: 1500 epochs, Nesterov, a cyclic cosine from 0.025, AutoAugment, cutout, label
/// smoothing. From memory: five cycles, each from half the start of the one before; label smoothing 0.1; drop-path to
/// 0.2. Ours: a plain cosine where the paper has a power of one, and what is left open is as in `darts`.
fn asap() -> TrainConfig {
    let darts = darts();
    TrainConfig {
        recipe: Recipe::Asap,
        epochs: 1500,
        learning_rate: Schedule {
            cycles: 5,
            cycle_factor: 0.5,
            ..darts.learning_rate
        },
        sgd: SgdConfig {
            nesterov: true,
            ..darts.sgd
        },
        label_smoothing: 0.1,
        augmentation: AugmentationConfig {
            auto_augment: true,
            ..darts.augmentation
        },
        ..darts
    }
}

/// As DARTS trains on ImageNet. It multiplies the learning rate by 0.97 after every epoch; ours is the same curve, moved
/// at every step, so that a shorter plan ends at the same rate.
fn imagenet() -> TrainConfig {
    TrainConfig {
        recipe: Recipe::ImageNet,
        channels: 48,
        cells: 14,
        stem: StemForm::ImageNet,
        epochs: 250,
        steps_per_epoch: 0,
        batch: 128,
        learning_rate: Schedule {
            curve: Curve::Exponential,
            ..Schedule::cosine(0.1, 0.1 * 0.97_f64.powi(250))
        },
        sgd: SgdConfig {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 3e-5,
            clip: 5.0,
        },
        label_smoothing: 0.1,
        auxiliary_weight: 0.4,
        drop_path: 0.0,
        ema: 0.0,
        augmentation: AugmentationConfig {
            flip: true,
            resized_crop: 0.08,
            colour_jitter: ColourJitter {
                brightness: 0.4,
                contrast: 0.4,
                saturation: 0.4,
                hue: 0.2,
            },
            ..AugmentationConfig::default()
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::presets::Preset;

    #[test]
    fn every_recipe_passes_the_checks_and_is_found_by_name() {
        for recipe in Recipe::ALL {
            let mut config = Preset::Paper.config();
            recipe.apply(&mut config);
            config.check(recipe.name()).unwrap();
            assert_eq!(config.train.recipe, recipe);
            assert_eq!(Recipe::named(recipe.name()), Some(recipe));
        }
        assert_eq!(Recipe::named("slow"), None);
    }

    #[test]
    fn recipes_end_at_their_own_rate_however_few_epochs_they_get() {
        for recipe in Recipe::ALL {
            let train = recipe.train();
            let last = train.learning_rate.at(999, 1000);
            assert!(last < 0.01 * train.learning_rate.from, "{recipe:?}: {last}");
        }
    }
}

//! The starting points of a configuration, all their numbers in one place.

use asap_anneal::{AnnealConfig, Granularity, ThresholdBase};
use asap_genotype::OpSet;
use serde::{Deserialize, Serialize};

use crate::adam::AdamConfig;
use crate::config::{AugmentationConfig, DataConfig, RunConfig, SearchConfig, Task};
use crate::recipes::Recipe;
use crate::schedule::Cosine;
use crate::sgd::SgdConfig;

/// A named starting point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Fashion-MNIST in minutes on two CPU cores; ours.
    #[default]
    Quick,
    /// CIFAR-10 as the paper searches it, as far as its settings are known.
    Paper,
}

impl Preset {
    /// All presets, the default first.
    pub const ALL: [Self; 2] = [Self::Quick, Self::Paper];

    /// Its name, as `preset = "..."` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Paper => "paper",
        }
    }

    /// The names of all presets, for messages.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The preset of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The whole configuration it stands for, with as many threads as this machine has cores.
    pub fn config(self) -> RunConfig {
        match self {
            Self::Quick => quick(),
            Self::Paper => paper(),
        }
    }
}

/// Ours: minutes on two cores, found by measurement.
fn quick() -> RunConfig {
    RunConfig {
        preset: Preset::Quick,
        task: Task::Search,
        seed: 0,
        threads: cores(),
        checkpoint_seconds: 60.0,
        data: DataConfig {
            source: "fashion-mnist".to_owned(),
            size: 0,
            resize_to: 0,
            skip_bad: false,
            validation_images: 1024,
        },
        // Against the operations alive two rivals part at a gap of 1.4 T instead of 2.8 T: what a plan of a thousand
        // alpha steps can decide by itself.
        anneal: AnnealConfig {
            threshold_base: ThresholdBase::Alive,
            ..AnnealConfig::default()
        },
        search: SearchConfig {
            channels: 8,
            cells: 5,
            epochs: 18,
            steps_per_epoch: 64,
            batch: 32,
            operations: OpSet::darts7(),
            learning_rate: Cosine {
                from: 0.05,
                to: 0.005,
            },
            sgd: SgdConfig {
                momentum: 0.9,
                nesterov: false,
                weight_decay: 3e-4,
                clip: 5.0,
            },
            adam: AdamConfig {
                learning_rate: 1.5e-2,
                beta1: 0.5,
                beta2: 0.999,
                weight_decay: 1e-3,
            },
            augmentation: AugmentationConfig {
                crop_padding: 2,
                flip: true,
                ..AugmentationConfig::default()
            },
        },
        train: Recipe::Quick.train(),
    }
}

/// The paper's search, with UniNAS' settings where the paper is silent, and the final training in the
/// recipe of DARTS.
fn paper() -> RunConfig {
    RunConfig {
        preset: Preset::Paper,
        task: Task::Search,
        seed: 0,
        threads: cores(),
        checkpoint_seconds: 60.0,
        data: DataConfig {
            source: "cifar10:datasets/cifar-10-batches-bin".to_owned(),
            size: 0,
            resize_to: 0,
            skip_bad: false,
            validation_images: 0,
        },
        anneal: AnnealConfig {
            granularity: Granularity::Epoch { epochs: 50 },
            ..AnnealConfig::default()
        },
        search: SearchConfig {
            channels: 16,
            cells: 8,
            epochs: 50,
            steps_per_epoch: 0,
            batch: 64,
            operations: OpSet::darts7(),
            learning_rate: Cosine {
                from: 0.025,
                to: 0.001,
            },
            sgd: SgdConfig {
                momentum: 0.9,
                nesterov: false,
                weight_decay: 3e-4,
                clip: 5.0,
            },
            adam: AdamConfig {
                learning_rate: 3e-4,
                beta1: 0.5,
                beta2: 0.999,
                weight_decay: 1e-3,
            },
            augmentation: AugmentationConfig {
                crop_padding: 4,
                flip: true,
                ..AugmentationConfig::default()
            },
        },
        train: Recipe::Darts.train(),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_preset_passes_its_own_checks_and_is_found_by_name() {
        for preset in Preset::ALL {
            preset.config().check(preset.name()).unwrap();
            assert_eq!(preset.config().preset, preset);
            assert_eq!(Preset::named(preset.name()), Some(preset));
        }
        assert_eq!(Preset::named("slow"), None);
    }
}

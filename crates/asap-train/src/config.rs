//! Everything a run depends on, in one value that is one TOML file.
//!
//! A file says what differs from a preset; the run's own `config.toml` says everything. TOML has no
//! null, so 0 stands for "none" or "all" where a field says so.

use std::path::Path;

use asap_anneal::AnnealConfig;
use asap_data::{ColourJitter, Dataset, LoadConfig, Part, Source};
use asap_genotype::OpSet;
use asap_space::StemForm;
use serde::{Deserialize, Serialize};

use crate::adam::AdamConfig;
use crate::error::{Error, Result};
use crate::presets::Preset;
use crate::recipes::Recipe;
use crate::run_data::ImageSource;
use crate::schedule::{Cosine, Schedule};
use crate::sgd::SgdConfig;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Search a genotype, train its network, evaluate it on the test images.
    Search,
    /// Train the network of a given genotype and evaluate it on the test images.
    Train,
}

/// Which images a run reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Where they are, as [`asap_data::Source`] reads it: `fashion-mnist`, `cifar10:DIR`, `csv:FILE`, the path
    /// of a folder, and so on.
    pub source: String,
    /// Height and width in pixels that images are resized to; 0 leaves that to the data.
    pub size: usize,
    /// Pixels that the shorter side of a picture with a file of its own is resized to before its middle is cut out; 0
    /// cuts out the largest square.
    #[serde(default)]
    pub resize_to: usize,
    /// Whether images that cannot be read are left out instead of ending the run.
    pub skip_bad: bool,
    /// Training images held out: no weight and no alpha is trained on them; 0 holds none out, and
    /// then the search is validated on the images of the alphas.
    pub validation_images: usize,
}

impl DataConfig {
    /// The same with what kind of data it is written out and its folder as an absolute path, so that a
    /// run can go on from another current folder.
    ///
    /// # Errors
    /// The source names nothing.
    pub fn resolved(&self) -> Result<Self> {
        let source = self.source.parse::<Source>()?.absolute();
        let source = source.map_err(|error| Error::io("find", Path::new(&self.source), error))?;
        Ok(Self {
            source: source.to_string(),
            ..self.clone()
        })
    }
}

impl ImageSource for DataConfig {
    fn load(&self, part: Part) -> Result<Dataset> {
        let config = LoadConfig {
            size: (self.size > 0).then_some(self.size),
            skip_bad: self.skip_bad,
            resize_to: (self.resize_to > 0).then_some(self.resize_to),
            memory: None,
        };
        Ok(self.source.parse::<Source>()?.open(part, config)?)
    }
}

/// How images are varied when they train something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentationConfig {
    /// Pixels of padding on every side before a random crop of the old size; 0 crops nothing.
    pub crop_padding: usize,
    /// Whether every second image, at random, is mirrored.
    pub flip: bool,
    /// Side in pixels of a random square that is blanked (cutout); 0 blanks none.
    pub cutout: usize,
    /// Least share of its area that is seen of an image, resized to the size of all; 0 shows all of it.
    #[serde(default)]
    pub resized_crop: f64,
    /// Whether images are changed by AutoAugment's policy for CIFAR-10.
    #[serde(default)]
    pub auto_augment: bool,
    /// How far colours are varied.
    #[serde(default)]
    pub colour_jitter: ColourJitter,
}

/// The search: its supernet, its length, and how weights and alphas move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchConfig {
    /// Channels of the supernet's first cells.
    pub channels: usize,
    /// Cells of the supernet.
    pub cells: usize,
    /// Epochs of the plan; the search ends earlier when nothing is left to decide.
    pub epochs: usize,
    /// Weight steps of one epoch; 0 makes it one pass over the half that trains the weights.
    pub steps_per_epoch: usize,
    /// Images of a step.
    pub batch: usize,
    /// The operations every edge starts with.
    pub operations: OpSet,
    /// Learning rate of the weights.
    pub learning_rate: Cosine,
    /// The optimizer of the weights.
    pub sgd: SgdConfig,
    /// The optimizer of the alphas.
    pub adam: AdamConfig,
    /// How images are varied.
    pub augmentation: AugmentationConfig,
}

/// The training of the found network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The recipe the values started from.
    pub recipe: Recipe,
    /// Channels of the network's first cells.
    pub channels: usize,
    /// Cells of the network.
    pub cells: usize,
    /// What stands in front of the first cell.
    pub stem: StemForm,
    /// Epochs.
    pub epochs: usize,
    /// Weight steps of one epoch; 0 makes it one pass over the training images.
    pub steps_per_epoch: usize,
    /// Images of a step.
    pub batch: usize,
    /// Learning rate of the weights.
    pub learning_rate: Schedule,
    /// The optimizer of the weights.
    pub sgd: SgdConfig,
    /// Share of the target that is spread over all classes (label smoothing), from 0 to below 1.
    pub label_smoothing: f64,
    /// Weight of the loss of an auxiliary head at 2/3 of the depth; 0 builds none.
    pub auxiliary_weight: f64,
    /// Probability with which an operation's output is dropped; it grows linearly from 0 and would be this after the
    /// last epoch.
    pub drop_path: f64,
    /// Share of the averaged weights that a step keeps (exponential moving average); 0 averages none.
    pub ema: f64,
    /// How images are varied.
    pub augmentation: AugmentationConfig,
}

/// Everything a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// The preset the values started from.
    pub preset: Preset,
    /// What the run does.
    pub task: Task,
    /// Seed of all chance, from 0 to 2^63 - 1.
    pub seed: u64,
    /// Threads that compute.
    pub threads: usize,
    /// Seconds between checkpoints within an epoch; there is one after every epoch too.
    pub checkpoint_seconds: f64,
    /// Which images are read.
    pub data: DataConfig,
    /// The method's settings.
    pub anneal: AnnealConfig,
    /// The search.
    pub search: SearchConfig,
    /// The training of the found network.
    pub train: TrainConfig,
}

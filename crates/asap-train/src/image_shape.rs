//! What a network has to know about images, and the networks that follow from it.

use std::fmt;

use asap_data::Dataset;
use asap_space::{Execution, Form, NetworkConfig, StemForm};

use crate::config::RunConfig;

/// What a network has to know about images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
}

impl fmt::Display for ImageShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            height,
            width,
            channels,
            classes,
        } = self;
        let colour = if *channels == 1 { "grey" } else { "RGB" };
        write!(
            formatter,
            "{height}x{width} pixels, {colour}, {classes} classes"
        )
    }
}

impl ImageShape {
    /// The shape of the images of `dataset`.
    pub fn of(dataset: &Dataset) -> Self {
        Self {
            height: dataset.height(),
            width: dataset.width(),
            channels: dataset.channels(),
            classes: dataset.classes().len(),
        }
    }

    /// The supernet that `config` searches on such images.
    pub(crate) fn search_network(&self, config: &RunConfig) -> NetworkConfig {
        NetworkConfig {
            form: Form::Search,
            ..self.network(config.search.channels, config.search.cells)
        }
    }

    /// The network that `config` trains on such images.
    pub fn train_network(&self, config: &RunConfig) -> NetworkConfig {
        NetworkConfig {
            stem: config.train.stem,
            auxiliary: config.train.auxiliary_weight > 0.0,
            ..self.network(config.train.channels, config.train.cells)
        }
    }

    fn network(&self, channels: usize, cells: usize) -> NetworkConfig {
        let Self {
            height,
            width,
            channels: image_channels,
            classes,
        } = *self;
        NetworkConfig {
            channels,
            cells,
            classes,
            image_channels,
            height,
            width,
            form: Form::Final,
            stem: StemForm::Cifar,
            auxiliary: false,
        }
    }
}

impl RunConfig {
    /// How the search computes.
    pub(crate) fn search_execution(&self) -> Execution {
        Execution {
            batch: self.search.batch,
            threads: self.threads,
        }
    }

    /// How the training computes.
    pub(crate) fn train_execution(&self) -> Execution {
        Execution {
            batch: self.train.batch,
            threads: self.threads,
        }
    }
}

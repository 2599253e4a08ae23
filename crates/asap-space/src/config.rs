//! What a network is besides its topology.

use asap_kernels::AuxiliaryForm;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The two forms of a network: the same parts, normalised in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As in the supernet: BN after pools, scale and shift only in the stem's BN (paper's search).
    Search,
    /// As [`Form::Search`], but every pool of every edge has running statistics of its own, as a state dict may have
    /// them. Training moves them all alike, so this form is for what was not trained.
    SearchByEdge,
    /// As it is trained for use: no BN after pools, scale and shift in every BN.
    Final,
}

/// What stands in front of the first cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StemForm {
    /// One convolution to three times the channels, at full resolution.
    #[default]
    Cifar,
    /// Three convolutions, each of which halves the resolution: for images of some 200 pixels (as DARTS has it).
    ImageNet,
}

/// Size of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Channels of the first cell's nodes, at least 1, with the stem of ImageNet 2; every reduction doubles them.
    pub channels: usize,
    /// Cells, at least 3; those at 1/3 and 2/3 are reductions.
    pub cells: usize,
    /// Classes, at least 2.
    pub classes: usize,
    /// Channels of the images, at least 1.
    pub image_channels: usize,
    /// Height of the images in pixels, at least 4, with the stem of ImageNet 32: the reductions leave one row.
    pub height: usize,
    /// Width of the images in pixels, as many at least.
    pub width: usize,
    /// Search or final form.
    pub form: Form,
    /// What stands in front of the first cell.
    #[serde(default)]
    pub stem: StemForm,
    /// Whether a second classifier reads the cell at 2/3 of the depth while the network trains.
    #[serde(default)]
    pub auxiliary: bool,
}

impl NetworkConfig {
    /// Whether cell `index` is a reduction.
    pub fn is_reduction(&self, index: usize) -> bool {
        index == self.cells / 3 || index == 2 * self.cells / 3
    }

    /// # Errors
    /// If a number is under its least.
    pub(crate) fn check(&self) -> Result<()> {
        let (channels, side) = match self.stem {
            StemForm::Cifar => ((1, "1 or more"), (4, "4 pixels or more")),
            StemForm::ImageNet => ((2, "2 or more"), (32, "32 pixels or more")),
        };
        let least = [
            ("channels", self.channels, channels.0, channels.1),
            ("cells", self.cells, 3, "3 or more"),
            ("classes", self.classes, 2, "2 or more"),
            ("image channels", self.image_channels, 1, "1 or more"),
            ("height", self.height, side.0, side.1),
            ("width", self.width, side.0, side.1),
        ];
        match least.into_iter().find(|(_, found, least, _)| found < least) {
            Some((field, found, _, expected)) => Err(Error::Config {
                field,
                expected,
                found,
            }),
            None => self.check_auxiliary(),
        }
    }

    pub(crate) fn auxiliary_form(&self) -> AuxiliaryForm {
        match self.stem {
            StemForm::Cifar => AuxiliaryForm::Cifar,
            StemForm::ImageNet => AuxiliaryForm::ImageNet,
        }
    }

    /// The auxiliary head reads a cell after both reductions, of which it needs some rows and columns.
    fn check_auxiliary(&self) -> Result<()> {
        let expected = match self.stem {
            StemForm::Cifar => {
                "29 pixels or more for the auxiliary head \
                 (--size 32 enlarges images, auxiliary_weight = 0 in a configuration leaves the head out)"
            }
            StemForm::ImageNet => {
                "193 pixels or more for the auxiliary head \
                 (--size 224 enlarges images, auxiliary_weight = 0 in a configuration leaves the head out)"
            }
        };
        let least = self.auxiliary_form().least_size();
        let reduced = |pixels: usize| match self.stem {
            StemForm::Cifar => pixels.div_ceil(4),
            StemForm::ImageNet => pixels.div_ceil(32),
        };
        let sides = [("height", self.height), ("width", self.width)];
        match sides.into_iter().find(|(_, side)| reduced(*side) < least) {
            Some((field, found)) if self.auxiliary => Err(Error::Config {
                field,
                expected,
                found,
            }),
            _ => Ok(()),
        }
    }
}

/// How a network is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Most images of a step; buffers are made for it.
    pub batch: usize,
    /// Threads that share the images of a step.
    pub threads: usize,
}

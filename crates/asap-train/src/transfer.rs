//! `transfer.json`: the run that found a cell which another run trains on other images.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomically;
use crate::costs::Costs;
use crate::error::{Error, Result};
use crate::recipes::Recipe;
use crate::run_folder::RunFolder;
use crate::summary::Summary;

/// Where a cell comes from, and how its network did there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferSource {
    /// Folder of the run that found or trained the cell.
    pub run: String,
    /// Name of its data.
    pub data: String,
    /// The recipe that its training started from: accuracies of two recipes are hard to compare.
    pub recipe: Recipe,
    /// Share of its test images that its network classifies rightly, 0 to 1.
    pub test_accuracy: f64,
    /// How many test images there were.
    pub test_images: usize,
    /// What its network costs; its fields stand beside the others.
    #[serde(flatten)]
    pub costs: Costs,
}

impl TransferSource {
    /// The finished run in `folder` as the source of a transfer.
    ///
    /// # Errors
    /// There is no run, or it has no results yet.
    pub fn of(folder: &RunFolder) -> Result<Self> {
        folder.read_config()?;
        if !folder.summary().is_file() {
            return Err(Error::NotFinished {
                path: folder.path().to_owned(),
            });
        }
        let summary = Summary::read(&folder.summary())?;
        let path = folder.path();
        let absolute =
            std::path::absolute(path).map_err(|source| Error::io("find", path, source))?;
        Ok(Self {
            run: absolute.display().to_string(),
            data: summary.data,
            recipe: summary.recipe,
            test_accuracy: summary.test_accuracy,
            test_images: summary.test.images,
            costs: summary.costs,
        })
    }

    /// The source written down at `path`.
    ///
    /// # Errors
    /// The file cannot be read or is not as expected.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::io("read", path, source))?;
        serde_json::from_str(&text).map_err(|error| Error::malformed(path, error.to_string()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::malformed(path, error.to_string()))?;
        text.push('\n');
        write_atomically(path, text.as_bytes())
    }
}

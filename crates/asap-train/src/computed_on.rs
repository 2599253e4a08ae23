//! What computed a run, for its records.

use std::fmt;

use asap_space::{Place, Precision};
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::run_folder::RunFolder;

/// A device and how it computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputedOn {
    /// Name of the device; `cpu` is the processor.
    pub device: String,
    /// How it computed products: f32, tf32 or bf16.
    pub precision: String,
}

impl ComputedOn {
    pub(crate) fn of(place: &Place) -> Self {
        Self {
            device: place.name().to_owned(),
            precision: place.precision().name().to_owned(),
        }
    }

    /// What computed the newest checkpoint of a run: whoever goes on with it does so as before, unless told otherwise. `None` when
    /// nothing has been computed yet, or by a version that did not say.
    ///
    /// # Errors
    /// If there is no run, or its newest checkpoint is of another one.
    pub fn last(folder: &RunFolder) -> Result<Option<Self>> {
        let newest = Checkpoint::newest(folder, &folder.read_config()?)?;
        Ok(newest.and_then(|(_, checkpoint)| checkpoint.records.computed_on.last().cloned()))
    }

    /// Whether it was the processor.
    pub fn is_processor(&self) -> bool {
        self.device == Place::Processor.name()
    }

    /// The precision by its name; `None` if it has none of today's.
    pub fn precision(&self) -> Option<Precision> {
        let all = [Precision::F32, Precision::Tf32, Precision::Bf16];
        all.into_iter().find(|known| known.name() == self.precision)
    }
}

impl fmt::Display for ComputedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.device, self.precision)
    }
}

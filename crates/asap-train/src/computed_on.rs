//! What computed a run, for its records.

use std::fmt;

use asap_space::Place;
use serde::{Deserialize, Serialize};

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
}

impl fmt::Display for ComputedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.device, self.precision)
    }
}

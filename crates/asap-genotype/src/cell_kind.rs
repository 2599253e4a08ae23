//! The two kinds of cells: a network repeats one normal and one reduction cell.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Which of the two cells (paper).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// Keeps the resolution.
    Normal,
    /// Halves the resolution: stride 2 on the edges out of the input nodes.
    Reduction,
}

impl CellKind {
    /// Both kinds, normal first.
    pub const ALL: [Self; 2] = [Self::Normal, Self::Reduction];

    /// `normal` or `reduction`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Reduction => "reduction",
        }
    }
}

impl fmt::Display for CellKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for CellKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| Error::UnknownCellKind {
                name: name.to_owned(),
            })
    }
}

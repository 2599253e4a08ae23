//! The operations of the DARTS space, by the names that its public genotypes use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// One operation that an edge can apply (paper; names as DARTS spells them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Nothing passes.
    #[serde(rename = "none")]
    None,
    /// Largest value of 3x3, padding 1.
    #[serde(rename = "max_pool_3x3")]
    MaxPool3x3,
    /// Mean of 3x3 without counting the padding.
    #[serde(rename = "avg_pool_3x3")]
    AvgPool3x3,
    /// Identity; at stride 2 a factorised reduce.
    #[serde(rename = "skip_connect")]
    SkipConnect,
    /// Twice: ReLU, depthwise 3x3, pointwise, batch norm.
    #[serde(rename = "sep_conv_3x3")]
    SepConv3x3,
    /// Twice: ReLU, depthwise 5x5, pointwise, batch norm.
    #[serde(rename = "sep_conv_5x5")]
    SepConv5x5,
    /// ReLU, depthwise 3x3 with dilation 2, pointwise, batch norm.
    #[serde(rename = "dil_conv_3x3")]
    DilConv3x3,
    /// ReLU, depthwise 5x5 with dilation 2, pointwise, batch norm.
    #[serde(rename = "dil_conv_5x5")]
    DilConv5x5,
}

impl Operation {
    /// Every operation, in DARTS order.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::MaxPool3x3,
        Self::AvgPool3x3,
        Self::SkipConnect,
        Self::SepConv3x3,
        Self::SepConv5x5,
        Self::DilConv3x3,
        Self::DilConv5x5,
    ];

    /// The DARTS name, as in `sep_conv_3x3`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MaxPool3x3 => "max_pool_3x3",
            Self::AvgPool3x3 => "avg_pool_3x3",
            Self::SkipConnect => "skip_connect",
            Self::SepConv3x3 => "sep_conv_3x3",
            Self::SepConv5x5 => "sep_conv_5x5",
            Self::DilConv3x3 => "dil_conv_3x3",
            Self::DilConv5x5 => "dil_conv_5x5",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Operation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.name() == name)
            .ok_or_else(|| Error::UnknownOperation {
                name: name.to_owned(),
            })
    }
}

//! Genotypes that papers of the DARTS family have published, found on CIFAR-10.
//!
//! Inputs stand as the authors' files list them, which is how state dicts number operations
//! ([`Listing`]).

use std::sync::LazyLock;

use crate::Operation::{
    AvgPool3x3, DilConv3x3, DilConv5x5, MaxPool3x3, SepConv3x3, SepConv5x5, SkipConnect,
};
use crate::{Genotype, Listing};

/// ASAP: Noy et al., AISTATS 2020 (arXiv:1904.04123), the paper's cells.
pub static ASAP: LazyLock<Genotype> = LazyLock::new(|| ASAP_LISTING.genotype().clone());
static ASAP_LISTING: LazyLock<Listing> = LazyLock::new(|| {
    Listing::published(
        [
            [(SepConv3x3, 0), (SepConv3x3, 1)],
            [(SepConv3x3, 1), (SkipConnect, 0)],
            [(SkipConnect, 0), (SkipConnect, 2)],
            [(SkipConnect, 1), (SkipConnect, 2)],
        ],
        [
            [(AvgPool3x3, 0), (SepConv3x3, 1)],
            [(AvgPool3x3, 0), (DilConv5x5, 2)],
            [(MaxPool3x3, 1), (SkipConnect, 2)],
            [(MaxPool3x3, 0), (SkipConnect, 2)],
        ],
    )
});

/// DARTS, first order: Liu et al., ICLR 2019 (arXiv:1806.09055).
pub static DARTS_V1: LazyLock<Genotype> = LazyLock::new(|| DARTS_V1_LISTING.genotype().clone());
static DARTS_V1_LISTING: LazyLock<Listing> = LazyLock::new(|| {
    Listing::published(
        [
            [(SepConv3x3, 1), (SepConv3x3, 0)],
            [(SkipConnect, 0), (SepConv3x3, 1)],
            [(SkipConnect, 0), (SepConv3x3, 1)],
            [(SepConv3x3, 0), (SkipConnect, 2)],
        ],
        [
            [(MaxPool3x3, 0), (MaxPool3x3, 1)],
            [(SkipConnect, 2), (MaxPool3x3, 0)],
            [(MaxPool3x3, 0), (SkipConnect, 2)],
            [(SkipConnect, 2), (AvgPool3x3, 0)],
        ],
    )
});

/// DARTS, second order: Liu et al., ICLR 2019 (arXiv:1806.09055).
pub static DARTS_V2: LazyLock<Genotype> = LazyLock::new(|| DARTS_V2_LISTING.genotype().clone());
static DARTS_V2_LISTING: LazyLock<Listing> = LazyLock::new(|| {
    Listing::published(
        [
            [(SepConv3x3, 0), (SepConv3x3, 1)],
            [(SepConv3x3, 0), (SepConv3x3, 1)],
            [(SepConv3x3, 1), (SkipConnect, 0)],
            [(SkipConnect, 0), (DilConv3x3, 2)],
        ],
        [
            [(MaxPool3x3, 0), (MaxPool3x3, 1)],
            [(SkipConnect, 2), (MaxPool3x3, 1)],
            [(MaxPool3x3, 0), (SkipConnect, 2)],
            [(SkipConnect, 2), (MaxPool3x3, 1)],
        ],
    )
});

/// XNAS: Nayman et al., NeurIPS 2019 (arXiv:1906.08031).
pub static XNAS: LazyLock<Genotype> = LazyLock::new(|| XNAS_LISTING.genotype().clone());
static XNAS_LISTING: LazyLock<Listing> = LazyLock::new(|| {
    Listing::published(
        [
            [(SepConv3x3, 1), (SkipConnect, 0)],
            [(SepConv3x3, 0), (SepConv3x3, 2)],
            [(SepConv3x3, 3), (SepConv3x3, 1)],
            [(DilConv5x5, 4), (SepConv3x3, 0)],
        ],
        [
            [(MaxPool3x3, 0), (AvgPool3x3, 1)],
            [(AvgPool3x3, 0), (SkipConnect, 2)],
            [(DilConv3x3, 3), (MaxPool3x3, 0)],
            [(DilConv5x5, 4), (AvgPool3x3, 0)],
        ],
    )
});

/// PC-DARTS on CIFAR-10: Xu et al., ICLR 2020 (arXiv:1907.05737).
pub static PC_DARTS: LazyLock<Genotype> = LazyLock::new(|| PC_DARTS_LISTING.genotype().clone());
static PC_DARTS_LISTING: LazyLock<Listing> = LazyLock::new(|| {
    Listing::published(
        [
            [(SepConv3x3, 1), (SkipConnect, 0)],
            [(SepConv3x3, 0), (DilConv3x3, 1)],
            [(SepConv5x5, 0), (SepConv3x3, 1)],
            [(AvgPool3x3, 0), (DilConv3x3, 1)],
        ],
        [
            [(SepConv5x5, 1), (MaxPool3x3, 0)],
            [(SepConv5x5, 1), (SepConv5x5, 2)],
            [(SepConv3x3, 0), (SepConv3x3, 3)],
            [(SepConv3x3, 1), (SepConv3x3, 2)],
        ],
    )
});

/// The names that [`Genotype::named`] knows.
pub const NAMES: [&str; 5] = ["ASAP", "DARTS_V1", "DARTS_V2", "XNAS", "PC_DARTS"];

/// The genotypes of [`NAMES`].
pub(crate) fn listings() -> [&'static Listing; NAMES.len()] {
    [
        &ASAP_LISTING,
        &DARTS_V1_LISTING,
        &DARTS_V2_LISTING,
        &XNAS_LISTING,
        &PC_DARTS_LISTING,
    ]
}

impl Genotype {
    /// The published genotype of a name, one of [`NAMES`] in upper or lower case.
    pub fn named(name: &str) -> Option<&'static Self> {
        Listing::named(name).map(Listing::genotype)
    }
}

//! Genotypes that papers of the DARTS family have published, found on CIFAR-10.

use std::sync::LazyLock;

use crate::Operation::{
    AvgPool3x3, DilConv3x3, DilConv5x5, MaxPool3x3, SepConv3x3, SepConv5x5, SkipConnect,
};
use crate::{CellGenotype, Genotype};

/// ASAP: Noy et al., AISTATS 2020 (arXiv:1904.04123), the paper's cells.
pub static ASAP: LazyLock<Genotype> = LazyLock::new(|| {
    Genotype::published(
        CellGenotype::published([
            [(SepConv3x3, 0), (SepConv3x3, 1)],
            [(SkipConnect, 0), (SepConv3x3, 1)],
            [(SkipConnect, 0), (SkipConnect, 2)],
            [(SkipConnect, 1), (SkipConnect, 2)],
        ]),
        CellGenotype::published([
            [(AvgPool3x3, 0), (SepConv3x3, 1)],
            [(AvgPool3x3, 0), (DilConv5x5, 2)],
            [(MaxPool3x3, 1), (SkipConnect, 2)],
            [(MaxPool3x3, 0), (SkipConnect, 2)],
        ]),
    )
});

/// DARTS, first order: Liu et al., ICLR 2019 (arXiv:1806.09055).
pub static DARTS_V1: LazyLock<Genotype> = LazyLock::new(|| {
    Genotype::published(
        CellGenotype::published([
            [(SepConv3x3, 0), (SepConv3x3, 1)],
            [(SkipConnect, 0), (SepConv3x3, 1)],
            [(SkipConnect, 0), (SepConv3x3, 1)],
            [(SepConv3x3, 0), (SkipConnect, 2)],
        ]),
        CellGenotype::published([
            [(MaxPool3x3, 0), (MaxPool3x3, 1)],
            [(MaxPool3x3, 0), (SkipConnect, 2)],
            [(MaxPool3x3, 0), (SkipConnect, 2)],
            [(AvgPool3x3, 0), (SkipConnect, 2)],
        ]),
    )
});

/// DARTS, second order: Liu et al., ICLR 2019 (arXiv:1806.09055).
pub static DARTS_V2: LazyLock<Genotype> = LazyLock::new(|| {
    Genotype::published(
        CellGenotype::published([
            [(SepConv3x3, 0), (SepConv3x3, 1)],
            [(SepConv3x3, 0), (SepConv3x3, 1)],
            [(SkipConnect, 0), (SepConv3x3, 1)],
            [(SkipConnect, 0), (DilConv3x3, 2)],
        ]),
        CellGenotype::published([
            [(MaxPool3x3, 0), (MaxPool3x3, 1)],
            [(MaxPool3x3, 1), (SkipConnect, 2)],
            [(MaxPool3x3, 0), (SkipConnect, 2)],
            [(MaxPool3x3, 1), (SkipConnect, 2)],
        ]),
    )
});

/// XNAS: Nayman et al., NeurIPS 2019 (arXiv:1906.08031).
pub static XNAS: LazyLock<Genotype> = LazyLock::new(|| {
    Genotype::published(
        CellGenotype::published([
            [(SkipConnect, 0), (SepConv3x3, 1)],
            [(SepConv3x3, 0), (SepConv3x3, 2)],
            [(SepConv3x3, 1), (SepConv3x3, 3)],
            [(SepConv3x3, 0), (DilConv5x5, 4)],
        ]),
        CellGenotype::published([
            [(MaxPool3x3, 0), (AvgPool3x3, 1)],
            [(AvgPool3x3, 0), (SkipConnect, 2)],
            [(MaxPool3x3, 0), (DilConv3x3, 3)],
            [(AvgPool3x3, 0), (DilConv5x5, 4)],
        ]),
    )
});

/// PC-DARTS on CIFAR-10: Xu et al., ICLR 2020 (arXiv:1907.05737).
pub static PC_DARTS: LazyLock<Genotype> = LazyLock::new(|| {
    Genotype::published(
        CellGenotype::published([
            [(SkipConnect, 0), (SepConv3x3, 1)],
            [(SepConv3x3, 0), (DilConv3x3, 1)],
            [(SepConv5x5, 0), (SepConv3x3, 1)],
            [(AvgPool3x3, 0), (DilConv3x3, 1)],
        ]),
        CellGenotype::published([
            [(MaxPool3x3, 0), (SepConv5x5, 1)],
            [(SepConv5x5, 1), (SepConv5x5, 2)],
            [(SepConv3x3, 0), (SepConv3x3, 3)],
            [(SepConv3x3, 1), (SepConv3x3, 2)],
        ]),
    )
});

/// The names that [`Genotype::named`] knows.
pub const NAMES: [&str; 5] = ["ASAP", "DARTS_V1", "DARTS_V2", "XNAS", "PC_DARTS"];

impl Genotype {
    /// The published genotype of a name, one of [`NAMES`] in upper or lower case.
    pub fn named(name: &str) -> Option<&'static Self> {
        let all: [&'static Self; 5] = [&ASAP, &DARTS_V1, &DARTS_V2, &XNAS, &PC_DARTS];
        NAMES
            .iter()
            .zip(all)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, one)| one)
    }
}

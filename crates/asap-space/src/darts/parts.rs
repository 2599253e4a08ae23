//! What an operation, a cell's input or the stem is made of: endings of the reference's names and of ours.

use asap_genotype::Operation;

use crate::config::StemForm;

/// A convolution or a normalisation.
pub(super) enum Part {
    /// One tensor, `KEY.weight`.
    Kernel(&'static str, &'static str),
    /// Scale and shift, if it has them, and running statistics.
    Norm(&'static str, &'static str),
}

use Part::{Kernel, Norm};

pub(super) const STEM: &[Part] = &[Kernel("0", "conv"), Norm("1", "norm")];
/// Two of the three convolutions in front of large images.
pub(super) const STEM0: &[Part] = &[
    Kernel("0", "conv1"),
    Norm("1", "norm1"),
    Kernel("3", "conv2"),
    Norm("4", "norm2"),
];
/// The third of them, after a ReLU.
pub(super) const STEM1: &[Part] = &[Kernel("1", "conv"), Norm("2", "norm")];
/// ReLU-1x1-BN in front of a cell.
pub(super) const INPUT: &[Part] = &[Kernel("op.1", "conv"), Norm("op.2", "norm")];
pub(super) const FACTORISED_REDUCE: &[Part] = &[
    Kernel("conv_1", "conv_a"),
    Kernel("conv_2", "conv_b"),
    Norm("bn", "norm"),
];
/// In the search network: `Sequential(pool, BN)`.
const POOL: &[Part] = &[Norm("1", "norm")];
const DILATED: &[Part] = &[
    Kernel("op.1", "depthwise"),
    Kernel("op.2", "pointwise"),
    Norm("op.3", "norm"),
];
const SEPARABLE: &[Part] = &[
    Kernel("op.1", "depthwise1"),
    Kernel("op.2", "pointwise1"),
    Norm("op.3", "norm1"),
    Kernel("op.5", "depthwise2"),
    Kernel("op.6", "pointwise2"),
    Norm("op.7", "norm2"),
];

const AUXILIARY_CIFAR: &[Part] = &[
    Kernel("features.2", "conv1"),
    Norm("features.3", "norm1"),
    Kernel("features.5", "conv2"),
    Norm("features.6", "norm2"),
];
/// The reference leaves out the second normalisation.
const AUXILIARY_IMAGENET: &[Part] = &[
    Kernel("features.2", "conv1"),
    Norm("features.3", "norm1"),
    Kernel("features.5", "conv2"),
];

/// The parts of the auxiliary head in front of its classifier.
pub(super) fn auxiliary(stem: StemForm) -> &'static [Part] {
    match stem {
        StemForm::Cifar => AUXILIARY_CIFAR,
        StemForm::ImageNet => AUXILIARY_IMAGENET,
    }
}

/// The parts of an operation, in the reference's order.
pub(super) fn of_operation(operation: Operation, halves: bool, search: bool) -> &'static [Part] {
    match operation {
        Operation::MaxPool3x3 | Operation::AvgPool3x3 if search => POOL,
        Operation::SkipConnect if halves => FACTORISED_REDUCE,
        Operation::None
        | Operation::MaxPool3x3
        | Operation::AvgPool3x3
        | Operation::SkipConnect => &[],
        Operation::SepConv3x3 | Operation::SepConv5x5 => SEPARABLE,
        Operation::DilConv3x3 | Operation::DilConv5x5 => DILATED,
    }
}

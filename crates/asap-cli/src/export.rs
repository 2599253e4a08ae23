//! `asap export`: a trained network for other programs.

use crate::{output, tensor_file};
use anyhow::Result;
use asap_genotype::Listing;
use asap_space::{DartsLayout, DartsNetwork, Execution, StemForm};
use asap_train::{RunFolder, SavedNetwork};
use clap::ValueEnum;
use std::path::PathBuf;

/// Settings of `asap export`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A finished run, or the network of one
    #[arg(value_name = "RUN|FILE")]
    network: PathBuf,
    /// What it is written as
    #[arg(long, value_enum)]
    to: Target,
    /// The file to write [default: darts.safetensors beside the network]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The state dict of the reference implementation of DARTS in PyTorch, as safetensors
    Darts,
}

/// Writes the file, and says how the network that it fits is made.
///
/// # Errors
/// If there is no such network, or the file cannot be written.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Target::Darts = arguments.to;
    let file = RunFolder::network_at(&arguments.network);
    let execution = Execution {
        batch: 1,
        threads: 1,
    };
    let saved = SavedNetwork::load(&file, execution)?;
    let listing = Listing::from(&saved.genotype);
    let config = saved.network.config().clone();
    let layout = DartsLayout::new(config.clone(), DartsNetwork::Derived(&listing))?;
    let state_dict = layout.state_dict(&saved.network.tensors()?);
    let genotype = listing.to_darts();
    let out = arguments
        .out
        .clone()
        .unwrap_or_else(|| file.with_file_name("darts.safetensors"));
    // The order of the genotype's text is that of the operations in the state dict.
    let metadata = Some(("genotype", genotype.clone()));
    tensor_file::write(&out, &state_dict, layout.counters(), metadata)?;
    let form = match config.stem {
        StemForm::Cifar => "CIFAR",
        StemForm::ImageNet => "ImageNet",
    };
    let auxiliary = if config.auxiliary { "True" } else { "False" };
    output::line(format_args!(
        "{}: {form} form, C = {}, {} classes, {} layers, auxiliary = {auxiliary}",
        out.display(),
        config.channels,
        config.classes,
        config.cells,
    ))?;
    output::line(genotype)
}

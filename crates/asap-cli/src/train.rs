//! `asap train`: trains the network of a given genotype and tests it.

use crate::device::DeviceFlags;
use crate::external::WeightFlags;
use crate::images::Images;
use crate::settings::{Settings, TrainFlags};
use crate::{genotypes, output, work};
use anyhow::Result;
use asap_train::Job;
use std::path::PathBuf;
use std::process::ExitCode;

/// Settings of `asap train`.
#[derive(clap::Args)]
// Weights know the size of their network.
#[command(mut_arg("weights", |weights| weights.conflicts_with_all(["network", "channels", "cells"])))]
pub(crate) struct Arguments {
    /// What to train: a published name, a genotype file, or the run that found it
    #[arg(value_name = "NAME|FILE|RUN", required_unless_present_any = ["resume", "print_config", "weights"],
          conflicts_with = "weights")]
    genotype: Option<String>,
    #[command(flatten)]
    start: WeightFlags,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    flags: TrainFlags,
    #[command(flatten)]
    device: DeviceFlags,
    /// Folder of the new run [default: runs/, named after the time]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Go on with a run that was stopped, with the settings it has, on the CPU or the first GPU and in the precision as before
    /// unless --device and --precision say otherwise
    #[arg(long, value_name = "RUN", conflicts_with_all = ["genotype", "WeightFlags", "Settings", "TrainFlags", "out", "print_config"])]
    resume: Option<PathBuf>,
    /// Print every setting as a file for --config, and do nothing else
    #[arg(long, conflicts_with = "weights")]
    print_config: bool,
}

/// Starts or resumes a training.
///
/// # Errors
/// If there is no such genotype, a setting is out of its range, images cannot be read, or the run
/// fails.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(folder) = &arguments.resume {
        return work::resume(folder, arguments.device);
    }
    let mut config = arguments.settings.train_config(&arguments.flags)?;
    if arguments.print_config {
        output::line(config.to_toml()?.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let genotype = arguments
        .genotype
        .as_deref()
        .map(genotypes::find)
        .transpose()?;
    let place = arguments.device.place()?;
    let folder = work::new_folder(arguments.out.as_ref())?;
    config.data = config.data.resolved()?;
    let images = Images::new(config.data.clone());
    let command = work::command();
    let Some(genotype) = genotype else {
        let start = images.with_training(|training| arguments.start.start(training))?;
        start.set_size(&mut config.train);
        let (genotype, weights) = (start.genotype, start.tensors);
        return work::run(|| {
            Job::train_from(folder, config, genotype, weights, &images, command, place)
        });
    };
    work::run(|| Job::train(folder, config, genotype, &images, command, place))
}

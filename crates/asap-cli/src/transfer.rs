//! `asap transfer`: trains the cell that a run found on other images.

use crate::device::DeviceFlags;
use crate::images::Images;
use crate::settings::{Settings, TrainFlags};
use crate::{genotypes, output, work};
use anyhow::{Context, Result};
use asap_train::{Job, RunFolder, TransferSource};
use std::path::PathBuf;
use std::process::ExitCode;

/// Settings of `asap transfer`.
#[derive(clap::Args)]
#[command(mut_arg("data", |data| data
    .required_unless_present("resume")
    .help("The other images: what `asap data list` lists, cifar10:DIR, folder:DIR, csv:FILE, or a folder of classes")))]
pub(crate) struct Arguments {
    /// The finished run whose cell is trained; its settings are where those of the new run start from
    #[arg(value_name = "RUN", required_unless_present = "resume")]
    run: Option<PathBuf>,
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
    #[arg(long, value_name = "RUN", conflicts_with_all = ["run", "Settings", "TrainFlags", "out", "print_config"])]
    resume: Option<PathBuf>,
    /// Print every setting as a file for --config, and do nothing else
    #[arg(long)]
    print_config: bool,
}

/// Starts or resumes a transfer.
///
/// # Errors
/// If the run has no results, a setting is out of its range, images cannot be read, or the new run fails.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(folder) = &arguments.resume {
        return work::resume(folder, arguments.device);
    }
    let run = arguments.run.as_ref().context("expected a run")?;
    let source = RunFolder::new(run);
    let from = TransferSource::of(&source)?;
    let (settings, flags) = (&arguments.settings, &arguments.flags);
    let mut config = settings.transfer_config(source.read_config()?, flags)?;
    if arguments.print_config {
        output::line(config.to_toml()?.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let genotype = genotypes::of_run(&source)?;
    let place = arguments.device.place()?;
    let folder = work::new_folder(arguments.out.as_ref())?;
    config.data = config.data.resolved()?;
    let images = Images::new(config.data.clone());
    let command = work::command();
    work::run(|| Job::transfer(folder, config, genotype, &from, &images, command, place))
}

//! `asap search`: finds a genotype, trains its network, tests it.

use crate::device::DeviceFlags;
use crate::images::Images;
use crate::settings::{SearchFlags, Settings};
use crate::{output, planning, work};
use anyhow::Result;
use asap_train::Job;
use std::path::PathBuf;
use std::process::ExitCode;

/// Settings of `asap search`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    flags: SearchFlags,
    #[command(flatten)]
    device: DeviceFlags,
    /// Folder of the new run [default: runs/, named after the time]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Go on with a run that was stopped, with the settings it has, on the CPU or the first GPU and in the precision as before
    /// unless --device and --precision say otherwise
    #[arg(long, value_name = "RUN", conflicts_with_all = ["Settings", "SearchFlags", "out", "print_config"])]
    resume: Option<PathBuf>,
    /// Print every setting as a file for --config, and do nothing else
    #[arg(long)]
    print_config: bool,
}

/// Starts or resumes a search.
///
/// # Errors
/// If a setting is out of its range, images cannot be read, or the run fails.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(folder) = &arguments.resume {
        return work::resume(folder, arguments.device);
    }
    let mut config = arguments.settings.search_config(&arguments.flags)?;
    if arguments.print_config {
        output::line(config.to_toml()?.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = arguments.device.place()?;
    let folder = work::new_folder(arguments.out.as_ref())?;
    config.data = config.data.resolved()?;
    let images = Images::new(config.data.clone());
    let (config, plan) = planning::plan(&place, config, arguments.flags.budget, &images)?;
    output::note(planning::sentence(&plan));
    for warning in &plan.forecast.warnings {
        output::note(format_args!("warning: {warning}"));
    }
    work::run(|| Job::search(folder, config, &images, work::command(), place))
}

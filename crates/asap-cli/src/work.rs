//! Works on a run: follows it, saves it on Ctrl-C, and prints its results.

use crate::device::DeviceFlags;
use crate::follow::Follower;
use crate::images::Images;
use crate::{interrupt, output, results, run_names};
use anyhow::Result;
use asap_report::Report;
use asap_train::{ComputedOn, Job, Outcome, RunFolder, Summary};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The folder that was asked for, or one named after the time.
///
/// # Errors
/// If the folder holds a run: better to know before images are read and steps are measured.
pub(crate) fn new_folder(out: Option<&PathBuf>) -> asap_train::Result<RunFolder> {
    let folder = RunFolder::new(out.cloned().unwrap_or_else(run_names::new_folder));
    match folder.config().exists() {
        true => Err(asap_train::Error::RunExists {
            path: folder.path().to_owned(),
        }),
        false => Ok(folder),
    }
}

/// The command line of this program, to repeat a run with.
pub(crate) fn command() -> Vec<String> {
    let arguments = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into());
    std::iter::once("asap".to_owned())
        .chain(arguments)
        .collect()
}

/// Goes on with the run in `folder`.
///
/// # Errors
/// If there is no run, it is finished, or it fails.
pub(crate) fn resume(folder: &Path, device: DeviceFlags) -> Result<ExitCode> {
    let folder = RunFolder::new(folder);
    let images = Images::new(folder.read_config()?.data);
    // Before a device is looked for: nothing is left to compute.
    if folder.summary().is_file() {
        if folder.report().is_file() {
            let path = folder.path().to_owned();
            return Err(asap_train::Error::Finished { path }.into());
        }
        // Killed after its last step and before its report: the report is all that is left to do.
        Report::read(folder.path())?.write(&folder.report())?;
        results::print(&folder, &Summary::read(&folder.summary())?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = device.of_run(ComputedOn::last(&folder)?.as_ref()).place()?;
    run(|| Job::resume(folder, &images, place))
}

/// Works on the job that `prepare` makes until it has its results or Ctrl-C is pressed.
///
/// # Errors
/// If the job cannot be made, or fails; what it saved before stays.
pub(crate) fn run<'a>(prepare: impl FnOnce() -> asap_train::Result<Job<'a>>) -> Result<ExitCode> {
    let stop = interrupt::flag()?;
    let job = prepare()?;
    let folder = job.folder().clone();
    let place = folder.path().display();
    output::note(format_args!("run in {place}"));
    let mut follower = Follower::new();
    let outcome = job.run(&mut follower, &stop);
    // The bar goes before anything else is written.
    drop(follower);
    // A run that was stopped or failed has a report too; what went wrong first is what to tell.
    let report = Report::read(folder.path()).and_then(|report| report.write(&folder.report()));
    match outcome? {
        Outcome::Finished(summary) => {
            report?;
            results::print(&folder, &summary)?;
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Interrupted(_) => {
            output::note(format_args!(
                "saved; go on with: asap search --resume {place} \
                 (or cargo xtask search --resume {place})"
            ));
            Ok(ExitCode::from(interrupt::EXIT_CODE))
        }
    }
}

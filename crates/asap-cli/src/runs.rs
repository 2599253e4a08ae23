//! `asap runs`: the runs there are, their state, and the disk they take.

use crate::{output, quantities};
use anyhow::Result;
use asap_train::{RunInfo, RunState, runs, thin_checkpoints};
use std::path::PathBuf;

/// Settings of `asap runs`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder of runs
    #[arg(value_name = "FOLDER", default_value = "runs")]
    folder: PathBuf,
    /// Remove checkpoints that are no longer needed: all of a finished run, all but the newest of another
    #[arg(long)]
    thin: bool,
}

/// Lists the runs, after thinning them if that is asked for.
///
/// # Errors
/// If a folder cannot be read, or a checkpoint cannot be removed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.thin {
        thin(arguments)?;
    }
    let runs = runs(&arguments.folder)?;
    if runs.is_empty() {
        output::note(format_args!("no runs in {}", arguments.folder.display()));
    }
    let longest = runs.iter().map(|run| run.id.len()).max().unwrap_or(0);
    for run in &runs {
        output::line(format_args!("{:longest$}  {}", run.id, line(run)))?;
    }
    Ok(())
}

fn thin(arguments: &Arguments) -> Result<()> {
    let idle = |run: &RunInfo| run.state != RunState::Running;
    let mut freed = 0;
    for run in runs(&arguments.folder)?.iter().filter(|run| idle(run)) {
        freed += thin_checkpoints(&run.folder)?;
    }
    output::note(format_args!("{} set free", quantities::bytes(freed)));
    Ok(())
}

fn line(run: &RunInfo) -> String {
    let disk = quantities::bytes(run.disk_bytes);
    let checkpoints = match run.checkpoints {
        1 => "1 checkpoint".to_owned(),
        count => format!("{count} checkpoints"),
    };
    let state = match (&run.state, &run.summary) {
        (RunState::Running, _) => "running".to_owned(),
        (RunState::Finished, Some(summary)) => {
            let accuracy = quantities::percent(summary.test_accuracy);
            format!("finished, test accuracy {accuracy} on {}", summary.data)
        }
        (RunState::Finished, None) => "finished".to_owned(),
        (RunState::Interrupted, _) => {
            format!(
                "interrupted, go on with: asap search --resume {}",
                run.folder.path().display()
            )
        }
        (RunState::Failed(reason), _) => format!("failed: {reason}"),
    };
    format!("{disk:>10}  {checkpoints:>13}  {state}")
}

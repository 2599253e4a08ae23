//! `xtask gpu-report`: every figure that needs a GPU, measured in parts that can be taken up again.
//!
//! A part takes less than 8 minutes. What came of it is kept as JSON in the folder of the report: what has been measured is
//! not measured again, a part that fails is measured again by the next call, and the others go on. Rounds, searches and
//! trainings take several turns: they stop in time, save, and go on. Needs no cargo: the built `xtask` and `asap`, a Python
//! with PyTorch and the data are enough.

mod commands;
mod contests;
mod long_runs;
mod part;
mod profile;
mod record;
mod shown;
#[cfg(all(test, unix))]
mod tests;

use crate::bench::configuration::{Gpu, Precision};
use crate::bench::program::Programs;
use crate::process::Until;
use anyhow::{Context, Result, bail};
use part::Part;
use record::{Record, State};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Settings of the report.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The program asap, built for CUDA
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// A Python with PyTorch for CUDA
    #[arg(long, value_name = "PYTHON")]
    peer: PathBuf,
    /// CIFAR-10, as asap takes it: cifar10:DIR
    #[arg(long, value_name = "DATA")]
    data: String,
    /// Folder of the report
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Measure this part alone, for one turn
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
}

/// How long things take at most.
struct Limits {
    /// A turn of a part.
    turn: Duration,
    /// How long a program then takes to save and end.
    grace: Duration,
    /// A training, in all its turns.
    training: Duration,
}

impl Limits {
    const REAL: Self = Self {
        turn: Duration::from_secs(420),
        grace: Duration::from_secs(50),
        training: Duration::from_secs(20 * 60),
    };
}

/// What all parts know.
struct Setup {
    asap: PathBuf,
    python: PathBuf,
    data: String,
    folder: PathBuf,
    limits: Limits,
}

impl Setup {
    fn gpu(precision: Precision) -> Gpu {
        Gpu {
            device: "cuda".to_owned(),
            precision,
        }
    }

    /// asap and PyTorch, to be stopped at a moment.
    fn programs(&self, until: Until) -> Result<Programs> {
        let mut programs = Programs::on_gpu(&self.asap, &self.python, &self.folder.join("peer"))?;
        // What is compiled outlives a turn, and a compilation that was stopped has less to do in the next.
        programs.tell_python("TORCHINDUCTOR_CACHE_DIR", self.folder.join("compiled"));
        programs.stop_at(until);
        Ok(programs)
    }

    /// asap alone, to be stopped at a moment.
    fn asap(&self, until: Until) -> Result<Programs> {
        let folder = self.folder.join("peer");
        let mut programs = Programs::asap_on_gpu(&self.asap, &self.python, &folder)?;
        programs.stop_at(until);
        Ok(programs)
    }
}

/// Measures what is missing and writes `gpu-report.md`.
///
/// # Errors
/// If a file cannot be written, no part has the name asked for, or parts are not measured yet: then after all others.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    run_within(arguments, Limits::REAL)
}

fn run_within(arguments: &Arguments, limits: Limits) -> Result<()> {
    let folder = std::path::absolute(&arguments.out)?;
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let setup = Setup {
        asap: arguments.program.clone(),
        python: arguments.peer.clone(),
        data: arguments.data.clone(),
        folder,
        limits,
    };
    let parts = part::all();
    match &arguments.part {
        Some(name) => {
            let part = parts.iter().find(|part| part.name == *name);
            let Some(part) = part else {
                let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
                bail!("--part: expected one of {}, found {name}", names.join(", "));
            };
            turn(&setup, part)?;
        }
        None => {
            for part in &parts {
                while turn(&setup, part)? {}
            }
        }
    }
    let missing = record::write_report(&setup.folder, &parts)?;
    match missing.is_empty() {
        true => Ok(()),
        false => bail!(
            "not measured yet: {}; call again to go on",
            missing.join(", ")
        ),
    }
}

/// One turn of a part that is not done, and the report with it; whether the part goes on and is further than before.
fn turn(setup: &Setup, part: &Part) -> Result<bool> {
    let before = Record::read(&setup.folder, &part.name)?;
    if before.state == State::Done {
        eprintln!("{}: measured before", part.name);
        return Ok(false);
    }
    eprintln!("{}: {}", part.name, part.section);
    let started = Instant::now();
    let until = Until {
        moment: started + setup.limits.turn,
        grace: setup.limits.grace,
    };
    let outcome = part.measure(setup, &before, until);
    let after = before
        .clone()
        .after(outcome, started.elapsed().as_secs_f64());
    eprintln!("{}: {}", part.name, after.described());
    after.write(&setup.folder, &part.name)?;
    // After every turn: whoever stops the program here has a report of what there is.
    record::write_report(&setup.folder, &part::all())?;
    let further = (&after.markdown, &after.value) != (&before.markdown, &before.value);
    Ok(after.state == State::GoesOn && further)
}

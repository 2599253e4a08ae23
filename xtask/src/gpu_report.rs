//! `xtask gpu-report`: every figure that needs a GPU, measured in parts that can be taken up again.
//!
//! A part takes less than 8 minutes. What came of it is kept as JSON in the folder of the report: what has been measured is
//! not measured again, a part that fails is measured again by the next call, and the others go on. Rounds, searches and
//! trainings take several turns: they stop in time, save, and go on. What another build of asap did is measured anew. Needs no
//! cargo: the built `xtask` and `asap`, a Python with PyTorch and the data are enough.

mod commands;
mod contests;
mod long_runs;
mod part;
mod profile;
mod record;
mod shown;
mod test_programs;
#[cfg(all(test, unix))]
mod tests;

use crate::bench::configuration::{Gpu, Precision};
use crate::bench::program::Programs;
use crate::process::{Stopped, Terms, Until};
use anyhow::{Context, Result, bail};
use part::Part;
use record::{Record, State};
use std::cell::RefCell;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
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
    /// End this call, with its report, after so many minutes [default: when all is measured]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    minutes: Option<u32>,
}

/// How long things take at most.
struct Limits {
    /// A turn of a part.
    turn: Duration,
    /// How long a program then takes to save and end.
    grace: Duration,
    /// A training, in all its turns.
    training: Duration,
    /// The least that a turn is begun for, and as much for the report.
    least: Duration,
    /// All turns of a call.
    call: Option<Duration>,
}

impl Limits {
    const REAL: Self = Self {
        turn: Duration::from_secs(420),
        grace: Duration::from_secs(50),
        training: Duration::from_secs(20 * 60),
        least: Duration::from_secs(20),
        call: None,
    };
}

/// Where CUDA's programs lie if no folder of `PATH` has them.
const CUDA_PROGRAMS: &str = "/usr/local/cuda/bin";

/// What all parts know.
struct Setup {
    asap: PathBuf,
    python: PathBuf,
    data: String,
    folder: PathBuf,
    /// Which build of asap it is.
    build: String,
    limits: Limits,
    /// When the call must have ended.
    deadline: Option<Instant>,
    /// Folders with the programs of this machine.
    tools: Vec<PathBuf>,
    /// Programs whose Python has been found to work.
    checked: RefCell<Option<Programs>>,
}

impl Setup {
    fn gpu(precision: Precision) -> Gpu {
        Gpu {
            device: "cuda".to_owned(),
            precision,
        }
    }

    /// A program of this machine, if it is installed.
    fn tool(&self, name: &str) -> Option<PathBuf> {
        let mut places = self.tools.iter().map(|folder| folder.join(name));
        places.find(|place| place.is_file())
    }

    /// asap and PyTorch.
    fn programs(&self, terms: &Terms) -> Result<Programs> {
        let checked = self.checked.borrow().clone();
        let mut programs = match checked {
            Some(programs) => programs,
            None => {
                let folder = self.folder.join("peer");
                Programs::on_gpu(&self.asap, &self.python, &folder, terms.clone())?
            }
        };
        *self.checked.borrow_mut() = Some(programs.clone());
        // What is compiled outlives a turn, and a compilation that was stopped has less to do in the next.
        programs.tell_python("TORCHINDUCTOR_CACHE_DIR", self.folder.join("compiled"));
        programs.set_terms(terms.clone());
        Ok(programs)
    }

    /// asap alone.
    fn asap(&self, terms: &Terms) -> Result<Programs> {
        let folder = self.folder.join("peer");
        Programs::asap_on_gpu(&self.asap, &self.python, &folder, terms.clone())
    }

    /// Until when a turn may take that begins now; `None` if too little time is left for one.
    fn until(&self) -> Option<Until> {
        let (now, grace) = (Instant::now(), self.limits.grace);
        let turn = now + self.limits.turn;
        let moment = match self.deadline {
            Some(deadline) => turn.min(deadline.checked_sub(grace + self.limits.least)?),
            None => turn,
        };
        (moment >= now + self.limits.least).then_some(Until { moment, grace })
    }

    /// Where the end of what a part's programs said is kept, in the folder.
    fn log(part: &Part) -> String {
        format!("logs/{}.txt", part.name)
    }
}

/// What differs between builds of a program.
fn fingerprint(program: &Path) -> Result<String> {
    let place = || format!("--program: cannot read {}", program.display());
    let mut hasher = DefaultHasher::new();
    hasher.write(&std::fs::read(program).with_context(place)?);
    Ok(format!("{:016x}", hasher.finish()))
}

/// Measures what is missing and writes `gpu-report.md`.
///
/// # Errors
/// If a file cannot be written, no part has the name asked for, or parts are not measured yet: then after all others.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut tools: Vec<PathBuf> = std::env::split_paths(&path).collect();
    tools.push(CUDA_PROGRAMS.into());
    let minutes = |count| Duration::from_secs(60 * u64::from(count));
    let limits = Limits {
        call: arguments.minutes.map(minutes),
        ..Limits::REAL
    };
    run_within(arguments, limits, tools)
}

fn run_within(arguments: &Arguments, limits: Limits, tools: Vec<PathBuf>) -> Result<()> {
    let deadline = limits.call.map(|most| Instant::now() + most);
    let folder = std::path::absolute(&arguments.out)?;
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let setup = Setup {
        asap: arguments.program.clone(),
        python: arguments.peer.clone(),
        data: arguments.data.clone(),
        folder,
        build: fingerprint(&arguments.program)?,
        limits,
        deadline,
        tools,
        checked: RefCell::new(None),
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
            for part in in_order(&setup, &parts)? {
                while turn(&setup, part)? {}
            }
            // What was the best of PyTorch may be so no more.
            for part in &parts {
                if is_outdated(&setup, part)? {
                    while turn(&setup, part)? {}
                }
            }
        }
    }
    let missing = record::write_report(&setup, &parts)?;
    match missing.is_empty() {
        true => Ok(()),
        false => bail!(
            "not measured yet: {}; call again to go on",
            missing.join(", ")
        ),
    }
}

/// Parts as they are to be measured: what was stopped when its time was over comes later, or it would use up every call; then by
/// rank, and of the same rank what failed before comes after what had no turn.
fn in_order<'a>(setup: &Setup, parts: &'a [Part]) -> Result<Vec<&'a Part>> {
    let mut ranked = Vec::new();
    for part in parts {
        let record = Record::read(&setup.folder, &part.name)?;
        if !part.is_given_up(&record) {
            let failed = record.state == State::Failed;
            ranked.push(((record.full_turns, part.rank(), failed), part));
        }
    }
    ranked.sort_by_key(|(place, _)| *place);
    Ok(ranked.into_iter().map(|(_, part)| part).collect())
}

/// Whether a part was done before others found what it depends on.
fn is_outdated(setup: &Setup, part: &Part) -> Result<bool> {
    let record = Record::read(&setup.folder, &part.name)?;
    Ok(record.state == State::Done && !part.is_done(setup, &record)?)
}

/// One turn of a part that is not done, and the report with it; whether the part goes on and is further than before.
fn turn(setup: &Setup, part: &Part) -> Result<bool> {
    let before = Record::read(&setup.folder, &part.name)?;
    if part.is_done(setup, &before)? {
        eprintln!("{}: measured before", part.name);
        return Ok(false);
    }
    let started = Instant::now();
    let Some(until) = setup.until() else {
        eprintln!("{}: no time is left", part.name);
        return Ok(false);
    };
    eprintln!("{}: {}", part.name, part.section);
    // What another build of asap found is no part of this one's.
    let before = match part.is_of_another_build(setup, &before) {
        true => Record::default(),
        false => before,
    };
    let log = setup.folder.join(Setup::log(part));
    if log.exists() {
        std::fs::remove_file(&log).with_context(|| log.display().to_string())?;
    }
    let terms = Terms {
        until: Some(until),
        log: Some(log.clone()),
        ..Terms::default()
    };
    let outcome = part.measure(setup, &before, &terms);
    let stopped = outcome
        .as_ref()
        .is_err_and(|error| error.downcast_ref::<Stopped>().is_some());
    let stopped = stopped && until.moment >= started + setup.limits.turn / 2;
    let seconds = started.elapsed().as_secs_f64();
    let mut after = before.clone().after(outcome, seconds);
    after.build = part.build(setup);
    after.full_turns = before.full_turns + u64::from(stopped);
    after.log = match log.exists() && after.state != State::Done {
        true => Setup::log(part),
        false => String::new(),
    };
    eprintln!("{}: {}", part.name, after.described());
    after.write(&setup.folder, &part.name)?;
    // After every turn: whoever stops the program here has a report of what there is.
    record::write_report(setup, &part::all())?;
    let further = (&after.markdown, &after.value) != (&before.markdown, &before.value);
    Ok(after.state == State::GoesOn && further)
}

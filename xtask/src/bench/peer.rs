//! `cargo xtask bench --peer PYTHON`: the same step in asap and in PyTorch, in turns, on one machine.
//!
//! Both programs time themselves and print one JSON line. In turns, so that whatever else the machine does falls on
//! both alike; rounds in which either program did not have its threads to itself are left out.

use super::program::{self, Peer};
use super::round::{self, Round};
use super::table;
use crate::cargo;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Settings of the comparison.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Compare with PyTorch, run by this Python; without it criterion runs
    #[arg(long, value_name = "PYTHON")]
    pub(super) peer: Option<PathBuf>,
    /// How often both programs run
    #[arg(long, value_name = "N", default_value_t = 5, requires = "peer", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Which network and batch [default: both]
    #[arg(long, value_enum, requires = "peer")]
    size: Option<Size>,
    /// Which update is timed
    #[arg(long, value_enum, default_value_t = Step::Weight, requires = "peer")]
    step: Step,
    /// Threads of each program [default: as many as the machine has cores]
    #[arg(long, value_name = "N", requires = "peer", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// Give PyTorch this allocator, a shared library: it is faster with it
    #[arg(long, value_name = "PATH", requires = "peer")]
    tcmalloc: Option<PathBuf>,
}

/// A network and a batch that figures are quoted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Size {
    /// 8 channels, 5 cells, 32 images of 28x28
    Small,
    /// 16 channels, 8 cells, 64 images of 32x32, as in the paper
    Paper,
}

impl Size {
    fn arguments(self) -> [&'static str; 8] {
        let [channels, cells, size, batch] = match self {
            Self::Small => ["8", "5", "28", "32"],
            Self::Paper => ["16", "8", "32", "64"],
        };
        [
            "--channels",
            channels,
            "--cells",
            cells,
            "--size",
            size,
            "--batch",
            batch,
        ]
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Paper => "paper",
        }
    }
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Step {
    /// An update of the alphas, then one of the weights
    Search,
    /// An update of the weights
    Weight,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Weight => "weight",
        }
    }

    /// How many forward passes its arithmetic is worth.
    ///
    /// A weight step is worth three: forward, gradients in the inputs, gradients in the weights. An alpha step has
    /// no gradients in the weights, and those in the op weights cost next to nothing.
    pub(super) fn passes(self) -> f64 {
        match self {
            Self::Weight => 3.0,
            Self::Search => 3.0 + 2.0,
        }
    }
}

/// Everything measured at one size.
pub(super) struct Comparison {
    pub(super) size: Size,
    pub(super) step: Step,
    pub(super) threads: u32,
    pub(super) rounds: Vec<Round>,
}

/// Builds asap, runs both programs in turns and prints the table.
///
/// # Errors
/// If Python or a package is missing, a program fails, the programs do not compute the same network, or no round is
/// left at some size.
pub(super) fn run(python: &Path, arguments: &Arguments) -> Result<()> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let threads = arguments.threads.unwrap_or_else(cores);
    let peer = Peer::new(python, arguments.tcmalloc.as_deref())?;
    cargo::run(
        &[
            "build",
            "--release",
            "--package",
            "asap-cli",
            "--bin",
            "asap",
        ],
        &[],
    )?;
    let asap = program::asap()?;
    let sizes = match arguments.size {
        Some(size) => vec![size],
        None => vec![Size::Small, Size::Paper],
    };
    let threads_text = threads.to_string();
    let mut comparisons = Vec::new();
    for size in sizes {
        let step = arguments.step;
        let mut comparison = Comparison {
            size,
            step,
            threads,
            rounds: Vec::new(),
        };
        let options = [
            &size.arguments()[..],
            &["--threads", &threads_text, "--step", step.name()],
        ]
        .concat();
        for number in 1..=arguments.rounds {
            let peak = program::line(&asap, &["bench", "peak", "--threads", &threads_text], None)?;
            let ours = program::line(&asap, &[&["bench", "step"][..], &options].concat(), None)?;
            let theirs = peer.step(&options)?;
            let round = Round::new(&peak, &ours, &theirs)
                .with_context(|| format!("round {number} at size {}", size.name()))?;
            eprintln!(
                "{}",
                round::described(&round, number, size.name(), f64::from(threads))
            );
            comparison.rounds.push(round);
        }
        comparisons.push(comparison);
    }
    print(&table::table(&comparisons));
    let empty = comparisons
        .iter()
        .find(|comparison| comparison.quiet().is_empty());
    if let Some(Comparison { size, .. }) = empty {
        bail!(
            "size {}: no round is left; repeat it when the machine is quiet",
            size.name()
        );
    }
    Ok(())
}

impl Comparison {
    /// The rounds that count.
    pub(super) fn quiet(&self) -> Vec<&Round> {
        let threads = f64::from(self.threads);
        let rounds = self.rounds.iter();
        rounds.filter(|round| round.is_quiet(threads)).collect()
    }
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn print(table: &str) {
    print!("{table}");
}

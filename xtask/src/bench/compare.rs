//! `cargo xtask bench --peer PYTHON`: the same step in asap and in PyTorch, in turns, on one machine.
//!
//! All programs time themselves and print one JSON line. In turns, so that whatever else the machine does falls on
//! all alike; rounds in which a program did not have its threads to itself are left out.

use super::gpu;
use super::losses;
use super::options::Arguments;
use super::program::{Programs, require_peer};
use super::round::{self, Round};
use super::subject::Subject;
use super::table;
use crate::cargo;
use crate::process::Terms;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Everything measured about a subject.
pub(super) struct Comparison {
    pub(super) subject: Subject,
    pub(super) rounds: Vec<Round>,
}

/// Builds asap, runs the programs in turns and prints the table.
///
/// # Errors
/// If options do not go together, Python or a package is missing, a program fails, the programs do not compute the
/// same, or no round is left of a subject.
pub(super) fn run(python: &Path, arguments: &Arguments) -> Result<()> {
    if let Some(gpu) = arguments.gpu()? {
        return gpu::run(python, arguments, &gpu);
    }
    let subjects = arguments.subjects()?;
    // Before minutes of building.
    require_peer(python, &Terms::default())?;
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
    let programs = Programs::find(python, arguments.tcmalloc.as_deref())?;
    if arguments.losses {
        return losses::run(&programs, &subjects, None);
    }
    let mut comparisons = Vec::new();
    for subject in subjects {
        comparisons.push(compare(&programs, subject, arguments.rounds as usize)?);
    }
    print(&table::table(&comparisons));
    let empty = comparisons
        .iter()
        .find(|comparison| comparison.quiet().is_empty());
    match empty {
        Some(Comparison { subject, .. }) => bail!(
            "{}: no round is left; repeat it when the machine is quiet",
            subject.name
        ),
        None => Ok(()),
    }
}

fn compare(programs: &Programs, subject: Subject, wanted: usize) -> Result<Comparison> {
    let mut comparison = Comparison {
        subject,
        rounds: Vec::new(),
    };
    while comparison.goes_on(wanted) {
        let (subject, number) = (&comparison.subject, comparison.rounds.len() + 1);
        let round = Round::measure(programs, subject)
            .with_context(|| format!("{}, round {number}", subject.name))?;
        eprintln!("{}", round::described(subject, number, &round));
        comparison.rounds.push(round);
    }
    Ok(comparison)
}

impl Comparison {
    /// The rounds that count.
    pub(super) fn quiet(&self) -> Vec<&Round> {
        self.rounds
            .iter()
            .filter(|round| round.is_quiet())
            .collect()
    }

    /// Whether rounds are missing that may still come.
    fn goes_on(&self, wanted: usize) -> bool {
        self.quiet().len() < wanted && self.rounds.len() < 2 * wanted
    }
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
pub(super) fn print(table: &str) {
    print!("{table}");
}

#[cfg(test)]
mod tests {
    use super::super::round::Run;
    use super::super::subject::{Size, Step};
    use super::*;

    fn round(busy: f64) -> Round {
        let run = Run {
            threads: 2,
            seconds: 1.0,
            cpu_seconds: busy,
            peak_mib: 2.0,
            base_mib: 1.0,
            macs: 1.0,
            peak_gflops: 1.0,
        };
        Round(vec![run, run])
    }

    #[test]
    fn rounds_go_on_until_enough_count_or_twice_as_many_ran() {
        for (busy, expected) in [
            (&[2.0, 2.0][..], true),
            (&[2.0, 2.0, 2.0], false),
            (&[2.0, 1.0, 2.0], true),
            (&[1.0, 1.0, 1.0, 1.0, 1.0], true),
            (&[1.0, 1.0, 1.0, 1.0, 1.0, 2.0], false),
        ] {
            let comparison = Comparison {
                subject: Subject::search(Size::Small, Step::Weight, 2),
                rounds: busy.iter().map(|busy| round(*busy)).collect(),
            };
            assert_eq!(comparison.goes_on(3), expected, "{busy:?}");
        }
    }
}

//! `cargo xtask bench --peer PYTHON --device cuda`: the same step in asap and in PyTorch on one GPU.
//!
//! PyTorch is tried in all its configurations; the fastest then takes turns with asap.

use super::bound::{Card, Kernel, bound_seconds, share_near_bound};
use super::compare::print;
use super::configuration::{Configuration, Gpu, Precision, Trial, fastest};
use super::contest::{Contest, runs};
use super::gpu_table::{HEADER, Measured, rows};
use super::losses;
use super::options::Arguments;
use super::program::{Programs, require_peer};
use crate::cuda;
use crate::process::{Terms, Until};
use anyhow::{Context, Result};
use std::path::Path;
use std::time::{Duration, Instant};

/// The precisions that PyTorch is tried in.
const PEER_PRECISIONS: [Precision; 2] = [Precision::Tf32, Precision::Bf16];

/// What a configuration gets at most: PyTorch's compiler takes about 20 minutes for a search step at size `paper`.
const MOST_TRIAL: Duration = Duration::from_secs(40 * 60);

/// Builds asap unless a program is given, runs the programs and prints the table.
///
/// # Errors
/// If options do not go together, a program is missing or fails, or the programs do not compute the same.
pub(super) fn run(python: &Path, arguments: &Arguments, gpu: &Gpu) -> Result<()> {
    let subjects = arguments.subjects()?;
    let asap = match &arguments.program {
        Some(program) => program.clone(),
        None => {
            // Before minutes of building.
            require_peer(python, &Terms::default())?;
            cuda::build(&[])?
        }
    };
    let folder = asap.with_file_name("peer");
    let programs = Programs::on_gpu(&asap, python, &folder, Terms::default())?;
    if arguments.losses {
        return losses::run(&programs, &subjects, Some(gpu));
    }
    let mut text = HEADER.to_owned();
    for subject in &subjects {
        let contest = Contest {
            programs: &programs,
            subject,
            gpu,
        };
        let rows = compare(&contest, arguments.rounds as usize);
        text += &rows.with_context(|| subject.name.clone())?;
    }
    print(&text);
    Ok(())
}

fn compare(contest: &Contest<'_>, wanted: usize) -> Result<String> {
    let (subject, gpu) = (contest.subject, contest.gpu);
    // First: where asap finds no GPU, nothing is to be compared.
    let profile = contest.profile()?;
    let mut trials: Vec<Trial> = Vec::new();
    for configuration in Configuration::all(&PEER_PRECISIONS) {
        let mut programs = contest.programs.clone();
        programs.set_terms(Terms {
            until: Some(Until {
                moment: Instant::now() + MOST_TRIAL,
                grace: Duration::ZERO,
            }),
            ..Terms::default()
        });
        let trial = Contest {
            programs: &programs,
            ..*contest
        };
        let line = trial.try_out(configuration, &trials);
        let said = match &line {
            Ok(line) => format!("{} s", line["median_step_s"]),
            Err(error) => format!("{error:#}"),
        };
        eprintln!("{}, PyTorch {}: {said}", subject.name, configuration.name());
        trials.push((configuration, line.ok()));
    }
    let best = fastest(&trials).context("PyTorch works in no configuration")?;
    let kernels = Kernel::all(&profile)?;
    let card = Card::named(profile["device"].as_str().unwrap_or(""));
    if let Some(card) = card {
        let share = 100.0 * share_near_bound(&kernels, card, gpu.precision);
        eprintln!(
            "{}: {share:.0} % of the time of asap's kernels is above half of their bound",
            subject.name
        );
    }
    let mut rounds = Vec::new();
    for number in 1..=wanted {
        let lines = contest.round(best, &trials)?;
        let round = runs(subject, &lines)?;
        for (contender, run) in subject.contenders.iter().zip(&round) {
            let (name, milliseconds) = (contender.name, run.seconds * 1e3);
            eprintln!(
                "{}, round {number}: {name} {milliseconds:.3} ms",
                subject.name
            );
        }
        rounds.push(round);
    }
    Ok(rows(&Measured {
        subject,
        precision: gpu.precision,
        best,
        rounds,
        bound_seconds: card.map(|card| bound_seconds(&kernels, card, gpu.precision)),
    }))
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// What the comparison on a GPU ends with.
    fn error(python: &Path, words: &[&str]) -> String {
        let arguments = Arguments::parsed(&[&["--device", "cuda"], words].concat()).unwrap();
        let gpu = arguments.gpu().unwrap().unwrap();
        format!("{:#}", run(python, &arguments, &gpu).unwrap_err())
    }

    #[test]
    fn a_python_that_does_not_work_is_told_before_anything_is_built() {
        let error = error(Path::new("no-such-python"), &[]);
        assert!(error.contains("cannot start no-such-python"), "{error}");
    }

    #[test]
    fn where_asap_finds_no_gpu_pytorch_is_not_tried() {
        let name = format!("bench-without-a-gpu-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let [asap, python] = [
            ("asap", "echo 'the driver finds no GPU' >&2; exit 1"),
            ("python", "[ \"$1\" = -c ] || touch \"$0-was-tried\""),
        ]
        .map(|(name, script)| {
            let path = folder.join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        });
        let error = error(&python, &["--program", &asap.display().to_string()]);
        assert!(error.contains("the driver finds no GPU"), "{error}");
        assert!(!folder.join("python-was-tried").exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

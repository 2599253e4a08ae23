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
use super::program::Programs;
use crate::cuda;
use anyhow::{Context, Result};
use std::path::Path;

/// The precisions that PyTorch is tried in.
const PEER_PRECISIONS: [Precision; 2] = [Precision::Tf32, Precision::Bf16];

/// Builds asap unless a program is given, runs the programs and prints the table.
///
/// # Errors
/// If options do not go together, a program is missing or fails, or the programs do not compute the same.
pub(super) fn run(python: &Path, arguments: &Arguments, gpu: &Gpu) -> Result<()> {
    let subjects = arguments.subjects()?;
    let asap = match &arguments.program {
        Some(program) => program.clone(),
        None => cuda::build(&[])?,
    };
    let programs = Programs::on_gpu(&asap, python, &asap.with_file_name("peer"))?;
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
    let mut trials: Vec<Trial> = Vec::new();
    for configuration in Configuration::all(&PEER_PRECISIONS) {
        let line = contest.try_out(configuration, &trials);
        let said = match &line {
            Ok(line) => format!("{} s", line["median_step_s"]),
            Err(error) => format!("{error:#}"),
        };
        eprintln!("{}, PyTorch {}: {said}", subject.name, configuration.name());
        trials.push((configuration, line.ok()));
    }
    let best = fastest(&trials).context("PyTorch works in no configuration")?;
    let profile = contest.profile()?;
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

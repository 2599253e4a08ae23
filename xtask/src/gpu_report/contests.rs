//! The parts that time a step beside PyTorch: each configuration of PyTorch, then the best of them in turns with asap.

use super::Setup;
use super::part::Piece;
use super::record::{Outcome, Record, State};
use crate::bench::bound::{Card, Kernel, bound_seconds};
use crate::bench::configuration::{Configuration, Precision, Trial, fastest};
use crate::bench::contest::{Contest, runs};
use crate::bench::gpu_table::{Measured, rows};
use crate::bench::program::number;
use crate::process::Terms;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

pub(super) const TRIAL_HEAD: &str = "\
| configuration | layout | step, ms | device memory, MiB | until it was warm, s | PyTorch | card |
|---|---|---|---|---|---|---|
";
/// Rounds that a figure needs.
const ROUNDS: usize = 5;

/// The part of a configuration.
pub(super) fn trial_name(piece: Piece, configuration: Configuration) -> String {
    format!("{}-{}", piece.name(), configuration.name())
}

/// PyTorch in one configuration.
///
/// # Errors
/// If it does not work, or not in time.
pub(super) fn trial(
    setup: &Setup,
    piece: Piece,
    configuration: Configuration,
    terms: &Terms,
) -> Result<Outcome> {
    let contest = Contest {
        programs: &setup.programs(terms)?,
        subject: &piece.subject(),
        gpu: &Setup::gpu(configuration.precision),
    };
    let line = contest.try_out(configuration, &trials(&setup.folder, piece)?)?;
    let word = |field: &str| line[field].as_str().unwrap_or_default();
    let markdown = format!(
        "| {} | {} | {:.3} | {:.0} | {:.0} | {} | {} |\n",
        configuration.name(),
        word("layout"),
        number(&line, "median_step_s")? * 1e3,
        number(&line, "device_bytes")? / f64::from(1 << 20),
        number(&line, "warmup_s")?,
        word("torch"),
        word("device"),
    );
    Ok(Outcome::new(true, markdown, line))
}

/// What came of the configurations that had their turn.
pub(super) fn trials(folder: &Path, piece: Piece) -> Result<Vec<Trial>> {
    let trial = |configuration| -> Result<Trial> {
        let record = Record::read(folder, &trial_name(piece, configuration))?;
        let line = (record.state == State::Done).then_some(record.value);
        Ok((configuration, line))
    };
    piece.configurations().into_iter().map(trial).collect()
}

/// Whether rounds are beside the best configuration of PyTorch known by now.
///
/// # Errors
/// If what has been measured cannot be read.
pub(super) fn are_beside_best(folder: &Path, piece: Piece, record: &Record) -> Result<bool> {
    let best = fastest(&trials(folder, piece)?).map(Configuration::name);
    Ok(best.is_none_or(|name| record.value["best"] == name.as_str()))
}

/// The configurations of PyTorch that have no figure, and why.
///
/// # Errors
/// If what has been measured cannot be read.
pub(super) fn not_timed(folder: &Path, piece: Piece) -> Result<Option<String>> {
    let mut left = Vec::new();
    for configuration in piece.configurations() {
        let record = Record::read(folder, &trial_name(piece, configuration))?;
        let why = match record.state {
            State::Done => continue,
            State::Missing => "not tried yet".to_owned(),
            _ => record.described(),
        };
        left.push(format!("{}: {why}", configuration.name()));
    }
    let name = piece.subject().name;
    let said = || format!("PyTorch was not timed ({name}) in {}", left.join("; "));
    Ok((!left.is_empty()).then(said))
}

/// Rounds of asap and PyTorch at its best, as many as there is time for.
///
/// # Errors
/// If no configuration of PyTorch has worked yet, or a program fails.
pub(super) fn rounds(
    setup: &Setup,
    piece: Piece,
    precision: Precision,
    before: &Record,
    terms: &Terms,
) -> Result<Outcome> {
    let trials = trials(&setup.folder, piece)?;
    let best = fastest(&trials).context("no configuration of PyTorch has been timed")?;
    let subject = piece.subject();
    let contest = Contest {
        programs: &setup.programs(terms)?,
        subject: &subject,
        gpu: &Setup::gpu(precision),
    };
    let name = best.name();
    // Rounds beside another configuration are no rounds of this comparison.
    let kept = Some(&before.value).filter(|value| value["best"] == name.as_str());
    let mut lines: Vec<Vec<Value>> = kept
        .and_then(|value| serde_json::from_value(value["rounds"].clone()).ok())
        .unwrap_or_default();
    let profile = match kept.map(|value| &value["profile"]) {
        Some(profile) => profile.clone(),
        None => contest.profile()?,
    };
    let is_over = |moment| terms.until.is_some_and(|until| moment >= until.moment);
    let mut added = false;
    while lines.len() < ROUNDS {
        let started = Instant::now();
        match contest.round(best, &trials) {
            Ok(round) => lines.push(round),
            // The last round of a turn may be cut off, or fail; those before it count.
            Err(_) if added => break,
            Err(error) => return Err(error),
        }
        added = true;
        if is_over(Instant::now() + started.elapsed()) {
            break;
        }
    }
    let card = Card::named(profile["device"].as_str().unwrap_or(""));
    let kernels = Kernel::all(&profile)?;
    let rounds = lines.iter().map(|round| runs(&subject, round));
    let markdown = rows(&Measured {
        subject: &subject,
        precision,
        best,
        rounds: rounds.collect::<Result<_>>()?,
        bound_seconds: card.map(|card| bound_seconds(&kernels, card, precision)),
    });
    let done = lines.len() >= ROUNDS;
    let value = json!({ "best": name, "profile": profile, "rounds": lines });
    Ok(Outcome::new(done, markdown, value))
}

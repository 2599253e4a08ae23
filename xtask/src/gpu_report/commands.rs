//! The parts that are one or a few commands: the machine, agreement, the search for memory errors, losses.

use super::Setup;
use super::part::Piece;
use super::record::Outcome;
use crate::bench::configuration::Precision;
use crate::bench::losses as loss_table;
use crate::process::{self, Stopped, Terms};
use anyhow::{Result, bail, ensure};
use serde_json::Value;
use std::process::Command;

pub(super) const AGREE_HEAD: &str = "\
| precision | `asap bench agree --device cuda` |
|---|---|
";
/// The driver's program that describes cards.
const CARDS: &str = "nvidia-smi";
/// The search for memory errors.
const SANITIZER: &str = "compute-sanitizer";
/// What PyTorch is, on that machine.
const VERSIONS: &str =
    "import torch; print('PyTorch', torch.__version__, 'for CUDA', torch.version.cuda)";

fn done(markdown: String) -> Outcome {
    Outcome::new(true, markdown, Value::Null)
}

/// As it stands; nothing where there is nothing.
fn quoted(text: &str) -> String {
    match text.trim_end() {
        "" => String::new(),
        text => format!("```text\n{text}\n```\n"),
    }
}

fn not_installed(program: &str) -> String {
    format!("{program} is not installed")
}

/// The card, the driver and PyTorch.
///
/// # Errors
/// If the driver's program fails.
pub(super) fn device(setup: &Setup, terms: &Terms) -> Result<Outcome> {
    let python = process::run(Command::new(&setup.python).args(["-c", VERSIONS]), terms);
    // A Python that does not work is told by the parts that need it.
    let versions = python.map_or(String::new(), |output| output.stdout);
    let Some(program) = setup.tool(CARDS) else {
        return Ok(Outcome::unavailable(
            quoted(&versions),
            not_installed(CARDS),
        ));
    };
    let cards = process::run(&mut Command::new(program), terms)?.text(CARDS)?;
    Ok(done(quoted(&(cards + &versions))))
}

/// The kernels held to the processor.
///
/// # Errors
/// If asap does not start.
pub(super) fn agree(setup: &Setup, precision: Precision, terms: &Terms) -> Result<Outcome> {
    let arguments = agreement(precision);
    let output = setup.asap(terms)?.asap_output(&[], &arguments)?;
    let lines: Vec<&str> = output.stdout.trim().lines().map(str::trim).collect();
    // A bar would end the cell of the table.
    let lines = lines.join("<br>").replace('|', "\\|");
    let row = match lines.is_empty() {
        true => String::new(),
        false => format!("| {} | {lines} |\n", precision.name()),
    };
    let name = "asap bench agree";
    Ok(match output.text(name) {
        Ok(_) if row.is_empty() => Outcome::wrong(row, format!("{name} printed nothing")),
        Ok(_) => done(row),
        Err(error) if error.is::<Stopped>() => return Err(error),
        Err(error) => Outcome::wrong(row, error.to_string()),
    })
}

fn agreement(precision: Precision) -> [&'static str; 6] {
    let name = precision.name();
    ["bench", "agree", "--device", "cuda", "--precision", name]
}

/// The agreement in the precision that is taken unless told, under NVIDIA's search for memory errors where that is installed.
///
/// # Errors
/// If it finds one.
pub(super) fn sanitize(setup: &Setup, terms: &Terms) -> Result<Outcome> {
    let Some(program) = setup.tool(SANITIZER) else {
        return Ok(Outcome::unavailable(
            String::new(),
            not_installed(SANITIZER),
        ));
    };
    let program = program.display().to_string();
    let starter = [&program, "--error-exitcode", "1"];
    let output = setup
        .asap(terms)?
        .asap_output(&starter, &agreement(Precision::Tf32))?;
    let text = format!("{}{}", output.stdout, output.stderr);
    let summary: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("========="))
        .collect();
    let summary = summary.join("\n");
    if !output.stopped && !output.status.success() {
        bail!("compute-sanitizer ended with {}: {summary}", output.status);
    }
    let findings = ["Invalid", "Race", "Misaligned", "Program hit"]
        .iter()
        .any(|finding| summary.contains(finding));
    ensure!(!findings, "compute-sanitizer: {summary}");
    // Without a finding up to there.
    if output.stopped {
        output.text(SANITIZER)?;
    }
    Ok(done(quoted(&summary)))
}

/// The first losses from the same weights and batches.
///
/// # Errors
/// If a program fails.
pub(super) fn losses(
    setup: &Setup,
    piece: Piece,
    precision: Precision,
    terms: &Terms,
) -> Result<Outcome> {
    let programs = setup.programs(terms)?;
    let subject = piece.subject();
    let losses = loss_table::measure(&programs, &subject, Some(&Setup::gpu(precision)))?;
    let rows = losses.rows(&subject);
    Ok(match losses.judged() {
        Ok(()) => done(rows),
        Err(error) => Outcome::wrong(rows, error.to_string()),
    })
}

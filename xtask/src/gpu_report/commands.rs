//! The parts that are one or a few commands: the machine, agreement, the search for memory errors, losses.

use super::Setup;
use super::part::Piece;
use super::record::Outcome;
use crate::bench::configuration::Precision;
use crate::bench::losses as loss_table;
use crate::process::{self, Until};
use anyhow::{Result, bail, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

pub(super) const AGREE_HEAD: &str = "\
| precision | `asap bench agree --device cuda` |
|---|---|
";
/// The search for memory errors, and where it lies if no folder of programs has it.
const SANITIZER: [&str; 2] = ["compute-sanitizer", "/usr/local/cuda/bin/compute-sanitizer"];
/// What PyTorch is, on that machine.
const VERSIONS: &str =
    "import torch; print('PyTorch', torch.__version__, 'for CUDA', torch.version.cuda)";

fn done(markdown: String) -> Outcome {
    Outcome::new(true, markdown, Value::Null)
}

fn quoted(text: &str) -> String {
    format!("```text\n{}\n```\n", text.trim_end())
}

/// The card, the driver and PyTorch.
///
/// # Errors
/// If the driver's program is missing or fails.
pub(super) fn device(setup: &Setup, until: Until) -> Result<Outcome> {
    let output = process::run(&mut Command::new("nvidia-smi"), Some(until))?;
    let mut text = output.text("nvidia-smi")?;
    // A Python that does not work is told by the parts that need it.
    let python = process::run(
        Command::new(&setup.python).args(["-c", VERSIONS]),
        Some(until),
    );
    if let Ok(output) = python {
        text += &output.stdout;
    }
    Ok(done(quoted(&text)))
}

/// The kernels held to the processor.
///
/// # Errors
/// If asap does not start.
pub(super) fn agree(setup: &Setup, precision: Precision, until: Until) -> Result<Outcome> {
    let arguments = agreement(precision);
    let output = setup.asap(until)?.asap_output(&[], &arguments)?;
    let lines: Vec<&str> = output.stdout.trim().lines().map(str::trim).collect();
    // A bar would end the cell of the table.
    let lines = lines.join("<br>").replace('|', "\\|");
    let row = format!("| {} | {lines} |\n", precision.name());
    Ok(match output.text("asap bench agree") {
        Ok(_) => done(row),
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
pub(super) fn sanitize(setup: &Setup, until: Until) -> Result<Outcome> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let there = |name: &&str| on_path(name) || (name.contains('/') && Path::new(name).is_file());
    let Some(program) = SANITIZER.into_iter().find(there) else {
        bail!("not looked for: compute-sanitizer is not installed on this machine");
    };
    let starter = [program, "--error-exitcode", "1"];
    let output = setup
        .asap(until)?
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
    let (stopped, findings) = (
        output.stopped,
        ["Invalid", "Race", "Misaligned", "Program hit"]
            .iter()
            .any(|finding| summary.contains(finding)),
    );
    ensure!(!findings, "compute-sanitizer: {summary}");
    ensure!(
        !stopped,
        "stopped when its time was over, without a finding up to there"
    );
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
    until: Until,
) -> Result<Outcome> {
    let programs = setup.programs(until)?;
    let subject = piece.subject();
    let losses = loss_table::measure(&programs, &subject, Some(&Setup::gpu(precision)))?;
    let rows = losses.rows(&subject);
    Ok(match losses.judged() {
        Ok(()) => done(rows),
        Err(error) => Outcome::wrong(rows, error.to_string()),
    })
}

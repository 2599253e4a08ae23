//! The parts that take longer than a turn: the search as the paper has it, and trainings of published cells.
//!
//! asap saves when it is interrupted, and the next turn resumes the run in its folder.

use super::Setup;
use super::part::Piece;
use super::record::{Outcome, Record};
use crate::process::Terms;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) const TRAIN_HEAD: &str = "\
| cells | epochs | seconds of training | images per second | validation accuracy | test accuracy |
|---|---|---|---|---|---|
";
/// Images that a training sees in an epoch.
const EPOCH_IMAGES: f64 = 50_000.0;
/// A training has pauses that a timed step has not: the share of its speed that an epoch is planned with.
const SPEED_SHARE: f64 = 0.8;
/// Epochs of a training where no step was timed before.
const EPOCHS: u32 = 20;
/// The search as the paper has it. The training that follows has parts of its own.
pub(super) const SEARCH: [&str; 5] = ["search", "--preset", "paper", "--train-epochs", "1"];
/// What a search leaves behind for others.
const KEPT: [&str; 4] = [
    "genotype.json",
    "ledger.jsonl",
    "report.html",
    "summary.json",
];

/// The search of the preset `paper`, with one epoch of training: what the network found can reach takes days.
///
/// # Errors
/// If asap fails.
pub(super) fn search(setup: &Setup, terms: &Terms) -> Result<Outcome> {
    let place = place(setup, "search");
    let done = go_on(setup, &place, &SEARCH, terms)?;
    if done {
        for name in KEPT {
            let (from, to) = (place.join(name), setup.folder.join(name));
            std::fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    Ok(Outcome::new(done, search_table(&place)?, Value::Null))
}

/// A training of published cells, planned to end in time; what it has reached when its time is over counts too.
///
/// # Errors
/// If asap fails.
pub(super) fn train(
    setup: &Setup,
    genotype: &'static str,
    before: &Record,
    terms: &Terms,
) -> Result<Outcome> {
    let epochs = planned_epochs(setup, genotype)?.to_string();
    let words = training(genotype, &epochs);
    let place = place(setup, &format!("train-{genotype}"));
    let started = Instant::now();
    let ended = go_on(setup, &place, &words, terms)?;
    let spent = before.seconds + started.elapsed().as_secs_f64();
    let done = ended || spent >= setup.limits.training.as_secs_f64();
    Ok(Outcome::new(
        done,
        train_row(genotype, &place)?,
        Value::Null,
    ))
}

/// The training of published cells.
pub(super) fn training<'a>(genotype: &'a str, epochs: &'a str) -> Vec<&'a str> {
    let text = ["train", genotype, "--recipe", "darts", "--epochs", epochs];
    // As the rounds that the epochs are planned by.
    [&text[..], &["--precision", "bf16"]].concat()
}

/// Epochs that fit into the time of a training at the speed that the network's rounds had.
fn planned_epochs(setup: &Setup, genotype: &'static str) -> Result<u32> {
    let rounds = format!("{}-rounds-bf16", Piece::Network(genotype).name());
    let record = Record::read(&setup.folder, &rounds)?;
    let speed = record.value["rounds"][0][0]["images_per_s"].as_f64();
    let images = |speed: f64| SPEED_SHARE * speed * setup.limits.training.as_secs_f64();
    Ok(speed.map_or(EPOCHS, |speed| {
        (images(speed) / EPOCH_IMAGES).floor().max(1.0) as u32
    }))
}

/// The folder of a run: another build of asap has another one.
fn place(setup: &Setup, name: &str) -> PathBuf {
    setup.folder.join(format!("{name}-{}", setup.build))
}

/// Begins or resumes a run for one turn; whether it has ended.
fn go_on(setup: &Setup, place: &Path, words: &[&str], terms: &Terms) -> Result<bool> {
    if place.join("summary.json").is_file() && place.join("report.html").is_file() {
        return Ok(true);
    }
    let folder = place.display().to_string();
    let mut arguments = match place.join("config.toml").is_file() {
        true => vec![words[0], "--resume", &folder],
        false => [words, &["--data", &setup.data, "--out", &folder]].concat(),
    };
    arguments.extend(["--device", "cuda"]);
    let output = setup.asap(terms)?.asap_output(&[], &arguments)?;
    ensure!(
        output.stopped || output.status.success(),
        "asap {} ended with {}: {}",
        words[0],
        output.status,
        output.reason()
    );
    // One that ended by itself while it was asked to stop has ended all the same.
    Ok(output.status.success())
}

/// The lines of a run, one for each epoch of a phase that is over.
fn epochs(place: &Path, phase: &str) -> Result<Vec<Value>> {
    let path = place.join("metrics.jsonl");
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| path.display().to_string())?,
    };
    let lines = text.lines().map(serde_json::from_str::<Value>);
    // The last line may be half written.
    let lines = lines.filter_map(std::result::Result::ok);
    Ok(lines.filter(|line| line["phase"] == phase).collect())
}

/// The results of a run, or null as long as there are none.
fn summary(place: &Path) -> Result<Value> {
    let path = place.join("summary.json");
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Value::Null),
        read => {
            let text = read.with_context(|| path.display().to_string())?;
            serde_json::from_str(&text).with_context(|| path.display().to_string())
        }
    }
}

fn search_table(place: &Path) -> Result<String> {
    let (summary, epochs) = (summary(place)?, epochs(place, "search")?);
    let last = epochs.last().cloned().unwrap_or_default();
    let rows = [
        ("epochs", figure(&last["epoch"], 1.0, 0)),
        ("of", figure(&last["epochs"], 1.0, 0)),
        (
            "operations alive",
            figure(&last["operations_alive"], 1.0, 0),
        ),
        (
            "seconds of the search",
            figure(&summary["search_seconds"], 1.0, 1),
        ),
        ("decisions", figure(&summary["decisions"], 1.0, 0)),
        (
            "of these forced",
            figure(&summary["forced_decisions"], 1.0, 0),
        ),
        (
            "accuracy of the supernet, %",
            figure(&summary["search_val_accuracy"], 100.0, 2),
        ),
        (
            "first weight step, ms",
            figure(&summary["first_weight_step_seconds"], 1e3, 3),
        ),
        (
            "last weight step, ms",
            figure(&summary["last_weight_step_seconds"], 1e3, 3),
        ),
    ];
    let rows = rows.map(|(name, value)| format!("| {name} | {value} |\n"));
    Ok(format!("| what | figure |\n|---|---|\n{}", rows.concat()))
}

fn train_row(genotype: &str, place: &Path) -> Result<String> {
    let (summary, epochs) = (summary(place)?, epochs(place, "train")?);
    let last = epochs.last().cloned().unwrap_or_default();
    Ok(format!(
        "| {genotype} | {} of {} | {} | {} | {} | {} |\n",
        figure(&last["epoch"], 1.0, 0),
        figure(&last["epochs"], 1.0, 0),
        figure(&summary["train_seconds"], 1.0, 0),
        figure(&last["images_per_second"], 1.0, 0),
        figure(&last["val_accuracy"], 100.0, 2),
        figure(&summary["test_accuracy"], 100.0, 2),
    ))
}

/// A number, or nothing where there is none yet.
fn figure(value: &Value, factor: f64, digits: usize) -> String {
    let number = value.as_f64();
    number.map_or(String::new(), |number| {
        format!("{:.digits$}", factor * number)
    })
}

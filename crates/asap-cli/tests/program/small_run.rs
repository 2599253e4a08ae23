//! A search so small that it ends in seconds, on a few made-up pictures.

use crate::place::Place;
use crate::program::{Said, asap};
use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// The files that must not depend on how often a run was stopped.
pub(crate) const RESULTS: [&str; 3] = ["genotype.json", "ledger.jsonl", "network.safetensors"];

/// Settings for pictures in `pictures`: every phase, every kind of step, a checkpoint after each step.
/// One thread: tests run side by side, and teams that wait for one another on few cores take long.
pub(crate) const CONFIG: &str = "\
checkpoint_seconds = 0
threads = 1
[data]
source = \"folder:pictures\"
validation_images = 12
[search]
channels = 2
cells = 3
epochs = 4
steps_per_epoch = 15
batch = 4
[search.adam]
learning_rate = 0.1
[train]
channels = 2
cells = 3
epochs = 2
steps_per_epoch = 10
batch = 4
[search.augmentation]
crop_padding = 1
[train.augmentation]
crop_padding = 1
";

/// A folder with `config.toml` and pictures of three classes.
pub(crate) fn place() -> Place {
    let place = Place::new();
    place.write("small.toml", CONFIG);
    for (class, name) in ["bars", "blobs", "stripes"].iter().enumerate() {
        for number in 0..20 {
            write_picture(
                &place,
                &format!("pictures/{name}/{number}.png"),
                class as u32,
                number,
            );
        }
    }
    place
}

/// A picture of 10x8 pixels that tells its class by a pattern.
pub(crate) fn write_picture(place: &Place, name: &str, class: u32, number: u32) {
    let picture = RgbImage::from_fn(10, 8, |x, y| {
        let bright = match class {
            0 => (x + number) % 4 < 2,
            1 => (x / 3 + y / 3 + number).is_multiple_of(2),
            _ => (y + number) % 4 < 2,
        };
        let noise = (x * 31 + y * 17 + number * 13) % 40;
        let value = if bright { 200 } else { 30 } + noise as u8;
        Rgb([value, value / 2, 255 - value])
    });
    let path = place.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save(path).unwrap();
}

/// A whole small search into `run`, with more arguments.
pub(crate) fn search(place: &Place, run: &str, more: &[&str]) -> Said {
    let arguments = ["search", "--config", "small.toml", "--out", run];
    asap(place.path(), &[&arguments, more].concat())
}

/// The bytes of the [`RESULTS`] of a run.
pub(crate) fn results(run: &Path) -> Vec<Vec<u8>> {
    RESULTS
        .iter()
        .map(|name| fs::read(run.join(name)).unwrap())
        .collect()
}

#[test]
fn a_search_leaves_a_whole_run() {
    let place = place();
    let said = search(&place, "run", &[]);
    let progress = said.stderr.clone();
    let text = said.succeeded();
    assert!(
        text.contains("test accuracy") && text.contains("report"),
        "{text}"
    );
    assert!(
        progress.contains("plan: about") && progress.contains("search epoch 1/4"),
        "{progress}"
    );
    assert!(
        !progress.contains('\r') && !progress.contains('\u{1b}'),
        "no bar without a terminal"
    );
    let run = place.join("run");
    for name in RESULTS.iter().chain(&[
        "config.toml",
        "metrics.jsonl",
        "summary.json",
        "report.html",
    ]) {
        assert!(fs::metadata(run.join(name)).unwrap().len() > 0, "{name}");
    }
    let summary = fs::read_to_string(run.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    for field in [
        "seed",
        "preset",
        "search_seconds",
        "train_seconds",
        "search_val_accuracy",
        "test_accuracy",
        "parameters",
        "macs",
        "discretisation_gap",
        "derivation_difference",
        "decisions",
        "forced_decisions",
        "first_weight_step_seconds",
        "last_weight_step_seconds",
        "peak_rss_mib",
    ] {
        assert!(!summary[field].is_null(), "{field} in {summary}");
    }
    assert!(
        summary["derivation_difference"].as_f64().unwrap() <= 1e-4,
        "{summary}"
    );

    let evaluated = asap(place.path(), &["eval", "run", "--format", "json"]).succeeded();
    let evaluated: serde_json::Value = serde_json::from_str(&evaluated).unwrap();
    assert_eq!(evaluated["accuracy"], summary["test_accuracy"]);

    let listed = asap(place.path(), &["runs", ".", "--thin"]).succeeded();
    assert!(
        listed.contains("run") && listed.contains("finished, test accuracy"),
        "{listed}"
    );
    assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 0);

    let trained = asap(
        place.path(),
        &[
            "train",
            "run",
            "--config",
            "small.toml",
            "--out",
            "again",
            "--epochs",
            "1",
        ],
    );
    assert!(trained.succeeded().contains("test accuracy"));
    let kept = |run: &str| fs::read(place.join(run).join("genotype.json")).unwrap();
    assert_eq!(kept("again"), kept("run"));
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let place = place();
    for (run, seed) in [("one", "7"), ("two", "7"), ("three", "8")] {
        search(&place, run, &["--seed", seed, "--threads", "2"]).succeeded();
    }
    let [one, two, three] = ["one", "two", "three"].map(|run| results(&place.join(run)));
    assert!(one == two, "the same seed gave other bytes");
    assert!(one != three, "another seed gave the same bytes");
}

//! Presets, files and flags.

use crate::place::Place;
use crate::program::asap;

#[test]
fn the_configuration_that_is_printed_reads_back_the_same() {
    let place = Place::new();
    for flags in [
        vec![],
        vec!["--preset", "paper"],
        vec![
            "--seed",
            "3",
            "--ops",
            "darts8",
            "--edge-rule",
            "first-decided",
            "--epochs",
            "4",
        ],
    ] {
        let print = [vec!["search", "--print-config"], flags].concat();
        let text = asap(place.path(), &print).succeeded();
        place.write("my.toml", &text);
        let again = asap(
            place.path(),
            &["search", "--config", "my.toml", "--print-config"],
        );
        assert_eq!(again.succeeded(), text);
    }
}

#[test]
fn flags_stand_over_the_file_and_the_file_over_the_preset() {
    let place = Place::new();
    place.write("my.toml", "seed = 5\n[search]\nbatch = 7\n");
    let print = |flags: &[&str]| {
        let arguments = ["search", "--config", "my.toml", "--print-config"];
        asap(place.path(), &[&arguments, flags].concat()).succeeded()
    };
    let text = print(&[
        "--epochs",
        "9",
        "--preset",
        "paper",
        "--threshold-base",
        "alive",
    ]);
    for line in [
        "seed = 5",
        "epochs = 9",
        "batch = 7",
        "preset = \"paper\"",
        "channels = 16",
        "threshold_base = \"alive\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert!(print(&[]).lines().any(|line| line == "batch = 7"));
}

#[test]
fn every_key_is_printed_under_its_meaning() {
    let text = asap(Place::new().path(), &["search", "--print-config"]).succeeded();
    let mut before = "";
    for line in text.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(before.starts_with("# "), "nothing says what `{line}` means");
        }
        before = line;
    }
}

#[test]
fn a_plan_says_what_to_expect_and_starts_nothing() {
    let place = crate::small_run::place();
    let plan = ["plan", "--config", "small.toml"];
    let text = asap(place.path(), &plan).succeeded();
    for part in [
        "search",
        "training",
        "60 weight steps",
        "MACs per image",
        "memory",
        "forced",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = asap(place.path(), &[&plan[..], &["--format", "json"]].concat()).succeeded();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["search"]["weight_steps"], 60);
    assert!(
        json["search"]["alpha_steps"]
            .as_u64()
            .is_some_and(|steps| (30..60).contains(&steps))
    );
    assert!(
        json["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.0),
        "{json}"
    );
    assert!(!place.join("runs").exists());
}

#[test]
fn a_budget_too_short_for_anything_says_what_would_do() {
    let place = crate::small_run::place();
    let said = crate::small_run::search(&place, "run", &["--budget", "0.001s"]);
    said.failed_with(&["budget", "too short"]);
    assert!(!place.join("run").exists());
}

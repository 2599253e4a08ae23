//! Recipes, sizes of networks, and a cell trained on other images.

use crate::place::Place;
use crate::program::asap;
use crate::small_run::{self, write_picture};
use std::fs;

/// The lines of the configuration that `asap train` with these flags would use.
fn train_config(flags: &[&str]) -> String {
    let place = Place::new();
    asap(
        place.path(),
        &[&["train", "--print-config"], flags].concat(),
    )
    .succeeded()
}

fn has(text: &str, line: &str) -> bool {
    text.lines().any(|found| found == line)
}

#[test]
fn a_printed_configuration_names_its_task_and_its_recipe() {
    for recipe in ["quick", "darts", "asap", "imagenet"] {
        let text = train_config(&["--recipe", recipe]);
        assert!(has(&text, "task = \"train\""), "{text}");
        assert!(has(&text, &format!("recipe = \"{recipe}\"")), "{text}");
        let place = Place::new();
        place.write("my.toml", &text);
        let again = ["train", "--print-config", "--config", "my.toml"];
        assert_eq!(asap(place.path(), &again).succeeded(), text);
    }
    let search = asap(Place::new().path(), &["search", "--print-config"]).succeeded();
    assert!(has(&search, "task = \"search\"") && has(&search, "recipe = \"quick\""));
    let paper = train_config(&["--preset", "paper"]);
    for line in [
        "recipe = \"darts\"",
        "auxiliary_weight = 0.4",
        "drop_path = 0.2",
    ] {
        assert!(has(&paper, line), "{line} in {paper}");
    }
}

#[test]
fn a_recipe_stands_over_a_file_and_flags_stand_over_the_recipe() {
    let place = Place::new();
    place.write("my.toml", "seed = 5\n[train]\nepochs = 7\nbatch = 7\n");
    let flags = [
        "train",
        "--print-config",
        "--config",
        "my.toml",
        "--recipe",
        "asap",
    ];
    let more = ["--batch", "48", "--ema", "0.999", "--network", "large"];
    let text = asap(place.path(), &[&flags[..], &more].concat()).succeeded();
    for line in [
        "seed = 5",
        "epochs = 1500",
        "batch = 48",
        "ema = 0.999",
        "nesterov = true",
        "cycles = 5",
        "auto_augment = true",
        "label_smoothing = 0.1",
        "drop_path = 0.3",
        "channels = 56",
    ] {
        assert!(has(&text, line), "{line} in {text}");
    }
}

#[test]
fn sizes_of_networks_have_the_papers_channels_and_exclude_ones_own() {
    for (size, channels) in [("small", 36), ("medium", 44), ("large", 56)] {
        let text = train_config(&["--recipe", "darts", "--network", size]);
        let train = text.split("[train]").nth(1).unwrap();
        assert!(has(train, &format!("channels = {channels}")) && has(train, "cells = 20"));
    }
    let both = ["train", "ASAP", "--network", "small", "--channels", "8"];
    let said = asap(Place::new().path(), &both);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
}

#[test]
fn fewer_epochs_move_alphas_faster_and_the_plan_says_so() {
    let place = Place::new();
    let rate = |flags: &[&str]| -> f64 {
        let text = asap(
            place.path(),
            &[&["search", "--print-config"], flags].concat(),
        )
        .succeeded();
        let adam = text.split("[search.adam]").nth(1).unwrap().to_owned();
        let line = adam
            .lines()
            .find_map(|line| line.strip_prefix("learning_rate = "));
        line.unwrap().parse().unwrap()
    };
    let preset = rate(&[]);
    assert_eq!(rate(&["--epochs", "18"]), preset);
    assert!((rate(&["--epochs", "72"]) / preset - 0.5).abs() < 0.01);
    assert_eq!(rate(&["--preset", "paper", "--epochs", "10"]), 3e-4);
}

#[test]
fn a_transfer_reports_beside_its_source() {
    let place = small_run::place();
    small_run::search(&place, "source", &[]).succeeded();
    for class in 0..4 {
        for number in 0..15 {
            let name = format!("other/{class}/{number}.png");
            write_picture(&place, &name, class % 3, number + 40 * (class / 3));
        }
    }
    let transfer = ["transfer", "source", "--out", "run", "--size", "12"];
    let missing = asap(place.path(), &transfer);
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
    let data = ["--data", "other", "--ema", "0.9"];
    let text = asap(place.path(), &[&transfer[..], &data].concat()).succeeded();
    for part in [
        "source ",
        "transfer ",
        "4 classes, 12x12",
        "3 classes, 8x10",
        "with averaged weights",
    ] {
        assert!(text.contains(part), "`{part}` in {text}");
    }
    let report = fs::read_to_string(place.join("run/report.html")).unwrap();
    assert!(
        report.contains("<td>classes</td><td>3</td><td>4</td>"),
        "the table of the transfer"
    );
    let genotype = |run: &str| fs::read(place.join(run).join("genotype.json")).unwrap();
    assert_eq!(genotype("run"), genotype("source"));

    let again = [&transfer[..2], &["--out", "third", "--data", "other"]].concat();
    place.write("unfinished/config.toml", "");
    let unfinished = [&["transfer", "unfinished"], &again[2..]].concat();
    asap(place.path(), &unfinished).failed_with(&["unfinished", "no results yet"]);

    let evaluated = asap(place.path(), &["eval", "run", "--flip", "--ema"]).succeeded();
    assert!(
        evaluated.contains("each shown as it is and mirrored"),
        "{evaluated}"
    );
    for part in [
        "precision",
        "recall",
        "calibration error",
        "taken for",
        "images/s",
    ] {
        assert!(evaluated.contains(part), "`{part}` in {evaluated}");
    }
    asap(place.path(), &["eval", "source", "--ema"]).failed_with(&["source", "averaged"]);
}

#[test]
fn a_plan_states_memory_and_disk_and_is_quick_for_any_number_of_epochs() {
    let place = small_run::place();
    let plan = ["plan", "--config", "small.toml", "--epochs", "100000000"];
    let text = asap(place.path(), &plan).succeeded();
    for part in [
        "1,500,000,000 weight steps",
        "of activations for a training step of 4 images",
        "for classifying one",
        "on disk as f32",
        "as f16",
        "alphas    learning rate 1.0e-1, and ",
    ] {
        assert!(text.contains(part), "`{part}` in {text}");
    }
    let json = ["plan", "--config", "small.toml", "--format", "json"];
    let json = asap(place.path(), &json).succeeded();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for phase in ["search", "train"] {
        let figure = |name: &str| json[phase][name].as_u64().unwrap();
        assert!(figure("disk_f32_bytes") == 2 * figure("disk_f16_bytes"));
        assert!(figure("training_activation_bytes") > figure("inference_activation_bytes"));
        assert!(figure("parameters") > 0 && figure("macs") > 0);
    }
}

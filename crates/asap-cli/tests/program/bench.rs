//! `asap bench step` prints what the PyTorch program prints; `asap bench batches` a share.

use crate::place::Place;
use crate::program::asap;
use serde_json::Value;

const SMALL: [&str; 12] = [
    "bench",
    "step",
    "--channels",
    "2",
    "--cells",
    "3",
    "--size",
    "8",
    "--batch",
    "4",
    "--threads",
    "2",
];

fn step(more: &[&str]) -> Value {
    let text = asap(Place::new().path(), &[&SMALL, more].concat()).succeeded();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_kind_of_step_has_every_field() {
    for kind in ["weight", "alpha", "search"] {
        let report = step(&["--steps", "3", "--warmup", "1", "--step", kind]);
        for field in [
            "median_step_s",
            "min_step_s",
            "images_per_s",
            "macs_per_image",
            "weights",
            "loss",
            "channels",
            "cells",
            "size",
            "batch",
            "threads",
        ] {
            assert!(
                report[field].as_f64().is_some_and(|value| value > 0.0),
                "{field} in {report}"
            );
        }
        assert_eq!(
            (&report["step"], &report["device"]),
            (&kind.into(), &"cpu".into())
        );
        assert_eq!(report["losses"].as_array().unwrap().len(), 4);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn cpu_time_and_memory_are_measured() {
    let report = step(&["--steps", "3"]);
    for field in ["median_cpu_s", "min_cpu_s", "peak_rss_mib", "base_rss_mib"] {
        assert!(
            report[field].as_f64().is_some_and(|value| value > 0.0),
            "{field} in {report}"
        );
    }
    assert!(report["peak_rss_mib"].as_f64() > report["base_rss_mib"].as_f64());
}

#[test]
fn weight_steps_learn_the_batch_they_see() {
    let losses = step(&["--steps", "30", "--warmup", "0"])["losses"].clone();
    let (first, last) = (losses[0].as_f64().unwrap(), losses[29].as_f64().unwrap());
    assert!(last < first / 2.0, "{losses}");
}

#[test]
fn alpha_steps_leave_the_weights_and_lower_the_loss() {
    let losses = step(&["--steps", "40", "--warmup", "0", "--step", "alpha"])["losses"].clone();
    let (first, last) = (losses[0].as_f64().unwrap(), losses[39].as_f64().unwrap());
    // Alphas move by 3e-4 a step: little, but downward.
    assert!(last < first && last > first * 0.8, "{losses}");
}

#[test]
fn a_derived_network_has_fewer_weights_and_no_alphas() {
    let (full, derived) = (
        step(&["--steps", "1"]),
        step(&["--steps", "1", "--genotype", "ASAP"]),
    );
    assert!(derived["weights"].as_u64() < full["weights"].as_u64());
    let arguments = [&SMALL[..], &["--genotype", "ASAP", "--step", "alpha"]].concat();
    asap(Place::new().path(), &arguments).failed_with(&["--step must be weight"]);
}

#[test]
fn the_final_form_has_scales_and_shifts_that_the_search_form_has_not() {
    let genotype = ["--steps", "1", "--genotype", "ASAP"];
    let search = step(&genotype);
    let trained = step(&[&genotype[..], &["--final"]].concat());
    assert_eq!(
        (&search["form"], &trained["form"]),
        (&"search".into(), &"final".into())
    );
    assert!(search["weights"].as_u64() < trained["weights"].as_u64());
    assert_eq!(search["macs_per_image"], trained["macs_per_image"]);
    let said = asap(Place::new().path(), &[&SMALL[..], &["--final"]].concat());
    assert!(said.stderr.contains("--genotype"), "{}", said.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn batches_are_a_share_of_a_search() {
    let sizes = [
        "--channels",
        "2",
        "--cells",
        "3",
        "--size",
        "8",
        "--batch",
        "4",
    ];
    let arguments = [&["bench", "batches"][..], &sizes].concat();
    let text = asap(Place::new().path(), &arguments).succeeded();
    let report: Value = serde_json::from_str(&text).unwrap();
    let figure = |field: &str| report[field].as_f64().unwrap();
    let batches = 2.0 * figure("batch_cpu_s");
    let expected = batches / (batches + figure("step_cpu_s"));
    // Each figure is rounded by itself.
    assert!(
        (figure("share") - expected).abs() < 0.1 * expected,
        "{report}"
    );
    assert!(expected > 0.0 && report["streamed"] == false, "{report}");
}

#[test]
fn sizes_that_make_no_network_are_refused() {
    let place = Place::new();
    for (flag, value) in [
        ("--size", "0"),
        ("--batch", "0"),
        ("--threads", "0"),
        ("--cells", "0"),
    ] {
        asap(place.path(), &["bench", "step", flag, value]).failed_with(&["expected", "found 0"]);
    }
    asap(place.path(), &["bench", "step", "--steps", "0"]).failed_with(&["--steps"]);
    let files = ["bench", "step", "--weights", "nowhere.safetensors"];
    asap(place.path(), &files).failed_with(&["nowhere.safetensors"]);
}

#[test]
fn the_processor_agrees_with_itself_on_every_network() {
    let text = asap(Place::new().path(), &["bench", "agree", "--device", "cpu"]).succeeded();
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(
        text.lines()
            .all(|line| line.contains("on cpu in f32: agrees")),
        "{text}"
    );
}

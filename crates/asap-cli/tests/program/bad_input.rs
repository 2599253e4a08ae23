//! Wrong command lines and files of another kind.

use crate::place::Place;
use crate::program::asap;
use crate::small_run;
use std::fs;

#[test]
fn an_unknown_option_is_named_and_ends_with_code_2() {
    let said = asap(Place::new().path(), &["search", "--frobnicate"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("--frobnicate"), "{}", said.stderr);
    assert!(said.stdout.is_empty());
}

#[test]
fn values_out_of_their_range_are_refused() {
    for (arguments, part) in [
        (vec!["--size", "0"], "pixels"),
        (vec!["--budget", "soon"], "30m"),
        (vec!["--ops", "conv_9x9"], "conv_9x9"),
        (vec!["--edge-rule", "strongest"], "first-decided"),
        (vec!["--resume", "run", "--seed", "1"], "--resume"),
    ] {
        let place = Place::new();
        let said = asap(place.path(), &[vec!["search"], arguments].concat());
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    let said = asap(Place::new().path(), &["search", "--threads", "0"]);
    said.failed_with(&["threads", "at least 1"]);
}

#[test]
fn an_unknown_key_or_a_wrong_value_in_a_configuration_is_named() {
    let place = Place::new();
    for (text, parts) in [
        ("[search]\nepoch = 3\n", ["my.toml", "search.epoch"]),
        (
            "[search]\nepochs = \"three\"\n",
            ["my.toml", "search.epochs"],
        ),
        ("[train]\nbatch = 1\n", ["my.toml", "train.batch"]),
        ("preset = \"slow\"\n", ["my.toml", "slow"]),
        ("[search\n", ["my.toml", "TOML"]),
    ] {
        place.write("my.toml", text);
        let said = asap(place.path(), &["search", "--config", "my.toml"]);
        said.failed_with(&parts);
    }
    asap(place.path(), &["search", "--config", "none.toml"]).failed_with(&["none.toml"]);
}

#[test]
fn a_genotype_of_another_space_is_refused_by_name_of_file_and_operation() {
    let place = Place::new();
    let good = asap(place.path(), &["show", "ASAP", "--format", "json"]).succeeded();
    place.write("cell.json", good.replace("sep_conv_3x3", "nor_conv_3x3"));
    for command in ["show", "train"] {
        let said = asap(place.path(), &[command, "cell.json"]);
        said.failed_with(&["cell.json", "nor_conv_3x3"]);
    }
    place.write("cut.json", &good[..good.len() / 2]);
    asap(place.path(), &["show", "cut.json"]).failed_with(&["cut.json"]);
    asap(place.path(), &["train", "NOBODYS_CELL"]).failed_with(&["NOBODYS_CELL", "DARTS_V2"]);
}

#[test]
fn a_run_that_is_not_there_or_is_there_already_is_named() {
    let place = small_run::place();
    asap(place.path(), &["search", "--resume", "nowhere"]).failed_with(&["nowhere", "no run"]);
    asap(place.path(), &["eval", "nowhere"]).failed_with(&["nowhere"]);
    place.write("run/config.toml", "");
    small_run::search(&place, "run", &[]).failed_with(&["run", "already holds a run"]);
    assert_eq!(
        fs::read_to_string(place.join("run/config.toml")).unwrap(),
        ""
    );
    let empty = asap(place.path(), &["runs", "nowhere"]);
    assert_eq!(empty.succeeded(), "");
}

#[test]
fn a_network_cut_short_is_named() {
    let place = Place::new();
    place.write("network.safetensors", [40, 0, 0, 0, 0, 0, 0, 0, b'{']);
    asap(place.path(), &["eval", "network.safetensors"]).failed_with(&["network.safetensors"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_network_larger_than_the_memory_is_refused_with_the_sizes() {
    let place = small_run::place();
    for command in [
        vec!["search", "--config", "small.toml"],
        vec!["plan", "--config", "small.toml"],
    ] {
        let said = asap(
            place.path(),
            &[&command[..], &["--channels", "40000"]].concat(),
        );
        said.failed_with(&["memory", "available"]);
    }
    assert!(!place.join("runs").exists());
    let said = asap(place.path(), &["bench", "step", "--channels", "40000"]);
    said.failed_with(&["memory", "available"]);
}

#[test]
fn a_device_that_is_none_is_refused_and_named() {
    let said = asap(Place::new().path(), &["search", "--device", "gpu"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(said.stderr.contains("cuda:N, found gpu"), "{}", said.stderr);
    for command in [["bench", "step"], ["bench", "agree"]] {
        let arguments = [&command[..], &["--device", "cpu", "--precision", "tf32"]].concat();
        asap(Place::new().path(), &arguments).failed_with(&[
            "--precision",
            "f32 on the CPU",
            "tf32",
        ]);
    }
    let profile = ["bench", "step", "--device", "cpu", "--profile"];
    asap(Place::new().path(), &profile).failed_with(&["--profile", "GPU"]);
}

/// A build with CUDA says something else, and what depends on the machine.
#[cfg(not(feature = "cuda"))]
#[test]
fn a_build_without_cuda_says_so_before_anything_is_written() {
    let place = Place::new();
    for arguments in [
        vec!["search", "--out", "run"],
        vec!["train", "ASAP", "--out", "run"],
        vec!["bench", "step"],
        vec!["bench", "agree"],
    ] {
        let arguments = [arguments, vec!["--device", "cuda:1"]].concat();
        let said = asap(place.path(), &arguments);
        said.failed_with(&["built without CUDA", "cargo xtask cuda build"]);
    }
    // Which device a run goes on with depends on the run: that comes first.
    let resumed = ["search", "--resume", "run", "--device", "cuda:1"];
    asap(place.path(), &resumed).failed_with(&["run holds no run"]);
    let precision = ["train", "ASAP", "--precision", "bf16"];
    asap(place.path(), &precision).failed_with(&["--precision", "f32 on the CPU"]);
    assert!(!place.path().join("run").exists());
}

//! Runs that fail on the way: one line, and what was saved before stays readable.

use crate::place::Place;
use crate::program::asap;
use crate::small_run;
use std::fs;

/// The small configuration with a line changed.
fn with(place: &Place, from: &str, to: &str) {
    let text = small_run::CONFIG.replace(from, to);
    assert_ne!(text, small_run::CONFIG);
    place.write("small.toml", text);
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_and_leaves_it_readable() {
    let place = small_run::place();
    with(
        &place,
        "[search.adam]",
        "[search.learning_rate]\nfrom = 1e6\nto = 1e6\n[search.adam]",
    );
    small_run::search(&place, "run", &[]).failed_with(&[
        "NaN",
        "learning rate 1000000",
        "checkpoints/search-",
    ]);
    let listed = asap(place.path(), &["runs", "."]).succeeded();
    assert!(listed.contains("failed: "), "{listed}");
    asap(place.path(), &["show", "run"]).succeeded();
    assert!(place.join("run/report.html").exists());
}

#[test]
fn a_checkpoint_of_another_configuration_is_refused() {
    let place = small_run::place();
    small_run::search(&place, "run", &[]).succeeded();
    fs::remove_file(place.join("run/summary.json")).unwrap();
    let config = place.join("run/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("seed = 0", "seed = 1")).unwrap();
    let said = asap(place.path(), &["search", "--resume", "run"]);
    said.failed_with(&["checkpoints", "seed"]);
}

#[test]
fn a_checkpoint_cut_short_is_named() {
    let place = small_run::place();
    small_run::search(&place, "run", &[]).succeeded();
    fs::remove_file(place.join("run/summary.json")).unwrap();
    for entry in fs::read_dir(place.join("run/checkpoints")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    let said = asap(place.path(), &["search", "--resume", "run"]);
    said.failed_with(&["checkpoints", ".safetensors"]);
}

#[test]
fn a_place_that_takes_no_folder_is_named() {
    let place = small_run::place();
    place.write("file", "");
    small_run::search(&place, "file/run", &[]).failed_with(&["file/run"]);
}

#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_ends_the_run_and_leaves_it_readable() {
    use crate::program::said;
    use std::process::Command;

    let place = small_run::place();
    // A limit on the size of files stands for a full disk: writes fail in the middle of a file.
    let script = "trap '' XFSZ; ulimit -f 24; exec \"$0\" search --config small.toml --out run";
    let mut shell = Command::new("sh");
    shell
        .current_dir(place.path())
        .args(["-c", script, env!("CARGO_BIN_EXE_asap")]);
    let said = said(shell.output().unwrap());
    said.failed_with(&["run/"]);
    let listed = asap(place.path(), &["runs", "."]).succeeded();
    assert!(listed.contains("run"), "{listed}");
    asap(place.path(), &["show", "run", "--format", "json"]).succeeded();
}

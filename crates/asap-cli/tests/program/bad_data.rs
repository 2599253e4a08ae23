//! Data that is missing, cut short or broken: one line that names the file, and no run.

use crate::place::Place;
use crate::program::{Said, asap};
use crate::small_run;
use std::fs;
use std::path::{Path, PathBuf};

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

fn search(place: &Place, data: &str) -> Said {
    let said = asap(place.path(), &["search", "--data", data, "--out", "run"]);
    assert!(!place.join("run").exists(), "a run was begun");
    said
}

fn embedded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/fashion-mnist")
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    search(&Place::new(), "nowhere").failed_with(&["nowhere"]);
    search(&Place::new(), "cifar10:nowhere").failed_with(&["nowhere"]);
}

#[test]
fn a_gzip_file_cut_short_is_named() {
    let place = Place::new();
    for name in FILES.map(|name| format!("{name}.gz")) {
        let mut bytes = fs::read(embedded().join(&name)).unwrap();
        if name.starts_with("train-images") {
            bytes.truncate(bytes.len() / 2);
        }
        place.write(&format!("idx/{name}"), bytes);
    }
    search(&place, "idx").failed_with(&["train-images-idx3-ubyte.gz"]);
    asap(place.path(), &["data", "verify", "idx"]).failed_with(&["train-images-idx3-ubyte.gz"]);
}

#[test]
fn an_idx_file_cut_short_is_named() {
    let place = Place::new();
    let images = |count: u32| {
        let header = [0x803, count, 8, 8].map(u32::to_be_bytes).concat();
        [header, vec![0; count as usize * 64]].concat()
    };
    let labels = |count: u32| {
        let header = [0x801, count].map(u32::to_be_bytes).concat();
        [header, (0..count).map(|i| (i % 3) as u8).collect()].concat()
    };
    let short = images(30)[..1000].to_vec();
    for (name, bytes) in FILES
        .iter()
        .zip([images(30), labels(30), short, labels(30)])
    {
        place.write(&format!("idx/{name}"), bytes);
    }
    asap(place.path(), &["data", "info", "idx"]).failed_with(&["t10k-images-idx3-ubyte"]);
}

#[test]
fn a_class_with_one_image_is_named() {
    let place = small_run::place();
    small_run::write_picture(&place, "pictures/alone/1.png", 0, 0);
    search(&place, "pictures").failed_with(&["alone"]);
}

#[test]
fn an_unreadable_picture_among_good_ones_is_named_and_can_be_left_out() {
    let place = small_run::place();
    place.write("pictures/bars/broken.png", "no picture");
    search(&place, "pictures").failed_with(&["broken.png"]);
    let said = small_run::search(&place, "run", &["--skip-bad"]);
    assert!(said.stderr.contains("broken.png"), "{}", said.stderr);
    said.succeeded();
}

#[test]
fn images_too_small_for_the_network_are_refused() {
    let place = small_run::place();
    let said = small_run::search(&place, "run", &["--size", "1"]);
    said.failed_with(&["pixels", "1"]);
    assert!(!place.join("run").exists());
}

//! `asap show` in every format, and `asap data` on the data set that comes with the project.

use crate::place::Place;
use crate::program::asap;

fn show(arguments: &[&str]) -> String {
    asap(Place::new().path(), &[&["show"], arguments].concat()).succeeded()
}

/// From the golden counts: 20 cells and 36 channels on CIFAR-10.
#[test]
fn a_published_cell_is_shown_with_the_size_of_its_network() {
    let text = show(&["ASAP"]);
    assert!(
        text.contains("sep_conv_3x3") && text.contains("reduction cell"),
        "{text}"
    );
    assert!(text.contains("2,538,046 parameters"), "{text}");
    assert!(show(&["DARTS_V2", "--channels", "44"]).contains("4,949,350 parameters"));
}

#[test]
fn every_format_of_a_genotype_reads_back_the_same() {
    let place = Place::new();
    let json = show(&["XNAS", "--format", "json"]);
    for (name, format) in [("cell.json", "json"), ("cell.py", "darts")] {
        place.write(name, show(&["XNAS", "--format", format]));
        let again = asap(place.path(), &["show", name, "--format", "darts"]).succeeded();
        assert_eq!(again, show(&["XNAS", "--format", "darts"]));
    }
    place.write("cell.json", &json);
    assert_eq!(
        asap(place.path(), &["show", "cell.json", "--format", "json"]).succeeded(),
        json
    );
}

#[test]
fn drawings_are_drawings() {
    assert!(show(&["ASAP", "--format", "dot"]).starts_with("digraph"));
    let svg = show(&["ASAP", "--format", "svg"]);
    assert!(
        svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"),
        "{svg}"
    );
}

#[test]
fn the_data_set_of_the_project_is_whole() {
    let place = Place::new();
    let text = asap(place.path(), &["data", "verify"]).succeeded();
    assert!(text.contains("4 files are as the manifest says"), "{text}");
    let text = asap(place.path(), &["data", "info", "--format", "json"]).succeeded();
    let counts: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(counts.len(), 2);
    assert_eq!(
        (&counts[0]["images"], &counts[1]["images"]),
        (&60_000.into(), &10_000.into())
    );
}

#[test]
fn known_data_sets_are_listed_and_those_not_here_say_how_to_come() {
    let place = Place::new();
    let data = |arguments: &[&str]| asap(place.path(), &[&["data"], arguments].concat());
    let text = data(&["list"]).succeeded();
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(
        line("fashion-mnist ").contains("60,000   10,000       10"),
        "{text}"
    );
    assert!(line("fashion-mnist ").ends_with("yes   MIT"), "{text}");
    assert!(line("imagenet ").contains("by hand"), "{text}");
    data(&["fetch", "imagenet"])
        .failed_with(&["expected a set that can be downloaded", "image-net.org"]);
    data(&["fetch", "cifar11"]).failed_with(&["data set: expected cifar10", "found `cifar11`"]);
    data(&["verify", "mnist", "--dir", "here"]).failed_with(&["here/train-images-idx3-ubyte.gz"]);
    data(&["info", "some", "--dir", "here"])
        .failed_with(&["the name of a known data set", "`some`"]);
    // What is known of a set is told before its images are looked for.
    let text = data(&["info", "mnist", "--dir", "here"]).stdout;
    assert!(
        text.contains("checksum md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        "{text}"
    );
}

//! What the program says about itself.

use crate::place::Place;
use crate::program::asap;

#[test]
fn every_command_is_listed_and_explains_its_flags() {
    let place = Place::new();
    let all = asap(place.path(), &["--help"]).succeeded();
    for name in [
        "search", "train", "transfer", "eval", "show", "data", "plan", "bench", "runs",
    ] {
        assert!(all.contains(&format!("\n  {name} ")), "{name} in {all}");
        let help = asap(place.path(), &[name, "--help"]).succeeded();
        assert!(help.contains("Usage: asap"), "{help}");
    }
}

#[test]
fn a_flag_tells_its_unit_and_its_default() {
    let help = asap(Place::new().path(), &["search", "--help"]).succeeded();
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "--size <PIXELS> Height and width that images are resized to, in pixels [default: ",
        "--epochs <EPOCHS> Epochs of the search [default: ",
        "--seed <N> Seed of all chance [default: 0]",
        "--budget <TIME> Plan search, training and test to end within a time such as 90s, 30m or 2h",
        "[possible values: anneal, first-decided]",
    ] {
        assert!(words.contains(text), "`{text}` in {help}");
    }
}

#[test]
fn the_version_is_told() {
    let text = asap(Place::new().path(), &["--version"]).succeeded();
    assert_eq!(text, format!("asap {}\n", env!("CARGO_PKG_VERSION")));
}

//! What may decide a result: schedules are functions of the progress alone, and chance comes from a seed.

use super::Finding;
use super::code::{code_only, lines_with_word};
use super::tree::{SourceFile, Tree};

/// A schedule knows no tensor, no random number, no clock and no file.
pub(super) fn schedules_are_pure(tree: &Tree) -> Vec<Finding> {
    let words = [
        "Tensor",
        "Instant",
        "SystemTime",
        "fs",
        "File",
        "rand_chacha",
        "static",
    ];
    let files = tree
        .rust_files()
        .filter(|file| file.path.ends_with("/schedule.rs"));
    found(
        files,
        &words,
        "a schedule is a function of the progress alone",
    )
}

/// Nothing draws from the system's randomness, and no order hangs on it.
pub(super) fn chance_is_seeded(tree: &Tree) -> Vec<Finding> {
    let words = [
        "thread_rng",
        "from_os_rng",
        "from_entropy",
        "getrandom",
        "OsRng",
        "SysRng",
        "RandomState",
    ];
    // The names stand in this file as text, which is no code.
    found(
        tree.rust_files(),
        &words,
        "chance comes from an explicit seed",
    )
}

/// Every package takes the workspace's lints.
pub(super) fn lints_are_the_workspaces(tree: &Tree) -> Vec<Finding> {
    tree.files()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        .filter(|file| !file.text.contains("[lints]\nworkspace = true"))
        .map(|file| Finding::new(&file.path, 0, "expected [lints] with workspace = true"))
        .collect()
}

fn found<'a>(
    files: impl Iterator<Item = &'a SourceFile>,
    words: &[&str],
    message: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let code = code_only(&file.text);
        for word in words {
            let lines = lines_with_word(&code, word);
            findings.extend(lines.map(|line| Finding::new(&file.path, line, message)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_that_looks_at_the_clock_is_found() {
        let bad = "fn rate() -> f64 { Instant::now().elapsed().as_secs_f64() }\n";
        let tree = Tree::of(&[("crates/a/src/schedule.rs", bad)]);
        assert_eq!(schedules_are_pure(&tree).len(), 1);
        let elsewhere = Tree::of(&[("crates/a/src/progress.rs", bad)]);
        assert!(schedules_are_pure(&elsewhere).is_empty());
    }

    #[test]
    fn chance_without_a_seed_is_found() {
        let bad = "fn draw() -> u64 { StdRng::from_os_rng().next_u64() }\n";
        assert_eq!(
            chance_is_seeded(&Tree::of(&[("crates/a/src/b.rs", bad)])).len(),
            1
        );
        let good = "fn draw(seed: u64) -> u64 { ChaCha8Rng::seed_from_u64(seed).next_u64() }\n";
        assert!(chance_is_seeded(&Tree::of(&[("crates/a/src/b.rs", good)])).is_empty());
    }

    #[test]
    fn a_package_with_lints_of_its_own_is_found() {
        let bad = "[package]\nname = \"a\"\n";
        assert_eq!(
            lints_are_the_workspaces(&Tree::of(&[("crates/a/Cargo.toml", bad)])).len(),
            1
        );
        let good = format!("{bad}\n[lints]\nworkspace = true\n");
        assert!(lints_are_the_workspaces(&Tree::of(&[("crates/a/Cargo.toml", &good)])).is_empty());
    }
}

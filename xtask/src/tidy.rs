//! `cargo xtask tidy`: the invariants of ARCHITECTURE.md, checked on the source tree.
//!
//! It is a test too, so `cargo test` alone finds what it finds. Every check is a function from the
//! tree to findings, and has a test in which it fails on a bad fixture.

mod code;
mod crates;
mod directions;
mod files;
mod machine;
mod purity;
mod tree;
mod words;

use anyhow::{Context, Result, bail};
use std::path::Path;
use tree::Tree;

/// One place that breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 where the whole file is meant.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

type Check = fn(&Tree) -> Vec<Finding>;

const CHECKS: [Check; 20] = [
    directions::crates_depend_downward,
    directions::light_crates_stay_light,
    crates::readme_is_the_crate_documentation,
    words::only_kernels_are_unsafe,
    words::only_binaries_print,
    words::only_binaries_use_anyhow,
    words::space_knows_no_schedule,
    words::anneal_knows_no_convolution,
    words::no_function_is_named_get,
    words::no_test_is_ignored,
    words::nothing_is_left_open,
    files::rust_files_open_with_a_module_comment,
    files::rust_files_are_short,
    files::lines_end_clean,
    files::names_say_what_is_inside,
    machine::no_machine_path,
    machine::no_other_registry,
    purity::schedules_are_pure,
    purity::chance_is_seeded,
    purity::lints_are_the_workspaces,
];

/// Checks the whole tree and prints what it finds.
///
/// # Errors
/// If anything breaks an invariant, or the tree cannot be read.
pub(crate) fn run() -> Result<()> {
    eprintln!("$ cargo xtask tidy");
    let tree = read_tree()?;
    for warning in files::rust_files_growing_long(&tree) {
        eprintln!("warning: {warning}");
    }
    let findings = findings(&tree);
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("tidy: {count} places break an invariant"),
    }
}

fn read_tree() -> Result<Tree> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the folder of xtask has no parent")?;
    Tree::read(root)
}

fn findings(tree: &Tree) -> Vec<Finding> {
    CHECKS.iter().flat_map(|check| check(tree)).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let tree = read_tree().unwrap();
        assert!(tree.files().count() > 10, "the tree was not found");
        let lines: Vec<String> = findings(&tree).iter().map(Finding::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }

    #[test]
    fn a_finding_names_file_and_line() {
        assert_eq!(
            Finding::new("a/b.rs", 3, "too long").to_string(),
            "a/b.rs:3: too long"
        );
        assert_eq!(
            Finding::new("a/b.rs", 0, "too long").to_string(),
            "a/b.rs: too long"
        );
    }
}

//! `cargo xtask test ARGS`: every test of the workspace, on the code that people run.

use crate::cargo;
use anyhow::Result;

/// Runs `cargo test --workspace --release ARGUMENTS`; the last words are cargo's own summary.
///
/// # Errors
/// If cargo does not start or a test fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut command = vec!["test", "--workspace", "--release"];
    command.extend(arguments.iter().map(String::as_str));
    cargo::run(&command, &[])
}

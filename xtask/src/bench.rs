//! `cargo xtask bench ARGS`: the benchmarks of `benches/`.

use crate::cargo;
use anyhow::Result;

/// Runs `cargo bench --package asap-benches ARGUMENTS`.
///
/// # Errors
/// If cargo does not start. A failed benchmark ends with its own exit code.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut command = vec!["bench", "--package", "asap-benches"];
    command.extend(arguments.iter().map(String::as_str));
    cargo::become_cargo(&command)
}

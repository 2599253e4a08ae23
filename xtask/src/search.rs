//! `cargo xtask search ARGS`: builds the release binary and runs `asap search ARGS`.

use crate::cargo;
use anyhow::Result;

const COMMAND: [&str; 7] = [
    "run",
    "--release",
    "--package",
    "asap-cli",
    "--bin",
    "asap",
    "--",
];

/// Hands over to `asap search ARGUMENTS`.
///
/// # Errors
/// If cargo does not start. A failed search ends with its own exit code.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut command = COMMAND.to_vec();
    command.push("search");
    command.extend(arguments.iter().map(String::as_str));
    cargo::become_cargo(&command)
}

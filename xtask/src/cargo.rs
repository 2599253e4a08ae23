//! Runs cargo, and prints the command first.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::process::Command;

/// Runs `cargo ARGUMENTS` with the variables `environment` set and waits for it.
///
/// # Errors
/// If cargo cannot be started, or ends with anything but success.
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let mut command = command(arguments, environment);
    let status = command.status().context("cargo does not start")?;
    if !status.success() {
        bail!("`cargo {}` ended with {status}", arguments.join(" "));
    }
    Ok(())
}

/// Becomes `cargo ARGUMENTS`, where the system can do that, else runs it and waits.
///
/// A long task takes the place of this process, so that Ctrl-C reaches it and the shell waits
/// until it has saved.
///
/// # Errors
/// If cargo cannot be started.
pub(crate) fn become_cargo(arguments: &[&str]) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command(arguments, &[]).exec();
        Err(error).context("cargo does not start")
    }
    #[cfg(not(unix))]
    run(arguments, &[])
}

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let variables: String = environment
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\" "))
        .collect();
    eprintln!("$ {variables}cargo {}", arguments.join(" "));
    // Cargo names itself to the programs it runs: the same toolchain goes on.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments).envs(environment.iter().copied());
    command
}

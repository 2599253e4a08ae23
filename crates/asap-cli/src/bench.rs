//! `asap bench`: how fast this machine computes.

mod agree;
mod alphas;
mod batch;
mod batches;
mod clock;
mod difference;
mod inputs;
mod job;
mod launches;
mod peak;
mod report;
mod scale;
mod step;

use anyhow::Result;

/// What to measure.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Time one step of a supernet on made-up images and print one JSON line
    Step(step::Arguments),
    /// Hold a device to the CPU on a few networks: losses, logits, every gradient
    Agree(agree::Arguments),
    /// Time the preparation of batches beside a search step and print one JSON line
    Batches(batches::Arguments),
    /// Measure how fast this machine multiplies matrices and print one JSON line
    Peak(peak::Arguments),
}

/// Measures and prints.
///
/// # Errors
/// If a setting makes no sense, a file cannot be read, or the network cannot be built.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Step(arguments) => step::run(arguments),
        Command::Agree(arguments) => agree::run(arguments),
        Command::Batches(arguments) => batches::run(arguments),
        Command::Peak(arguments) => peak::run(arguments),
    }
}

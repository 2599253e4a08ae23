//! The program `asap`: flags to configuration, configuration to calls, and nothing else.
//!
//! Results go to stdout, progress and errors to stderr. Every error is one line, and the exit code
//! is then not 0.

mod bench;
mod data;
mod device;
mod eval;
mod evaluation_text;
mod export;
mod external;
mod follow;
mod genotypes;
mod images;
mod interrupt;
mod output;
mod plan;
mod planning;
mod quantities;
mod results;
mod run_names;
mod runs;
mod search;
mod settings;
mod show;
mod tensor_file;
mod train;
mod transfer;
mod work;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Finds an image classifier, trains it, and shows how it was found: architecture search by annealing
/// and pruning.
#[derive(Parser)]
#[command(name = "asap", version)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find a genotype, train its network, and test it
    Search(search::Arguments),
    /// Train the network of a given genotype, and test it
    Train(train::Arguments),
    /// Train the cell that a run found on other images, and test it
    Transfer(transfer::Arguments),
    /// Measure how well a trained network classifies
    Eval(eval::Arguments),
    /// Write a trained network for other programs
    Export(export::Arguments),
    /// Print a genotype, with the size of its network
    Show(show::Arguments),
    /// Look at a data set
    #[command(subcommand)]
    Data(data::Command),
    /// Say what a search will take: steps, memory, time, and forced decisions
    Plan(plan::Arguments),
    /// Measure how fast this machine computes
    #[command(subcommand)]
    Bench(bench::Command),
    /// List runs, their state and the disk they take
    Runs(runs::Arguments),
}

fn main() -> ExitCode {
    run(&Program::parse().command).unwrap_or_else(|error| {
        output::error(&error);
        ExitCode::FAILURE
    })
}

fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Search(arguments) => return search::run(arguments),
        Command::Train(arguments) => return train::run(arguments),
        Command::Transfer(arguments) => return transfer::run(arguments),
        Command::Eval(arguments) => eval::run(arguments)?,
        Command::Export(arguments) => export::run(arguments)?,
        Command::Show(arguments) => show::run(arguments)?,
        Command::Data(command) => data::run(command)?,
        Command::Plan(arguments) => plan::run(arguments)?,
        Command::Bench(command) => bench::run(command)?,
        Command::Runs(arguments) => runs::run(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Program::command().debug_assert();
    }

    #[test]
    fn every_flag_says_what_it_does() {
        let mut open = vec![Program::command()];
        while let Some(command) = open.pop() {
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{}: {argument}",
                    command.get_name()
                );
            }
            open.extend(command.get_subcommands().cloned());
        }
    }
}

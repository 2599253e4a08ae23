//! Tasks of the workspace: `cargo xtask search | bench | cuda | gpu-report | test | tidy | ci`.
//!
//! One file per task. Each prints the cargo command it runs, so nothing here is magic. This crate
//! depends on `anyhow`, `clap` and `serde_json` alone: it compiles in seconds, before anything else is built.
#![expect(
    clippy::print_stderr,
    reason = "a task talks to the person who runs it"
)]

mod bench;
mod cargo;
mod ci;
mod cuda;
mod gpu_report;
mod process;
mod replace;
mod search;
mod test;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Tasks of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the release binary and run `asap search ARGS`
    #[command(disable_help_flag = true)]
    Search(PassedOn),
    /// Run the benchmarks: `cargo bench --package asap-benches -- ARGS`; with --peer, time a step beside PyTorch
    Bench(bench::Arguments),
    /// Build for NVIDIA GPUs, with or without CUDA or a GPU here
    Cuda(cuda::Arguments),
    /// Measure on a GPU all that needs one, in parts that can be taken up again
    GpuReport(gpu_report::Arguments),
    /// Run every test: `cargo test --workspace --release ARGS`
    #[command(disable_help_flag = true)]
    Test(PassedOn),
    /// Check the invariants of ARCHITECTURE.md on the source tree
    Tidy,
    /// Everything a change must pass, cheap first: format, tidy, clippy, the CUDA build's code, tests, documentation
    Ci,
}

/// Arguments handed on as they stand, `--help` included.
#[derive(clap::Args)]
struct PassedOn {
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Search(passed) => search::run(&passed.arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Cuda(arguments) => cuda::run(&arguments),
        Task::GpuReport(arguments) => gpu_report::run(&arguments),
        Task::Test(passed) => test::run(&passed.arguments),
        Task::Tidy => tidy::run(),
        Task::Ci => ci::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

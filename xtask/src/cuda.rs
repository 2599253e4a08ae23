//! `cargo xtask cuda`: a build of asap that finds and uses NVIDIA GPUs, made where no CUDA need be.
//!
//! What is built opens the driver on its first call: one binary starts with and without a GPU.

mod delay_load;
mod environment;
mod functions;
mod left_out;
#[cfg(test)]
mod scratch;
mod setup;
mod shell;
mod sources;
mod toolkit;
mod version;
mod wheels;

use crate::cargo;
use anyhow::{Context, Result};
use environment::Environment;
use setup::Compiler;
use std::path::{Path, PathBuf};

/// Where builds lie. Apart from each other: candle's build script takes kernels it has once compiled for current, whichever
/// compiler made them, and for `check` they are empty.
const BUILT: &str = "target/cuda";
const CHECKED: &str = "target/cuda-check";

/// Whether a CUDA build can be made here.
pub(crate) const IS_POSSIBLE: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// The Python that fetches the compiler, unless another is named.
const PYTHON: &str = "python3";

/// The features that bring in every line written for CUDA.
const FEATURES: &str = "asap-cli/cuda,asap-benches/cuda";

/// Names the device that tests of the kernels run on.
const TEST_DEVICE: &str = "ASAP_TEST_DEVICE";

/// The tests that choose a device, and those of the code that talks to the driver.
const DEVICE_TESTS: [&str; 18] = [
    "test",
    "--release",
    "--package",
    "asap-kernels",
    "--package",
    "asap-space",
    "--package",
    "asap-train",
    "--features",
    "asap-kernels/cuda,asap-space/cuda,asap-train/cuda",
    "--test",
    "device",
    "--test",
    "driver",
    "--test",
    "on_a_device",
    "--test",
    "job",
];

/// `setup | build | check | test`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
    /// The Python that fetches the compiler where no CUDA toolkit is
    #[arg(long, global = true, value_name = "PYTHON", default_value = PYTHON)]
    python: PathBuf,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Make the compiler ready: the CUDA toolkit that is there, else one from Python wheels (105 MB to fetch, no root needed)
    Setup,
    /// Build target/cuda/release/asap: `cargo build --release --package asap-cli --bin asap --features cuda ARGS`
    Build(Cargo),
    /// Compile the kernels, lint everything written for CUDA, and run it on the CPU behind a stand-in for the driver; what a change must
    /// pass where no GPU is
    Check,
    /// Run every test of a CUDA build: `cargo test --workspace --release --features asap-cli/cuda,asap-benches/cuda ARGS`
    Test(Test),
}

#[derive(clap::Args)]
struct Test {
    /// Run the tests of the kernels on a GPU, the first or the Nth from 0 on, and not on the CPU [N: 0 unless given]
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "0"
    )]
    on_gpu: Option<usize>,
    #[command(flatten)]
    cargo: Cargo,
}

/// Arguments for cargo.
#[derive(clap::Args)]
struct Cargo {
    /// Handed on to cargo
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    arguments: Vec<String>,
}

/// Does one of the tasks, `setup` first in each.
///
/// # Errors
/// If the compiler cannot be made ready, cargo does not start, or what it does fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let compiler = setup::run(root()?, &arguments.python)?;
    match &arguments.task {
        Task::Setup => eprintln!("the compiler is ready: nvcc {}", compiler.version),
        Task::Build(given) => {
            let program = build_with(&compiler, &given.arguments)?;
            eprintln!("built, and starts without a GPU too: {}", program.display());
        }
        Task::Check => check_with(&compiler)?,
        Task::Test(given) => test_with(&compiler, given)?,
    }
    Ok(())
}

/// Builds asap with the Python that is there, and gives back where the program lies.
///
/// # Errors
/// As [`run`].
pub(crate) fn build(arguments: &[String]) -> Result<PathBuf> {
    build_with(&setup::run(root()?, Path::new(PYTHON))?, arguments)
}

/// Checks everything written for CUDA, with the Python that is there.
///
/// # Errors
/// As [`run`].
pub(crate) fn check() -> Result<()> {
    check_with(&setup::run(root()?, Path::new(PYTHON))?)
}

fn build_with(compiler: &Compiler, arguments: &[String]) -> Result<PathBuf> {
    let command = ["build", "--release", "--package", "asap-cli"];
    let command = command
        .iter()
        .chain(&["--bin", "asap", "--features", "cuda"]);
    cargo_with(BUILT, &compiler.nvcc, compiler, command, arguments, None)?;
    Ok(root()?.join(BUILT).join("release/asap"))
}

/// Clippy over all that a CUDA build compiles, and the tests of the kernels as that build runs them, but for the driver. The build script
/// of asap-kernels runs in it and compiles the kernels, so an error in them is an error here; candle's own are left out.
fn check_with(compiler: &Compiler) -> Result<()> {
    let command = ["clippy", "--workspace", "--all-targets", "--release"];
    let command = command.iter().chain(&["--features", FEATURES]);
    let lints = ["--", "-D", "warnings"].map(str::to_owned);
    let nvcc = &compiler.nvcc_without_candle;
    cargo_with(CHECKED, nvcc, compiler, command, &lints, None)?;
    let device = Some((TEST_DEVICE, "stand-in"));
    cargo_with(CHECKED, nvcc, compiler, &DEVICE_TESTS, &[], device)
}

/// Every test; those of the kernels on the GPU that is asked for, and if it cannot be had they fail.
fn test_with(compiler: &Compiler, test: &Test) -> Result<()> {
    let command = ["test", "--workspace", "--release", "--features", FEATURES];
    let gpu = test.on_gpu.map(|ordinal| format!("cuda:{ordinal}"));
    let device = gpu.as_ref().map(|gpu| (TEST_DEVICE, gpu.as_str()));
    let (nvcc, arguments) = (&compiler.nvcc, &test.cargo.arguments);
    cargo_with(BUILT, nvcc, compiler, &command, arguments, device)
}

/// `cargo COMMAND --target-dir FOLDER ARGUMENTS` in the environment that candle's build scripts and ours read, with `variable` if
/// there is one.
fn cargo_with<'a>(
    folder: &str,
    nvcc: &Path,
    compiler: &Compiler,
    command: impl IntoIterator<Item = &'a &'a str>,
    arguments: &[String],
    variable: Option<(&str, &str)>,
) -> Result<()> {
    let folder = shell::text(&root()?.join(folder))?;
    let mut words: Vec<&str> = command.into_iter().copied().collect();
    words.extend(["--target-dir", &folder]);
    words.extend(arguments.iter().map(String::as_str));
    let environment = Environment::new(&compiler.home, nvcc, compiler.version)?;
    let variables: Vec<_> = environment
        .variables()
        .into_iter()
        .chain(variable)
        .collect();
    cargo::run(&words, &variables)
}

fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the folder of xtask has no parent")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cuda {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        let words = ["cuda"].iter().chain(words);
        Cuda::try_parse_from(words).map(|cuda| cuda.arguments)
    }

    #[test]
    fn what_is_not_for_setup_is_for_cargo() {
        let arguments = parse(&["build", "--python", "py", "--offline", "-j", "1"]).unwrap();
        assert_eq!(arguments.python, Path::new("py"));
        match arguments.task {
            Task::Build(given) => assert_eq!(given.arguments, ["--offline", "-j", "1"]),
            _ => panic!("expected build"),
        }
    }

    #[test]
    fn tests_run_on_the_gpu_that_is_named_and_on_none_else() {
        for (words, gpu, rest) in [
            (&["test", "--test", "device"][..], None, 2),
            (&["test", "--on-gpu", "--test", "device"], Some(0), 2),
            (&["test", "--on-gpu=3", "whole_plans"], Some(3), 1),
            (&["test", "--on-gpu"], Some(0), 0),
        ] {
            match parse(words).unwrap().task {
                Task::Test(test) => {
                    assert_eq!(test.on_gpu, gpu, "{words:?}");
                    assert_eq!(test.cargo.arguments.len(), rest, "{words:?}");
                }
                _ => panic!("expected test"),
            }
        }
        assert!(parse(&["test", "--on-gpu=first"]).is_err());
    }

    /// Whoever includes `chosen.rs` chooses a device.
    #[test]
    fn every_test_that_chooses_a_device_is_among_those_of_the_check() {
        let mut found = 0;
        for package in std::fs::read_dir(root().unwrap().join("crates")).unwrap() {
            let package = package.unwrap().path();
            let Ok(tests) = std::fs::read_dir(package.join("tests")) else {
                continue;
            };
            for test in tests {
                let test = test.unwrap().path();
                let main = std::fs::read_to_string(test.join("main.rs")).unwrap_or_default();
                if main.contains("mod chosen;") {
                    for name in [&package, &test].map(|path| path.file_name().unwrap()) {
                        assert!(DEVICE_TESTS.iter().any(|word| *word == name), "{name:?}");
                    }
                    found += 1;
                }
            }
        }
        assert_eq!(found, 3);
    }

    #[test]
    fn a_task_without_arguments_takes_none() {
        assert!(parse(&["check"]).is_ok());
        assert!(parse(&["check", "--no-kernels"]).is_err());
        assert!(parse(&[]).is_err());
    }
}

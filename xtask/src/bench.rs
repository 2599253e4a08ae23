//! `cargo xtask bench`: the benchmarks of `benches/`, or with `--peer` a step of asap beside PyTorch's.

pub(crate) mod bound;
mod compare;
pub(crate) mod configuration;
pub(crate) mod contest;
mod gpu;
pub(crate) mod gpu_table;
pub(crate) mod losses;
mod options;
mod peer_files;
pub(crate) mod program;
mod round;
pub(crate) mod subject;
mod table;

use crate::cargo;
use anyhow::Result;

/// `[FILTER] [CRITERION OPTIONS]`, or `--peer PYTHON [OPTIONS]`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    peer: options::Arguments,
    /// Handed on to criterion: part of an id, and options such as --quick
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS",
        conflicts_with = "peer"
    )]
    arguments: Vec<String>,
}

/// Compares with PyTorch if that is asked for, else runs `cargo bench --package asap-benches -- ARGS`.
///
/// # Errors
/// If cargo does not start, or the comparison fails. A failed benchmark ends with its own exit code.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(python) = &arguments.peer.peer {
        return compare::run(python, &arguments.peer);
    }
    let mut command = vec!["bench", "--package", "asap-benches", "--"];
    command.extend(arguments.arguments.iter().map(String::as_str));
    cargo::become_cargo(&command)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::Arguments;
    use clap::Parser;

    #[derive(Parser)]
    struct Bench {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        let words = ["bench"].iter().chain(words);
        Bench::try_parse_from(words).map(|bench| bench.arguments)
    }

    #[test]
    fn what_is_not_for_the_peer_is_for_criterion() {
        for (words, expected) in [
            (&["--", "--quick"][..], &["--quick"][..]),
            (&["--quick"], &["--quick"]),
            (
                &["kernels/sep", "--sample-size", "20"],
                &["kernels/sep", "--sample-size", "20"],
            ),
        ] {
            let arguments = parse(words).unwrap();
            assert!(arguments.peer.peer.is_none());
            assert_eq!(arguments.arguments, expected);
        }
    }

    #[test]
    fn the_peer_takes_its_own_options_only() {
        let arguments = parse(&["--peer", "python3", "--rounds", "3", "--size", "paper"]).unwrap();
        assert!(arguments.peer.peer.is_some() && arguments.arguments.is_empty());
        assert!(parse(&["--rounds", "3"]).is_err(), "rounds of what?");
        assert!(parse(&["--peer", "python3", "kernels"]).is_err());
        assert!(parse(&["--peer", "python3", "--rounds", "0"]).is_err());
        assert!(parse(&["--device", "cuda"]).is_err(), "what on it?");
    }
}

//! The commands that give the figures of a part anew, for whoever reads the report.
//!
//! Programs and data have the names that the help has for them: where they lay says nothing to a reader.

use super::Setup;
use super::contests::trials;
use super::long_runs;
use super::part::{Piece, Work};
use crate::bench::configuration::Precision;
use crate::bench::program::Program;
use anyhow::Result;
use std::path::Path;

/// The command of a part, as far as that is known: a compiled PyTorch takes the layout that was faster without.
///
/// # Errors
/// If what has been measured cannot be read.
pub(super) fn command(work: Work, folder: &Path) -> Result<String> {
    let bench = "cargo xtask bench --peer PYTHON --device cuda --program asap";
    Ok(match work {
        Work::Device => "nvidia-smi".to_owned(),
        Work::Agree(precision) => agree(precision),
        Work::Tests(tests) => tests.command(),
        Work::Sanitize => format!(
            "compute-sanitizer --error-exitcode 1 {}",
            agree(Precision::Tf32)
        ),
        Work::Losses(piece, precision) => {
            format!("{bench} {} {} --losses", what(piece), in_words(precision))
        }
        Work::Trial(piece, configuration) => {
            let peer = &piece.subject().contenders[1];
            let file = match peer.program {
                Program::Network => "network.py",
                _ => "supernet.py",
            };
            let how = configuration.arguments("cuda", &trials(folder, piece)?);
            let [what, how] = [&peer.arguments, &how].map(|words| words.join(" "));
            format!("PYTHON benches/peer/{file} {what} {how} --warmup 5")
        }
        Work::Rounds(piece, precision) => {
            format!("{bench} {} {}", what(piece), in_words(precision))
        }
        Work::Profile(precision) => {
            let asap = Piece::PROFILED.subject().contenders[0].arguments.join(" ");
            let how = Setup::gpu(precision).for_asap().join(" ");
            format!("asap bench step {asap} {how} --profile")
        }
        Work::Search => long_run(&long_runs::SEARCH.join(" ")),
        Work::Train(genotype) => long_run(&long_runs::training(genotype, "EPOCHS").join(" ")),
    })
}

fn agree(precision: Precision) -> String {
    format!("asap bench agree --device cuda {}", in_words(precision))
}

fn in_words(precision: Precision) -> String {
    format!("--precision {}", precision.name())
}

fn long_run(words: &str) -> String {
    format!("asap {words} --data cifar10:DIR --device cuda")
}

/// The options of `cargo xtask bench` for a piece.
fn what(piece: Piece) -> String {
    match piece {
        Piece::Supernet(size) => format!("--size {} --step search", size.name()),
        Piece::Network(genotype) => {
            let [channels, cells, batch] = Piece::NETWORK;
            format!(
                "--final --genotype {genotype} --channels {channels} --cells {cells} --batch {batch}"
            )
        }
    }
}

//! The options of `cargo xtask bench --peer PYTHON`, and what they ask to be compared.

use super::configuration::{Gpu, Precision};
use super::subject::{Final, Size, Step, Subject};
use anyhow::{Result, ensure};
use std::path::PathBuf;

/// Settings of the comparison.
// Groups have the names of their types unless told, and one of this name holds these.
#[derive(clap::Args)]
#[group(id = "PeerArguments")]
pub(super) struct Arguments {
    /// Compare with PyTorch, run by this Python; without it criterion runs
    #[arg(long, value_name = "PYTHON")]
    pub(super) peer: Option<PathBuf>,
    /// Rounds that have to count; until so many did, up to twice as many run
    #[arg(long, value_name = "N", default_value_t = 5, requires = "peer", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
    /// Which network and batch of the search [default: both]
    #[arg(long, value_enum, requires = "peer")]
    size: Option<Size>,
    /// Which update is timed
    #[arg(long, value_enum, default_value_t = Step::Weight, requires = "peer")]
    step: Step,
    /// Threads of each program [default: as many as the machine has cores]
    #[arg(long, value_name = "N", requires = "peer", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// Give PyTorch this allocator, a shared library: it is faster with it
    #[arg(long, value_name = "PATH", requires = "peer")]
    pub(super) tcmalloc: Option<PathBuf>,
    /// Time the network of these published cells, in the form that it has at the end of a search, and our supernet too
    #[arg(long, value_name = "NAME", requires = "peer")]
    genotype: Option<String>,
    /// Give the network of --genotype the form that is trained for use, for images of 32x32
    #[arg(long = "final", requires = "genotype", conflicts_with = "size")]
    is_final: bool,
    /// Channels of the first cells, with --final
    #[arg(long, value_name = "N", default_value_t = 36, requires = "is_final")]
    channels: u32,
    /// Cells of the network, with --final
    #[arg(long, value_name = "N", default_value_t = 20, requires = "is_final")]
    cells: u32,
    /// Images of a step, with --final
    #[arg(
        long,
        value_name = "IMAGES",
        default_value_t = 32,
        requires = "is_final"
    )]
    batch: u32,
    /// Time asap on one thread too
    #[arg(long, requires = "peer")]
    speedup: bool,
    /// Compare the first five losses from the same weights and batches, in the place of times
    #[arg(long, requires = "peer", conflicts_with_all = ["is_final", "speedup"])]
    pub(super) losses: bool,
    /// Where both programs compute: on the processor, or on a GPU
    #[arg(long, value_name = "cpu|cuda[:N]", default_value = "cpu", requires = "peer", conflicts_with_all = ["speedup", "tcmalloc"])]
    device: String,
    /// What asap computes in on a GPU [default: tf32]
    #[arg(long, value_enum, requires = "peer")]
    precision: Option<Precision>,
    /// The binary of asap for GPUs [default: built by `cargo xtask cuda build`]
    #[arg(long, value_name = "FILE", requires = "peer")]
    pub(super) program: Option<PathBuf>,
}

impl Arguments {
    /// The GPU that is to compute, if one is.
    ///
    /// # Errors
    /// If there can be no such device, or options are for a GPU only.
    pub(super) fn gpu(&self) -> Result<Option<Gpu>> {
        if self.device == "cpu" {
            ensure!(
                self.precision.is_none() && self.program.is_none(),
                "--precision and --program: expected --device cuda with them"
            );
            return Ok(None);
        }
        let gpu = Gpu::new(&self.device, self.precision.unwrap_or(Precision::Tf32));
        gpu.map(Some)
    }

    /// What is to be compared.
    ///
    /// # Errors
    /// If options do not go together.
    pub(super) fn subjects(&self) -> Result<Vec<Subject>> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from) as u32;
        let threads = self.threads.unwrap_or_else(cores);
        ensure!(
            self.genotype.is_none() || self.step == Step::Weight,
            "--genotype: nothing is left to choose, so --step must be weight"
        );
        ensure!(
            !self.speedup || threads > 1,
            "--speedup: expected more threads than one to compare with"
        );
        let sizes = self
            .size
            .map_or(vec![Size::Small, Size::Paper], |size| vec![size]);
        let mut subjects: Vec<Subject> = match &self.genotype {
            None => {
                let subject = |size| Subject::search(size, self.step, threads);
                sizes.into_iter().map(subject).collect()
            }
            Some(genotype) if self.is_final => {
                let size = Final {
                    channels: self.channels,
                    cells: self.cells,
                    batch: self.batch,
                };
                vec![Subject::trained(genotype, size, threads)]
            }
            Some(genotype) => {
                let subject = |size| Subject::derived(genotype, size, threads);
                sizes.into_iter().map(subject).collect()
            }
        };
        if self.speedup {
            subjects.iter_mut().for_each(Subject::add_one_thread);
        }
        Ok(subjects)
    }
}

#[cfg(test)]
impl Arguments {
    /// What `cargo xtask bench --peer python3 WORDS` says.
    pub(super) fn parsed(words: &[&str]) -> Result<Self> {
        use clap::{Args, FromArgMatches};
        let command = Self::augment_args(clap::Command::new("bench"));
        let words = ["bench", "--peer", "python3"].iter().chain(words);
        Ok(Self::from_arg_matches(
            &command.try_get_matches_from(words)?,
        )?)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn subjects(words: &str) -> Result<Vec<Subject>> {
        let words: Vec<&str> = words.split_whitespace().collect();
        Arguments::parsed(&words)?.subjects()
    }

    fn names(words: &str) -> Vec<String> {
        let subjects = subjects(words).unwrap();
        subjects.into_iter().map(|subject| subject.name).collect()
    }

    #[test]
    fn options_say_what_is_compared() {
        for (words, expected) in [
            ("", &["small", "paper"][..]),
            ("--size paper --losses", &["paper"]),
            (
                "--genotype DARTS_V2",
                &["small, DARTS_V2", "paper, DARTS_V2"],
            ),
            (
                "--final --genotype ASAP --cells 8",
                &["ASAP, 36 channels, 8 cells, batch 32"],
            ),
        ] {
            assert_eq!(names(words), expected, "{words}");
        }
    }

    #[test]
    fn the_speed_up_is_that_of_the_same_work() {
        let subjects = subjects("--size small --step search --threads 4 --speedup").unwrap();
        let [.., whole, single] = &subjects[0].contenders[..] else {
            panic!("a contender more than there was");
        };
        assert_eq!((whole.name, single.name), ("PyTorch", "asap on 1 thread"));
        let asap = &subjects[0].contenders[0];
        assert_eq!((asap.threads, single.threads), (4, 1));
        assert_eq!(asap.arguments, single.arguments);
        assert_eq!(subjects[0].ratios, [[0, 1], [2, 0]]);
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        for words in [
            "--final",
            "--final --genotype ASAP --size small",
            "--final --genotype ASAP --losses",
            "--channels 16",
            "--losses --speedup",
            "--genotype ASAP --step search",
            "--threads 1 --speedup",
            "--device cuda --speedup",
        ] {
            assert!(subjects(words).is_err(), "{words}");
        }
    }

    #[test]
    fn a_gpu_is_named_as_asap_names_it() {
        let gpu = |words: &str| {
            let words: Vec<&str> = words.split_whitespace().collect();
            Arguments::parsed(&words).unwrap().gpu()
        };
        assert_eq!(gpu("").unwrap(), None);
        let found = gpu("--device cuda:1 --precision bf16").unwrap().unwrap();
        assert_eq!(
            found.for_asap().join(" "),
            "--device cuda:1 --precision bf16"
        );
        let found = gpu("--device cuda --program asap").unwrap().unwrap();
        assert_eq!(found.precision, Precision::Tf32);
        for words in [
            "--device gpu",
            "--device cuda:x",
            "--precision f32",
            "--program asap",
        ] {
            assert!(gpu(words).is_err(), "{words}");
        }
    }
}

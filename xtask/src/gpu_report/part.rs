//! The parts of the report, in order, and what each does.

use super::record::{Outcome, Record, State};
use super::test_programs::{self, Tests};
use super::{Setup, commands, contests, long_runs, profile, shown};
use crate::bench::configuration::{Configuration, Precision};
use crate::bench::subject::{Final, Size, Step, Subject};
use crate::bench::{gpu_table, losses};
use crate::process::Terms;
use anyhow::Result;
use std::path::Path;

/// Turns that PyTorch's compiler and the search for memory errors get at most.
const MOST_TURNS: u64 = 2;

/// Something to measure.
pub(super) struct Part {
    pub(super) name: String,
    /// Heading in the report.
    pub(super) section: String,
    /// The head of the table that the section's parts have a row in.
    pub(super) head: &'static str,
    work: Work,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Device,
    Agree(Precision),
    Tests(&'static Tests),
    Sanitize,
    Losses(Piece, Precision),
    /// PyTorch in one configuration.
    Trial(Piece, Configuration),
    /// Both programs in turns.
    Rounds(Piece, Precision),
    Profile(Precision),
    Search,
    Train(&'static str),
}

/// What is computed in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Supernet(Size),
    /// The network of published cells.
    Network(&'static str),
}

impl Piece {
    /// The size of a network in use, and the images of a step, as DARTS trains it.
    pub(super) const NETWORK: [u32; 3] = [36, 20, 96];
    /// Whose kernels are timed one by one.
    pub(super) const PROFILED: Self = Self::Supernet(Size::Paper);
    pub(super) const ALL: [Self; 4] = [
        Self::Supernet(Size::Paper),
        Self::Supernet(Size::Small),
        Self::Network("ASAP"),
        Self::Network("DARTS_V2"),
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Supernet(Size::Small) => "small",
            Self::Supernet(Size::Paper) => "paper",
            Self::Network(genotype) => genotype,
        }
    }

    pub(super) fn subject(self) -> Subject {
        let threads = std::thread::available_parallelism().map_or(1, usize::from) as u32;
        let [channels, cells, batch] = Self::NETWORK;
        match self {
            Self::Supernet(size) => Subject::search(size, Step::Search, threads),
            Self::Network(genotype) => Subject::trained(
                genotype,
                Final {
                    channels,
                    cells,
                    batch,
                },
                threads,
            ),
        }
    }

    /// What PyTorch is tried in.
    pub(super) fn configurations(self) -> Vec<Configuration> {
        Configuration::all(match self {
            Self::Supernet(_) => &[Precision::Tf32, Precision::Bf16],
            Self::Network(_) => &[Precision::Bf16],
        })
    }

    /// What asap computes in, beside PyTorch's best.
    fn precisions(self) -> &'static [Precision] {
        match self {
            Self::Supernet(_) => &[Precision::Tf32, Precision::Bf16],
            Self::Network(_) => &[Precision::Bf16],
        }
    }
}

impl Part {
    /// The command of its figures.
    ///
    /// # Errors
    /// If what has been measured cannot be read.
    pub(super) fn shown(&self, folder: &Path) -> Result<String> {
        shown::command(self.work, folder)
    }

    /// Its place in the order of measuring: what the others read, then what is asked about first, and last what may take an hour.
    pub(super) fn rank(&self) -> u8 {
        const PAPER: Piece = Piece::PROFILED;
        match self.work {
            Work::Device | Work::Agree(Precision::Tf32) => 0,
            Work::Profile(Precision::Tf32) => 1,
            Work::Trial(PAPER, configuration) if !configuration.compiles() => 2,
            Work::Rounds(PAPER, Precision::Tf32) => 3,
            Work::Search => 4,
            Work::Agree(_) => 5,
            Work::Tests(_) => 6,
            Work::Losses(..) | Work::Profile(_) => 7,
            Work::Rounds(PAPER, _) => 8,
            Work::Trial(_, configuration) if !configuration.compiles() => 9,
            Work::Rounds(..) => 10,
            // It may take a whole turn, and find nothing.
            Work::Sanitize => 11,
            Work::Train(_) => 12,
            Work::Trial(..) => 13,
        }
    }

    /// Whether there is nothing left to measure.
    ///
    /// # Errors
    /// If what has been measured cannot be read.
    pub(super) fn is_done(&self, setup: &Setup, record: &Record) -> Result<bool> {
        Ok(record.state == State::Done && self.outdated(setup, record)?.is_none())
    }

    /// Why figures count no more, if there are any: rounds count beside the best of PyTorch that is known.
    ///
    /// # Errors
    /// If what has been measured cannot be read.
    pub(super) fn outdated(&self, setup: &Setup, record: &Record) -> Result<Option<&'static str>> {
        if record.state != State::Done && record.markdown.is_empty() {
            return Ok(None);
        }
        if self.is_of_another_build(setup, record) {
            return Ok(Some("of another build of asap"));
        }
        let beside_best = match self.work {
            Work::Rounds(piece, _) => contests::are_beside_best(&setup.folder, piece, record)?,
            _ => true,
        };
        Ok((!beside_best).then_some("not beside what is PyTorch's best by now"))
    }

    /// The build of asap that the part measures, and of its tests; none if it measures PyTorch or the machine.
    pub(super) fn build(&self, setup: &Setup) -> String {
        match self.work {
            Work::Device | Work::Trial(..) => String::new(),
            Work::Tests(tests) => format!("{} {}", setup.build, tests.build(setup)),
            _ => setup.build.clone(),
        }
    }

    pub(super) fn is_of_another_build(&self, setup: &Setup, record: &Record) -> bool {
        record.state != State::Missing && record.build != self.build(setup)
    }

    /// Whether it is left as it is: it was given its turns and did not end in them.
    pub(super) fn is_given_up(&self, record: &Record) -> bool {
        let may_not_end = match self.work {
            Work::Trial(_, configuration) => configuration.compiles(),
            work => matches!(work, Work::Sanitize),
        };
        may_not_end && record.state == State::Failed && record.full_turns >= MOST_TURNS
    }

    /// What else is to be known about its figures.
    ///
    /// # Errors
    /// If what has been measured cannot be read.
    pub(super) fn remark(&self, folder: &Path, record: &Record) -> Result<Option<String>> {
        match self.work {
            Work::Rounds(piece, _) if !record.markdown.is_empty() => {
                contests::not_timed(folder, piece)
            }
            _ => Ok(None),
        }
    }

    /// One turn.
    ///
    /// # Errors
    /// If a program is missing or fails, or what it says is not what was asked for.
    pub(super) fn measure(&self, setup: &Setup, before: &Record, terms: &Terms) -> Result<Outcome> {
        match self.work {
            Work::Device => commands::device(setup, terms),
            Work::Agree(precision) => commands::agree(setup, precision, terms),
            Work::Tests(tests) => test_programs::measure(setup, tests, terms),
            Work::Sanitize => commands::sanitize(setup, terms),
            Work::Losses(piece, precision) => commands::losses(setup, piece, precision, terms),
            Work::Trial(piece, configuration) => {
                contests::trial(setup, piece, configuration, terms)
            }
            Work::Rounds(piece, precision) => {
                contests::rounds(setup, piece, precision, before, terms)
            }
            Work::Profile(precision) => profile::measure(setup, precision, terms),
            Work::Search => long_runs::search(setup, terms),
            Work::Train(genotype) => long_runs::train(setup, genotype, before, terms),
        }
    }
}

/// All parts, in the order of the report.
pub(super) fn all() -> Vec<Part> {
    let part = |name: String, section: &str, head, work| Part {
        name,
        section: section.to_owned(),
        head,
        work,
    };
    let plain = |name: &str, section: &str, work| part(name.to_owned(), section, "", work);
    let mut parts = vec![plain("device", "The machine", Work::Device)];
    for precision in Precision::ALL {
        let name = format!("agree-{}", precision.name());
        let section = "Agreement with the processor";
        parts.push(part(
            name,
            section,
            commands::AGREE_HEAD,
            Work::Agree(precision),
        ));
    }
    for tests in &test_programs::ALL {
        parts.push(part(
            tests.name.to_owned(),
            "Tests that hold the kernels to the processor",
            test_programs::HEAD,
            Work::Tests(tests),
        ));
    }
    parts.push(plain("sanitizer", "Memory errors", Work::Sanitize));
    for size in [Size::Small, Size::Paper] {
        for precision in Precision::ALL {
            let piece = Piece::Supernet(size);
            let name = format!("losses-{}-{}", piece.name(), precision.name());
            let section = "Losses from the same weights and batches, held to float64";
            parts.push(part(
                name,
                section,
                losses::HEADER,
                Work::Losses(piece, precision),
            ));
        }
    }
    for piece in Piece::ALL {
        let section = format!("PyTorch's configurations, {}", piece.subject().name);
        for configuration in piece.configurations() {
            let work = Work::Trial(piece, configuration);
            parts.push(part(
                contests::trial_name(piece, configuration),
                &section,
                contests::TRIAL_HEAD,
                work,
            ));
        }
    }
    for piece in Piece::ALL {
        for &precision in piece.precisions() {
            let name = format!("{}-rounds-{}", piece.name(), precision.name());
            let section = "asap beside the best of PyTorch";
            parts.push(part(
                name,
                section,
                gpu_table::HEADER,
                Work::Rounds(piece, precision),
            ));
        }
    }
    for precision in [Precision::Tf32, Precision::Bf16] {
        let name = precision.name();
        let section = format!("Kernels of a search step at paper scale, {name}");
        parts.push(plain(
            &format!("profile-{name}"),
            &section,
            Work::Profile(precision),
        ));
    }
    parts.push(plain(
        "search",
        "The paper's search on CIFAR-10",
        Work::Search,
    ));
    for genotype in ["ASAP", "DARTS_V2"] {
        let name = format!("train-{genotype}");
        let section = "Training published cells on CIFAR-10";
        parts.push(part(
            name,
            section,
            long_runs::TRAIN_HEAD,
            Work::Train(genotype),
        ));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn parts_have_names_of_their_own() {
        let parts = all();
        let names: BTreeSet<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names.len(), parts.len());
        for name in [
            "paper-max-autotune-bf16",
            "ASAP-rounds-bf16",
            "losses-small-f32",
        ] {
            assert!(names.contains(name), "{name} of {names:?}");
        }
    }

    #[test]
    fn parts_of_a_section_lie_together_and_share_its_head() {
        let parts = all();
        let sections = parts.chunk_by(|a, b| a.section == b.section);
        let (mut seen, mut heads) = (BTreeSet::new(), 0);
        for section in sections {
            assert!(seen.insert(&section[0].section), "{}", section[0].section);
            assert!(section.iter().all(|part| part.head == section[0].head));
            heads += usize::from(!section[0].head.is_empty());
        }
        assert!(heads > 5, "{heads}");
    }
}

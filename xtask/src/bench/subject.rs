//! What is compared: a piece of work, and the programs that do it.

use super::program::Program;
use clap::ValueEnum;

/// A network and a batch of the search that figures are quoted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    /// 8 channels, 5 cells, 32 images of 28x28
    Small,
    /// 16 channels, 8 cells, 64 images of 32x32, as in the paper
    Paper,
}

impl Size {
    fn arguments(self) -> Vec<String> {
        words(match self {
            Self::Small => "--channels 8 --cells 5 --size 28 --batch 32",
            Self::Paper => "--channels 16 --cells 8 --size 32 --batch 64",
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Paper => "paper",
        }
    }
}

/// The size of a network that is trained for use.
pub(crate) struct Final {
    pub(crate) channels: u32,
    pub(crate) cells: u32,
    pub(crate) batch: u32,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// An update of the alphas, then one of the weights
    Search,
    /// An update of the weights
    Weight,
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Weight => "weight",
        }
    }

    /// How many forward passes its arithmetic is worth.
    ///
    /// A weight step is worth three: forward, gradients in the inputs, gradients in the weights. An alpha step has
    /// no gradients in the weights, and those in the op weights cost next to nothing.
    pub(crate) fn passes(self) -> f64 {
        match self {
            Self::Weight => 3.0,
            Self::Search => 3.0 + 2.0,
        }
    }
}

/// A program that takes part, and its options.
pub(crate) struct Contender {
    /// What its row is called.
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) threads: u32,
    /// Besides the threads.
    pub(crate) arguments: Vec<String>,
}

/// What is compared.
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) step: Step,
    /// First asap, then PyTorch with the same network, then whatever else asap is compared with.
    pub(crate) contenders: Vec<Contender>,
    /// Contenders by number: the figures of the first are divided by those of the second.
    pub(crate) ratios: Vec<[usize; 2]>,
}

impl Subject {
    /// The supernet in both programs.
    pub(crate) fn search(size: Size, step: Step, threads: u32) -> Self {
        let mut arguments = size.arguments();
        arguments.extend(words(&format!("--step {}", step.name())));
        let programs = [
            (Program::Asap, arguments.clone()),
            (Program::Supernet, arguments),
        ];
        Self::new(size.name().to_owned(), step, threads, programs)
    }

    /// A network derived from the supernet in both programs, and asap's supernet.
    pub(crate) fn derived(genotype: &str, size: Size, threads: u32) -> Self {
        let mut arguments = size.arguments();
        arguments.extend(["--genotype".to_owned(), genotype.to_owned()]);
        let programs = [
            (Program::Asap, arguments.clone()),
            (Program::Supernet, arguments),
        ];
        let name = format!("{}, {genotype}", size.name());
        let mut subject = Self::new(name, Step::Weight, threads, programs);
        subject.contenders.push(Contender {
            name: "asap's supernet",
            program: Program::Asap,
            threads,
            arguments: size.arguments(),
        });
        subject.ratios.push([0, 2]);
        subject
    }

    /// A derived network in the form that is trained for use, in both programs.
    pub(crate) fn trained(genotype: &str, size: Final, threads: u32) -> Self {
        let Final {
            channels,
            cells,
            batch,
        } = size;
        let mut arguments = words(&format!(
            "--channels {channels} --cells {cells} --batch {batch} --genotype"
        ));
        arguments.push(genotype.to_owned());
        let ours = [&arguments[..], &words("--final")].concat();
        let programs = [(Program::Asap, ours), (Program::Network, arguments)];
        let name = format!("{genotype}, {channels} channels, {cells} cells, batch {batch}");
        Self::new(name, Step::Weight, threads, programs)
    }

    fn new(name: String, step: Step, threads: u32, programs: [(Program, Vec<String>); 2]) -> Self {
        let contenders = ["asap", "PyTorch"].into_iter().zip(programs);
        let contender = |(name, (program, arguments))| Contender {
            name,
            program,
            threads,
            arguments,
        };
        Self {
            name,
            step,
            contenders: contenders.map(contender).collect(),
            ratios: vec![[0, 1]],
        }
    }

    /// Lets asap do the same on one thread.
    pub(crate) fn add_one_thread(&mut self) {
        let single = Contender {
            name: "asap on 1 thread",
            program: Program::Asap,
            threads: 1,
            arguments: self.contenders[0].arguments.clone(),
        };
        self.ratios.push([self.contenders.len(), 0]);
        self.contenders.push(single);
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

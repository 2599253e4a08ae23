//! `asap bench step`: the time of one step of a supernet, or of a network derived from it.

use super::alphas::{self, Alphas};
use super::batch::{Batch, Random};
use super::clock::timed;
use super::inputs;
use super::report::{Measured, Report};
use crate::quantities::bytes;
use crate::{genotypes, output};
use anyhow::{Result, bail, ensure};
use asap_genotype::{OpSet, OpWeights, Topology};
use asap_space::{
    Execution, Form, Network, NetworkConfig, StemForm, Wanted, macs_per_image, parameter_count,
    training_memory,
};
use asap_train::{Sgd, SgdConfig, available_bytes, gradient_norm, peak_resident_bytes};
use clap::ValueEnum;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

/// As the paper's search has it, by UniNAS.
const SGD: SgdConfig = SgdConfig {
    momentum: 0.9,
    nesterov: false,
    weight_decay: 3e-4,
    clip: 5.0,
};
const LEARNING_RATE: f64 = 0.025;

/// Which update a step makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Step {
    /// One SGD update of the weights
    Weight,
    /// One Adam update of the alphas
    Alpha,
    /// An alpha step, then a weight step
    Search,
}

/// Settings of `asap bench step`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Channels of the first cells
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(super) channels: usize,
    /// Cells of the network
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(super) cells: usize,
    /// Height and width of an image, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 32)]
    pub(super) size: usize,
    /// Channels of an image
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) image_channels: usize,
    /// Images of a step
    #[arg(long, value_name = "IMAGES", default_value_t = 64)]
    pub(super) batch: usize,
    /// Steps that are timed
    #[arg(long, value_name = "N", default_value_t = 5)]
    steps: usize,
    /// Steps before the clock starts
    #[arg(long, value_name = "N", default_value_t = 2)]
    warmup: usize,
    /// Threads that compute [default: as many as the machine has cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Which update is timed
    #[arg(long, value_enum, default_value_t = Step::Weight)]
    pub(super) step: Step,
    /// Time a derived network instead of the supernet: a published name or a genotype file
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) genotype: Option<String>,
    /// Seed of weights, images and alphas
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Start from the weights of a safetensors file
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Start from the images and alphas of a safetensors file
    #[arg(long, value_name = "FILE")]
    inputs: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(cores)
    }

    fn network(&self) -> NetworkConfig {
        NetworkConfig {
            channels: self.channels,
            cells: self.cells,
            classes: 10,
            image_channels: self.image_channels,
            height: self.size,
            width: self.size,
            form: Form::Search,
            stem: StemForm::Cifar,
            auxiliary: false,
        }
    }
}

/// Times the steps and prints the line.
///
/// # Errors
/// If a setting makes no sense, a file cannot be read, or the network cannot be built.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.steps > 0, "--steps: expected at least 1, found 0");
    ensure!(
        arguments.threads() > 0,
        "--threads: expected at least 1, found 0"
    );
    let base_bytes = peak_resident_bytes();
    let mut job = Job::new(arguments)?;
    let started = Instant::now();
    let mut losses = Vec::new();
    for _ in 0..arguments.warmup {
        losses.push(job.step(arguments.step)?);
    }
    let warmup_seconds = started.elapsed().as_secs_f64();
    let mut steps = Vec::new();
    for _ in 0..arguments.steps {
        let (loss, seconds) = timed(|| job.step(arguments.step));
        losses.push(loss?);
        steps.push(seconds);
    }
    let (config, topology) = (job.network.config(), job.network.topology());
    let measured = Measured {
        warmup_seconds,
        steps,
        losses,
        macs_per_image: macs_per_image(config, topology)?,
        weights: parameter_count(config, topology)?,
        base_bytes,
        peak_bytes: peak_resident_bytes(),
    };
    output::line(serde_json::to_string(&Report::new(arguments, measured))?)
}

/// A network under training, on the same two batches all the time.
struct Job {
    network: Network,
    sgd: Sgd,
    /// Absent where nothing is left to choose.
    alphas: Option<Alphas>,
    weight_batch: Batch,
    alpha_batch: Batch,
}

impl Job {
    fn new(arguments: &Arguments) -> Result<Self> {
        let topology = match &arguments.genotype {
            Some(genotype) => Topology::from_genotype(&genotypes::find(genotype)?),
            None => Topology::full(&OpSet::darts7()),
        };
        ensure!(
            arguments.genotype.is_none() || arguments.step == Step::Weight,
            "--genotype: a derived network has no alphas, so --step must be weight"
        );
        let execution = Execution {
            batch: arguments.batch,
            threads: arguments.threads(),
        };
        let config = arguments.network();
        require_memory(training_memory(&config, &topology, execution)?.total())?;
        let mut network = Network::new(config, topology.clone(), execution, arguments.seed)?;
        if let Some(path) = &arguments.weights {
            network.load_tensors(&inputs::read_tensors(path)?)?;
        }
        let shape = [
            arguments.batch,
            arguments.size,
            arguments.size,
            arguments.image_channels,
        ];
        let (weight_batch, alpha_batch, values) = match &arguments.inputs {
            Some(path) => {
                let inputs = inputs::read(path, shape, &topology)?;
                (inputs.weight, inputs.alpha, inputs.alphas)
            }
            None => {
                let mut random = Random::new(arguments.seed);
                let pixels = shape[1..].iter().product();
                let mut batch = || random.batch(arguments.batch, pixels, 10);
                let (weight, alpha) = (batch(), batch());
                let values = alphas::small(&topology, || random.normal());
                (
                    weight,
                    alpha,
                    arguments.genotype.is_none().then_some(values),
                )
            }
        };
        let sgd = Sgd::new(SGD, network.weights().len());
        Ok(Self {
            network,
            sgd,
            alphas: values.map(Alphas::new),
            weight_batch,
            alpha_batch,
        })
    }

    /// The loss of the last update.
    fn step(&mut self, step: Step) -> Result<f64> {
        match step {
            Step::Weight => self.weight_step(),
            Step::Alpha => self.alpha_step(),
            Step::Search => {
                self.alpha_step()?;
                self.weight_step()
            }
        }
    }

    fn weight_step(&mut self) -> Result<f64> {
        let op_weights = match &self.alphas {
            Some(alphas) => alphas.op_weights(),
            None => OpWeights::ones(self.network.topology()),
        };
        let outcome =
            self.network
                .step(self.weight_batch.images(), &op_weights, Wanted::Weights)?;
        let norm = gradient_norm(self.network.gradients());
        let (weights, gradients) = self.network.weights_and_gradients();
        self.sgd.step(weights, gradients, norm, LEARNING_RATE);
        Ok(outcome.loss)
    }

    fn alpha_step(&mut self) -> Result<f64> {
        let Some(alphas) = &mut self.alphas else {
            return Ok(f64::NAN);
        };
        let op_weights = alphas.op_weights();
        let images = self.alpha_batch.images();
        let outcome = self.network.step(images, &op_weights, Wanted::OpWeights)?;
        alphas.step(&op_weights, self.network.op_weight_gradients());
        Ok(outcome.loss)
    }
}

/// Refuses to take more memory than there is: the system would end the program without a word.
fn require_memory(needed: u64) -> Result<()> {
    match available_bytes() {
        Some(free) if needed > free => bail!(
            "the step needs {} of memory and {} are available: lower --channels, --cells or --batch",
            bytes(needed),
            bytes(free)
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn sizes(channels: usize, cells: usize, size: usize) -> (usize, u64) {
        let config = NetworkConfig {
            channels,
            cells,
            classes: 10,
            image_channels: 3,
            height: size,
            width: size,
            form: Form::Search,
            stem: StemForm::Cifar,
            auxiliary: false,
        };
        let topology = Topology::full(&OpSet::darts7());
        (
            parameter_count(&config, &topology).unwrap(),
            macs_per_image(&config, &topology).unwrap(),
        )
    }

    /// From the PyTorch program: its own parameters, and multiply-accumulates counted by hooks.
    #[test]
    fn the_supernet_has_the_weights_and_macs_of_the_peer() {
        assert_eq!(sizes(8, 5, 28), (394_210, 47_185_536));
        assert_eq!(sizes(16, 8, 32), (1_930_618, 300_255_744));
    }
}

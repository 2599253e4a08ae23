//! What a benchmark times: a network under training, on the same two batches all the time.

use super::alphas::{self, Alphas};
use super::batch::{Batch, Random};
use super::inputs;
use super::scale::CLASSES;
use crate::quantities::bytes;
use anyhow::{Context, Result, bail};
use asap_genotype::{OpWeights, Topology};
use asap_space::{
    Execution, Network, NetworkConfig, Place, Regularisation, Wanted, training_memory,
};
use asap_train::{SgdConfig, available_bytes};
use clap::ValueEnum;
use serde::Serialize;
use std::path::Path;

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

/// Where a job starts.
pub(super) struct Start<'a> {
    pub(super) config: NetworkConfig,
    pub(super) topology: Topology,
    pub(super) execution: Execution,
    pub(super) place: &'a Place,
    pub(super) seed: u64,
    /// A file with the weights, in the place of random ones.
    pub(super) weights: Option<&'a Path>,
    /// A file with images and alphas, in the place of random ones.
    pub(super) inputs: Option<&'a Path>,
}

/// A network under training.
pub(super) struct Job {
    pub(super) network: Network,
    /// Absent where nothing is left to choose.
    alphas: Option<Alphas>,
    weight_batch: Batch,
    alpha_batch: Batch,
}

impl Job {
    /// # Errors
    /// If a file cannot be read, the network makes no sense or memory is short.
    pub(super) fn new(start: Start<'_>) -> Result<Self> {
        let Start {
            config,
            topology,
            execution,
            place,
            seed,
            ..
        } = start;
        if !place.is_device() {
            require_memory(training_memory(&config, &topology, execution)?.total())?;
        }
        let shape = [
            execution.batch,
            config.height,
            config.width,
            config.image_channels,
        ];
        let mut network = Network::on(place, config, topology.clone(), execution, seed)?;
        if let Some(path) = start.weights {
            network.load_tensors(&inputs::read_tensors(path)?)?;
        }
        let (weight_batch, alpha_batch, values) = match start.inputs {
            Some(path) => {
                let inputs = inputs::read(path, shape, &topology)?;
                (inputs.weight, inputs.alpha, inputs.alphas)
            }
            None => {
                let mut random = Random::new(seed);
                let values = shape[1..].iter().product();
                let mut batch = || random.batch(execution.batch, values, CLASSES);
                let (weight, alpha) = (batch(), batch());
                let alphas = alphas::small(&topology, || random.normal());
                (weight, alpha, (!topology.is_discrete()).then_some(alphas))
            }
        };
        Ok(Self {
            network,
            alphas: values.map(Alphas::new),
            weight_batch,
            alpha_batch,
        })
    }

    /// The loss of the last update.
    ///
    /// # Errors
    /// If the network finds that something does not fit.
    pub(super) fn step(&mut self, step: Step) -> Result<f64> {
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
        let (images, regularisation) = (self.weight_batch.images(), Regularisation::default());
        self.network
            .start_step(images.into(), &op_weights, Wanted::Weights, regularisation)?;
        self.network.descend(SGD.descent(LEARNING_RATE))?;
        // Waits for a device, the descent included.
        let finished = self.network.outcomes()?;
        finished
            .last()
            .map(|finished| finished.outcome.loss)
            .context("a step had no outcome")
    }

    fn alpha_step(&mut self) -> Result<f64> {
        let Some(alphas) = &mut self.alphas else {
            return Ok(f64::NAN);
        };
        let op_weights = alphas.op_weights();
        let images = self.alpha_batch.images();
        let outcome = self.network.step(images, &op_weights, Wanted::OpWeights)?;
        alphas.step(&op_weights, &self.network.op_weight_gradients()?);
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

//! What a benchmark times: a network under training, on the same two batches all the time.

use super::alphas::{self, Alphas};
use super::batch::{Random, Shown};
use super::clock::{Seconds, timed};
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
/// Weight steps that a device has still to do whenever older ones are looked at, as in a training.
const UNDER_WAY: usize = 16;

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
    weight_batch: Shown,
    alpha_batch: Shown,
}

/// Some steps, and what they took.
pub(super) struct Run {
    /// Of the last update of every step.
    pub(super) losses: Vec<f64>,
    /// Of every step; of a device, which goes on by itself, their mean alone.
    pub(super) seconds: Vec<Seconds>,
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
                let [weight, alpha] = [inputs.weight, inputs.alpha].map(Shown::Given);
                (weight, alpha, inputs.alphas)
            }
            None => {
                let mut random = Random::new(seed);
                let [weight, alpha] = match place.is_device() {
                    true => random.kept(&mut network, CLASSES)?,
                    false => {
                        let values = shape[1..].iter().product();
                        [(); 2]
                            .map(|()| Shown::Given(random.batch(execution.batch, values, CLASSES)))
                    }
                };
                let alphas = alphas::small(&topology, || random.normal());
                (weight, alpha, (!topology.is_discrete()).then_some(alphas))
            }
        };
        let alphas = values.map(Alphas::new);
        if let Some(alphas) = alphas.as_ref().filter(|_| place.is_device()) {
            network.set_alphas(&alphas.on_device())?;
        }
        Ok(Self {
            network,
            alphas,
            weight_batch,
            alpha_batch,
        })
    }

    /// Steps, one after the other.
    ///
    /// # Errors
    /// If the network finds that something does not fit, or a device fails.
    pub(super) fn run(&mut self, step: Step, count: usize) -> Result<Run> {
        if self.network.device().is_none() {
            let steps = (0..count).map(|_| {
                let (loss, seconds) = timed(|| self.step(step));
                Ok((loss?, seconds))
            });
            let (losses, seconds) = steps.collect::<Result<Vec<_>>>()?.into_iter().unzip();
            return Ok(Run { losses, seconds });
        }
        let (losses, all) = timed(|| self.run_on_device(step, count));
        let share = |seconds: f64| seconds / count as f64;
        let seconds = Seconds {
            wall: share(all.wall),
            cpu: all.cpu.map(share),
        };
        Ok(Run {
            losses: losses?,
            seconds: vec![seconds; count.min(1)],
        })
    }

    /// As a search runs them: nothing waits but what has to see the alphas, and the device goes on meanwhile.
    fn run_on_device(&mut self, step: Step, count: usize) -> Result<Vec<f64>> {
        let mut losses = Vec::new();
        for done in 0..count {
            if done % UNDER_WAY == 0 {
                losses.extend(self.weight_losses_but(UNDER_WAY)?);
            }
            let alphas = self.alphas.as_ref();
            let alphas = alphas.filter(|_| step != Step::Weight);
            if let Some(alphas) = alphas {
                let (images, wanted) = (self.alpha_batch.images(), Wanted::OpWeights);
                let regularisation = Regularisation::default();
                self.network
                    .start_step(images, &alphas.op_weights(), wanted, regularisation)?;
                self.network.move_alphas(alphas.descent())?;
            }
            let moved = alphas.is_some();
            if step != Step::Alpha {
                self.start_weight_step(moved)?;
            }
            if moved {
                let (finished, moved) = self.network.moved_alphas()?;
                losses.extend((step == Step::Alpha).then_some(finished.outcome.loss));
                if let Some(alphas) = &mut self.alphas {
                    alphas.follow(&moved);
                }
            }
        }
        losses.extend(self.weight_losses_but(0)?);
        Ok(losses)
    }

    /// Of the weight steps under way but the newest, once they are done.
    fn weight_losses_but(&mut self, newest: usize) -> Result<Vec<f64>> {
        let finished = self.network.outcomes_but(newest)?;
        Ok(finished.iter().map(|step| step.outcome.loss).collect())
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

    /// Begins a weight step, with the op weights that moved alphas have left on the device if they `moved`.
    fn start_weight_step(&mut self, moved: bool) -> Result<()> {
        let op_weights = match &self.alphas {
            Some(alphas) => alphas.op_weights(),
            None => OpWeights::ones(self.network.topology()),
        };
        let (images, wanted) = (self.weight_batch.images(), Wanted::Weights);
        let regularisation = Regularisation::default();
        match moved {
            true => self
                .network
                .start_step_as_moved(images, wanted, regularisation)?,
            false => self
                .network
                .start_step(images, &op_weights, wanted, regularisation)?,
        }
        Ok(self.network.descend(SGD.descent(LEARNING_RATE))?)
    }

    fn weight_step(&mut self) -> Result<f64> {
        self.start_weight_step(false)?;
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
        let (images, wanted) = (self.alpha_batch.images(), Wanted::OpWeights);
        let regularisation = Regularisation::default();
        self.network
            .start_step(images, &op_weights, wanted, regularisation)?;
        let finished = self.network.outcomes()?;
        alphas.step(&op_weights, &self.network.op_weight_gradients()?);
        finished
            .last()
            .map(|finished| finished.outcome.loss)
            .context("a step had no outcome")
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

//! The supernet and every network derived from it: a topology, its weights, and what computes them.

mod alphas;
mod average;
mod backend;
mod device;
mod host;
mod slabs;

use asap_genotype::{OpWeights, Topology};
use asap_kernels::device::{Descent, DeviceEngine, Slab, StepOpWeights};
use asap_kernels::{Level, Outcome, Plan, Regularisation, Wanted, padded};

use crate::config::{Execution, NetworkConfig};
use crate::error::{Error, Result};
use crate::init;
use crate::lower;
use crate::place::Place;
use crate::slab_map::SlabMap;
use backend::{Backend, Step};
use device::OnDevice;
use host::Processor;

pub use backend::StepImages;

/// Images of a step and their labels.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// `[N, H, W, C]`, contiguous, normalised.
    pub pixels: &'a [f32],
    /// `[N]`, each under the number of classes.
    pub labels: &'a [u32],
}

/// What a step found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOutcome {
    /// The loss that was minimised, a mean over the batch: cross-entropy, and the auxiliary head's share.
    pub loss: f64,
    /// Images whose largest logit is their label's.
    pub correct: usize,
}

impl From<Outcome> for StepOutcome {
    fn from(outcome: Outcome) -> Self {
        let Outcome { loss, correct } = outcome;
        Self { loss, correct }
    }
}

/// What a step found, and the descent after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finished {
    /// What the step found.
    pub outcome: StepOutcome,
    /// Length of all gradients of the weights together, if [`Network::descend`] followed.
    pub gradient_norm: Option<f64>,
    /// What it took by the clock of the device, where it ran on one.
    pub seconds: Option<f64>,
}

/// A supernet or a derived network: which, its topology decides.
pub struct Network {
    config: NetworkConfig,
    topology: Topology,
    execution: Execution,
    backend: Box<dyn Backend>,
    /// What [`Network::step_with`] or a pruning has brought home and nobody has asked for.
    finished: Vec<Finished>,
}

impl Network {
    /// A network on the processor, with first weights drawn from `seed`, as PyTorch draws them by default.
    ///
    /// # Errors
    /// If the configuration makes no network, or threads cannot be started.
    pub fn new(
        config: NetworkConfig,
        topology: Topology,
        execution: Execution,
        seed: u64,
    ) -> Result<Self> {
        Self::with_level(config, topology, execution, seed, Level::detect())
    }

    /// [`Self::new`] with the kernels of one instruction set, to compare them.
    ///
    /// # Errors
    /// As [`Self::new`], and if the processor lacks the instructions.
    pub fn with_level(
        config: NetworkConfig,
        topology: Topology,
        execution: Execution,
        seed: u64,
        level: Level,
    ) -> Result<Self> {
        let plan = lower::plan(&config, &topology, execution.batch)?;
        let backend = Box::new(Processor::new(plan, level, execution.threads)?);
        Self::begin(config, topology, execution, seed, backend)
    }

    /// [`Self::new`], and where it runs.
    ///
    /// # Errors
    /// As [`Self::new`], and if the device has not the memory.
    pub fn on(
        place: &Place,
        config: NetworkConfig,
        topology: Topology,
        execution: Execution,
        seed: u64,
    ) -> Result<Self> {
        let Place::Device(accelerator) = place else {
            return Self::new(config, topology, execution, seed);
        };
        let plan = lower::plan(&config, &topology, execution.batch)?;
        let backend = Box::new(OnDevice::new(plan, accelerator)?);
        Self::begin(config, topology, execution, seed, backend)
    }

    fn begin(
        config: NetworkConfig,
        topology: Topology,
        execution: Execution,
        seed: u64,
        mut backend: Box<dyn Backend>,
    ) -> Result<Self> {
        let plan = backend.plan();
        let mut weights = vec![0.0; plan.slab_len()];
        init::initialise(plan.parameters(), &mut weights, seed);
        let statistics = first_statistics(plan);
        backend.write(Slab::Weights, weights)?;
        backend.write(Slab::Statistics, statistics)?;
        Ok(Self {
            config,
            topology,
            execution,
            backend,
            finished: Vec::new(),
        })
    }

    /// Size and form.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Operations alive.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Batch and threads.
    pub fn execution(&self) -> Execution {
        self.execution
    }

    /// What computes it where that is a device.
    pub fn device(&mut self) -> Option<&mut DeviceEngine> {
        self.backend.engine()
    }

    /// [`Self::step_with`] the default regularisation.
    ///
    /// # Errors
    /// As [`Self::step_with`].
    pub fn step(
        &mut self,
        images: Images<'_>,
        op_weights: &OpWeights,
        wanted: Wanted,
    ) -> Result<StepOutcome> {
        self.step_with(images, op_weights, wanted, Regularisation::default())
    }

    /// One forward and backward pass in training mode, done when this returns. If gradients of the weights are wanted, BN
    /// running statistics move too; an alpha step leaves them alone (ours).
    ///
    /// # Errors
    /// If the images, labels, op weights or the regularisation do not fit; nothing has changed then. If a device fails.
    pub fn step_with(
        &mut self,
        images: Images<'_>,
        op_weights: &OpWeights,
        wanted: Wanted,
        regularisation: Regularisation,
    ) -> Result<StepOutcome> {
        self.start_step(images.into(), op_weights, wanted, regularisation)?;
        let mut finished = self.backend.outcomes_but(0)?;
        let last = finished.pop().expect("a step was started");
        self.finished.extend(finished);
        Ok(last.outcome)
    }

    /// Begins a step as [`Self::step_with`] does it, which may still run when this returns: what it finds is among the
    /// [`Self::outcomes`].
    ///
    /// # Errors
    /// As [`Self::step_with`].
    pub fn start_step(
        &mut self,
        images: StepImages<'_>,
        op_weights: &OpWeights,
        wanted: Wanted,
        regularisation: Regularisation,
    ) -> Result<()> {
        let op_weights = lower::flatten(op_weights, &self.topology)?;
        self.backend.start(Step {
            images,
            op_weights: StepOpWeights::Given(&op_weights),
            regularisation,
            wanted,
        })
    }

    /// Moves the weights against the gradients of the last step, and their velocity; may still run when this returns. They
    /// stay as they are if the loss of the step or the norm of the gradients is no number.
    ///
    /// # Errors
    /// If a device fails.
    pub fn descend(&mut self, descent: Descent) -> Result<()> {
        self.backend.descend(descent)
    }

    /// What the steps found that were started since the last call, oldest first, once they are done; those left out that
    /// [`Self::move_alphas`] followed.
    ///
    /// # Errors
    /// If a device fails.
    pub fn outcomes(&mut self) -> Result<Vec<Finished>> {
        self.outcomes_but(0)
    }

    /// [`Self::outcomes`] of all but the `newest` steps, which a device may still have to do: nothing waits for them.
    ///
    /// # Errors
    /// If a device fails.
    pub fn outcomes_but(&mut self, newest: usize) -> Result<Vec<Finished>> {
        let mut finished = std::mem::take(&mut self.finished);
        finished.extend(self.backend.outcomes_but(newest)?);
        Ok(finished)
    }

    /// Puts a set of images, `[N, H, W, C]` bytes, on the device that runs the network; `tables` say for each channel what a
    /// byte becomes.
    ///
    /// # Errors
    /// If it runs on the processor, the images do not fit, or the device has no memory for them.
    pub fn keep_images(&mut self, set: &[u8], tables: &[[f32; 256]]) -> Result<()> {
        self.backend.keep_images(set, tables)
    }

    /// Logits `[N, classes]` in eval mode: BN uses its running statistics.
    ///
    /// # Errors
    /// If the images or op weights do not fit, or a device fails.
    pub fn logits(&mut self, pixels: &[f32], op_weights: &OpWeights) -> Result<Vec<f32>> {
        let op_weights = lower::flatten(op_weights, &self.topology)?;
        self.backend.logits(pixels, &op_weights)
    }

    /// Gradient of the loss in every op weight, of the last step that wanted them.
    ///
    /// # Errors
    /// If a device fails.
    pub fn op_weight_gradients(&self) -> Result<OpWeights> {
        let gradients = self.backend.op_weight_gradients()?;
        Ok(lower::unflatten(&gradients, &self.topology))
    }

    /// Drops every operation that `topology` no longer has, with its weights, their gradients and velocity, statistics and
    /// buffers.
    ///
    /// # Errors
    /// If `topology` has an operation that the network has not, or a device fails.
    pub fn prune(&mut self, topology: Topology) -> Result<()> {
        if !topology.is_subset_of(&self.topology) {
            return Err(Error::NotASubset);
        }
        let finished = self.backend.outcomes_but(0)?;
        self.finished.extend(finished);
        let plan = lower::plan(&self.config, &topology, self.execution.batch)?;
        let weights = SlabMap::of_parameters(self.backend.plan(), &plan);
        let statistics = SlabMap::of_statistics(self.backend.plan(), &plan);
        let kept = [
            (Slab::Weights, &weights),
            (Slab::Gradients, &weights),
            (Slab::Velocity, &weights),
            (Slab::Statistics, &statistics),
        ]
        .map(|(slab, map)| Ok((slab, map.remapped(&self.backend.read(slab)?))));
        let kept: Vec<(Slab, Vec<f32>)> = kept.into_iter().collect::<Result<_>>()?;
        self.backend.replace(plan)?;
        for (slab, values) in kept {
            self.backend.write(slab, values)?;
        }
        self.topology = topology;
        Ok(())
    }

    /// A network of its own, in the same place, with part of this one's operations, in the same form, and their weights and
    /// statistics.
    ///
    /// # Errors
    /// If `topology` has an operation that the network has not, or a device fails.
    pub fn derive(&self, topology: &Topology) -> Result<Self> {
        if !topology.is_subset_of(&self.topology) {
            return Err(Error::NotASubset);
        }
        let plan = lower::plan(&self.config, topology, self.execution.batch)?;
        let old = self.backend.plan();
        let weights = SlabMap::of_parameters(old, &plan).remapped(&self.weights()?);
        let statistics = SlabMap::of_statistics(old, &plan).remapped(&self.statistics()?);
        let mut backend = self.backend.another(plan)?;
        backend.write(Slab::Weights, weights)?;
        backend.write(Slab::Statistics, statistics)?;
        Ok(Self {
            config: self.config.clone(),
            topology: topology.clone(),
            execution: self.execution,
            backend,
            finished: Vec::new(),
        })
    }

    /// The same network in another place.
    ///
    /// # Errors
    /// If a device fails or has not the memory.
    pub fn on_another(&self, place: &Place) -> Result<Self> {
        let (config, topology) = (self.config.clone(), self.topology.clone());
        let mut network = Self::on(place, config, topology, self.execution, 0)?;
        network.set_weights(self.weights()?.into_owned())?;
        network.set_statistics(self.statistics()?.into_owned())?;
        Ok(network)
    }
}

/// Means 0, variances 1; padding 0.
fn first_statistics(plan: &Plan) -> Vec<f32> {
    let mut statistics = vec![0.0; plan.statistics_len()];
    for s in plan.statistics() {
        statistics[s.offset + padded(s.channels)..][..s.channels].fill(1.0);
    }
    statistics
}

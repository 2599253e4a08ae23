//! The supernet and every network derived from it: a topology, its weights, and the engine that runs them.

use asap_genotype::{OpWeights, Topology};
use asap_kernels::{Engine, Level, Pass, Plan, Regularisation, Wanted, padded};

use crate::config::{Execution, NetworkConfig};
use crate::error::{Error, Result};
use crate::init;
use crate::lower;
use crate::slab_map::SlabMap;
use crate::tensors::{self, NamedTensor, Taken};

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

/// A supernet or a derived network: which, its topology decides.
pub struct Network {
    config: NetworkConfig,
    topology: Topology,
    execution: Execution,
    level: Level,
    engine: Engine,
    weights: Vec<f32>,
    gradients: Vec<f32>,
    statistics: Vec<f32>,
    op_weight_gradients: OpWeights,
}

impl Network {
    /// A network with first weights drawn from `seed`, as PyTorch draws them by default.
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
        let mut weights = vec![0.0; plan.slab_len()];
        init::initialise(plan.parameters(), &mut weights, seed);
        let statistics = first_statistics(&plan);
        Self::assemble(
            config, topology, execution, level, plan, weights, statistics,
        )
    }

    fn assemble(
        config: NetworkConfig,
        topology: Topology,
        execution: Execution,
        level: Level,
        plan: Plan,
        weights: Vec<f32>,
        statistics: Vec<f32>,
    ) -> Result<Self> {
        let gradients = vec![0.0; weights.len()];
        let op_weight_gradients = OpWeights::zeros(&topology);
        let engine = Engine::new(plan, level, execution.threads)?;
        Ok(Self {
            config,
            topology,
            execution,
            level,
            engine,
            weights,
            gradients,
            statistics,
            op_weight_gradients,
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

    /// One forward and backward pass in training mode. If gradients of the weights are wanted, BN running statistics
    /// move too; an alpha step leaves them alone (ours).
    ///
    /// # Errors
    /// If the images, labels, op weights or the regularisation do not fit; nothing has changed then.
    pub fn step_with(
        &mut self,
        images: Images<'_>,
        op_weights: &OpWeights,
        wanted: Wanted,
        regularisation: Regularisation,
    ) -> Result<StepOutcome> {
        let op_weights = lower::flatten(op_weights, &self.topology)?;
        let pass = Pass {
            pixels: images.pixels,
            parameters: &self.weights,
            op_weights: &op_weights,
            regularisation,
        };
        let (statistics, gradients) = (&mut self.statistics, &mut self.gradients);
        let outcome = self
            .engine
            .step(pass, images.labels, statistics, gradients, wanted)?;
        if wanted != Wanted::Weights {
            let gradients = self.engine.op_weight_gradients();
            self.op_weight_gradients = lower::unflatten(gradients, &self.topology);
        }
        Ok(StepOutcome {
            loss: outcome.loss,
            correct: outcome.correct,
        })
    }

    /// Logits `[N, classes]` in eval mode: BN uses its running statistics.
    ///
    /// # Errors
    /// If the images or op weights do not fit.
    pub fn logits(&mut self, pixels: &[f32], op_weights: &OpWeights) -> Result<Vec<f32>> {
        let op_weights = lower::flatten(op_weights, &self.topology)?;
        let pass = Pass {
            pixels,
            parameters: &self.weights,
            op_weights: &op_weights,
            regularisation: Regularisation::default(),
        };
        Ok(self.engine.logits(pass, &self.statistics)?.to_vec())
    }

    /// All weights: channels padded to a multiple of 8, padding 0.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The weights, to be changed; padding must stay 0.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        &mut self.weights
    }

    /// Running means and variances of all normalisations, padded like the weights.
    pub fn statistics(&self) -> &[f32] {
        &self.statistics
    }

    /// The running statistics, to be changed; padding must stay 0.
    pub fn statistics_mut(&mut self) -> &mut [f32] {
        &mut self.statistics
    }

    /// Gradients of the last step that wanted them, laid out like the weights.
    pub fn gradients(&self) -> &[f32] {
        &self.gradients
    }

    /// What an optimizer needs.
    pub fn weights_and_gradients(&mut self) -> (&mut [f32], &[f32]) {
        (&mut self.weights, &self.gradients)
    }

    /// Gradient of the loss in every op weight, of the last step that wanted them.
    pub fn op_weight_gradients(&self) -> &OpWeights {
        &self.op_weight_gradients
    }

    /// Drops every operation that `topology` no longer has, with its weights, statistics and buffers. The map does the same
    /// to slabs laid out like the weights.
    ///
    /// # Errors
    /// If `topology` has an operation that the network has not.
    pub fn prune(&mut self, topology: Topology) -> Result<SlabMap> {
        if !topology.is_subset_of(&self.topology) {
            return Err(Error::NotASubset);
        }
        let plan = lower::plan(&self.config, &topology, self.execution.batch)?;
        let map = SlabMap::of_parameters(self.engine.plan(), &plan);
        map.remap(&mut self.weights);
        map.remap(&mut self.gradients);
        SlabMap::of_statistics(self.engine.plan(), &plan).remap(&mut self.statistics);
        self.engine.replace(plan)?;
        self.op_weight_gradients = OpWeights::zeros(&topology);
        self.topology = topology;
        Ok(map)
    }

    /// A network of its own with part of this one's operations, in the same form, and their weights and statistics.
    ///
    /// # Errors
    /// If `topology` has an operation that the network has not.
    pub fn derive(&self, topology: &Topology) -> Result<Self> {
        if !topology.is_subset_of(&self.topology) {
            return Err(Error::NotASubset);
        }
        let plan = lower::plan(&self.config, topology, self.execution.batch)?;
        let (mut weights, mut statistics) = (self.weights.clone(), self.statistics.clone());
        SlabMap::of_parameters(self.engine.plan(), &plan).remap(&mut weights);
        SlabMap::of_statistics(self.engine.plan(), &plan).remap(&mut statistics);
        let (config, topology) = (self.config.clone(), topology.clone());
        Self::assemble(
            config,
            topology,
            self.execution,
            self.level,
            plan,
            weights,
            statistics,
        )
    }

    /// Weights and running statistics by name, sorted.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = self.slab_tensors(&self.weights);
        tensors.extend(tensors::from_statistics(
            self.engine.plan(),
            &self.statistics,
        ));
        tensors::sorted(tensors)
    }

    /// Takes over weights and running statistics.
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or of another network; nothing has changed then.
    pub fn load_tensors(&mut self, tensors: &[NamedTensor]) -> Result<()> {
        let mut taken = Taken::new(tensors);
        let weights = taken.slab(self.engine.plan())?;
        let statistics = taken.statistics(self.engine.plan())?;
        taken.finish()?;
        (self.weights, self.statistics) = (weights, statistics);
        Ok(())
    }

    /// Any slab laid out like the weights, by parameter name.
    pub fn slab_tensors(&self, slab: &[f32]) -> Vec<NamedTensor> {
        tensors::from_slab(self.engine.plan(), slab)
    }

    /// The inverse of [`Self::slab_tensors`].
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or of another network.
    pub fn slab_from_tensors(&self, tensors: &[NamedTensor]) -> Result<Vec<f32>> {
        let mut taken = Taken::new(tensors);
        let slab = taken.slab(self.engine.plan())?;
        taken.finish()?;
        Ok(slab)
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

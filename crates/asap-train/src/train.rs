//! The training of a found network in its final form, from fresh weights.

use asap_genotype::{Genotype, OpWeights, Topology};
use asap_space::{NamedTensor, Network, Place, Regularisation};
use serde::{Deserialize, Serialize};

use crate::averaged::Averaged;
use crate::checkpoint::{PhaseState, Tensors};
use crate::config::RunConfig;
use crate::error::Result;
use crate::evaluate::{Evaluation, EvaluationImages, Views, evaluate};
use crate::learner::{Learner, LearnerState, Plan};
use crate::memory::{mib, resident_bytes};
use crate::metrics::EpochMetrics;
use crate::progress::{Phase, Progress, StepReport};
use crate::run_data::RunData;
use crate::run_folder::RunFolder;
use crate::saved_network::SavedNetwork;
use crate::schedule::drop_path;
use crate::seed::{Stream, seed_of, seed_of_step};
use crate::summary::SearchResult;
use crate::work::Work;

/// What a training needs to go on, besides tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TrainState {
    pub(crate) learner: LearnerState,
    /// What came before: the genotype as JSON text, and the search that found it.
    genotype: String,
    search: Option<SearchResult>,
}

/// A training under way, between two steps.
pub(crate) struct Train {
    learner: Learner,
    genotype: Genotype,
    search: Option<SearchResult>,
    op_weights: OpWeights,
    validation: Option<EvaluationImages>,
    averaged: Option<Averaged>,
    /// What is the same in all steps.
    regularisation: Regularisation,
    /// Probability at the end of the plan.
    drop_path: f64,
    /// Seed of the paths that are dropped.
    paths: u64,
}

/// What a training ends with.
pub(crate) struct Trained {
    pub(crate) network: SavedNetwork,
    pub(crate) averaged: Option<Averaged>,
    pub(crate) search: Option<SearchResult>,
}

impl Train {
    /// A training of the network of `genotype`, at its beginning.
    pub(crate) fn start(
        place: &Place,
        config: &RunConfig,
        data: &RunData,
        genotype: Genotype,
        search: Option<SearchResult>,
    ) -> Result<Self> {
        Self::with(place, config, data, genotype, search, 0)
    }

    /// As [`Self::start`], from these weights and running statistics.
    pub(crate) fn start_from(
        place: &Place,
        config: &RunConfig,
        data: &RunData,
        genotype: Genotype,
        weights: &[NamedTensor],
    ) -> Result<Self> {
        let mut train = Self::with(place, config, data, genotype, None, 0)?;
        train.learner.network.load_tensors(weights)?;
        train.averaged = averaged(config, &mut train.learner.network)?;
        Ok(train)
    }

    /// The training that a checkpoint was made of.
    pub(crate) fn resume(
        place: &Place,
        config: &RunConfig,
        data: &RunData,
        state: TrainState,
        tensors: &Tensors,
    ) -> Result<Self> {
        let genotype = Genotype::from_json(&state.genotype)?;
        let done = data.train_plan(config).steps_done(state.learner.at);
        let mut train = Self::with(place, config, data, genotype, state.search, done)?;
        train.learner.restore(state.learner, tensors)?;
        if config.train.ema > 0.0 {
            let (network, average) = (&mut train.learner.network, &tensors.average);
            train.averaged = Some(Averaged::restored(config.train.ema, network, average)?);
        }
        Ok(train)
    }

    fn with(
        place: &Place,
        config: &RunConfig,
        data: &RunData,
        genotype: Genotype,
        search: Option<SearchResult>,
        steps: usize,
    ) -> Result<Self> {
        let topology = Topology::from_genotype(&genotype);
        let op_weights = OpWeights::ones(&topology);
        let mut network = Network::on(
            place,
            data.shape.train_network(config),
            topology,
            config.train_execution(),
            seed_of(config.seed, Stream::Network),
        )?;
        let averaged = averaged(config, &mut network)?;
        let images = data.train_images(config, &mut network, steps)?;
        let learner = Learner::new(network, data.train_plan(config), config.train.sgd, images);
        let validation = data.held_out();
        Ok(Self {
            learner,
            genotype,
            search,
            op_weights,
            validation,
            averaged,
            regularisation: Regularisation {
                label_smoothing: config.train.label_smoothing as f32,
                auxiliary_weight: config.train.auxiliary_weight as f32,
                ..Regularisation::default()
            },
            drop_path: config.train.drop_path,
            paths: seed_of(config.seed, Stream::Paths),
        })
    }

    /// How the step that comes next is regularised.
    fn regularisation(&self) -> Regularisation {
        let Learner { plan, state, .. } = &self.learner;
        Regularisation {
            drop_path: drop_path(self.drop_path, state.at.epoch, plan.epochs) as f32,
            seed: seed_of_step(self.paths, self.learner.steps_done()),
            ..self.regularisation
        }
    }

    /// What the network makes of the images held out, if there are any.
    fn validate(&mut self) -> Result<Option<Evaluation>> {
        let Some(images) = &self.validation else {
            return Ok(None);
        };
        let network = &mut self.learner.network;
        evaluate(network, &self.op_weights, images, Views::Plain).map(Some)
    }

    /// What the averaged weights make of them, if weights are averaged.
    fn validate_averaged(&mut self) -> Result<Option<Evaluation>> {
        let (Some(images), Some(averaged)) = (&self.validation, &mut self.averaged) else {
            return Ok(None);
        };
        averaged
            .in_place_of(&mut self.learner.network, |network| {
                evaluate(network, &self.op_weights, images, Views::Plain)
            })
            .map(Some)
    }

    /// The trained network, and the search that found it.
    pub(crate) fn finish(self, data: &RunData) -> Trained {
        let network = SavedNetwork {
            network: self.learner.network,
            genotype: self.genotype,
            classes: data.dataset.classes().to_vec(),
            normalisation: data.normalisation.clone(),
        };
        Trained {
            network,
            averaged: self.averaged,
            search: self.search,
        }
    }
}

impl Trained {
    /// Writes the network, and the one with averaged weights where there is one.
    pub(crate) fn write(&mut self, folder: &RunFolder) -> Result<()> {
        self.network.write(&folder.network())?;
        self.with_averaged(|network| network.write(&folder.averaged_network()))?;
        Ok(())
    }

    /// What `look` says about the network with averaged weights, where there is one.
    pub(crate) fn with_averaged<T>(
        &mut self,
        look: impl FnOnce(&mut SavedNetwork) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.averaged.is_none() {
            return Ok(None);
        }
        self.network.network.exchange_with_average()?;
        let answer = look(&mut self.network);
        self.network.network.exchange_with_average()?;
        answer.map(Some)
    }
}

/// The average of the network's weights, if they are to be averaged.
fn averaged(config: &RunConfig, network: &mut Network) -> Result<Option<Averaged>> {
    let decay = config.train.ema;
    (decay > 0.0)
        .then(|| Averaged::new(decay, network))
        .transpose()
}

impl Work for Train {
    fn plan(&self) -> &Plan {
        &self.learner.plan
    }

    fn images_on_device(&self) -> bool {
        self.learner.images_on_device()
    }

    fn steps_done(&self) -> usize {
        self.learner.steps_done()
    }

    fn is_over(&self) -> bool {
        self.learner.state.at.epoch >= self.learner.plan.epochs
    }

    fn epoch_is_over(&self) -> bool {
        self.learner.state.at.step >= self.learner.plan.steps
    }

    fn step(&mut self, _progress: &mut dyn Progress) -> Result<StepReport> {
        let at = self.learner.state.at;
        let learning_rate = self.learner.learning_rate();
        let regularisation = self.regularisation();
        let weight = self
            .learner
            .weight_step(Some(&self.op_weights), regularisation)?;
        if let Some(averaged) = self.averaged {
            let steps = self.learner.steps_done();
            averaged.follow(&mut self.learner.network, steps)?;
        }
        self.learner.state.sums.learning_rate = learning_rate;
        let seconds_left = self.learner.seconds_left(weight.seconds);
        Ok(StepReport {
            phase: Phase::Train,
            epoch: at.epoch,
            epochs: self.learner.plan.epochs,
            step: at.step,
            steps: self.learner.plan.steps,
            weight_loss: weight.loss,
            weight_accuracy: weight.accuracy,
            alpha_loss: None,
            temperature: None,
            operations_alive: None,
            images_per_second: weight.images as f64 / weight.seconds,
            seconds_left,
        })
    }

    fn end_epoch(&mut self) -> Result<EpochMetrics> {
        self.learner.settle()?;
        let epoch = self.learner.state.at.epoch + 1;
        let (validation, averaged) = (self.validate()?, self.validate_averaged()?);
        let sums = self.learner.next_epoch();
        Ok(EpochMetrics {
            phase: Phase::Train,
            epoch,
            epochs: self.learner.plan.epochs,
            steps: sums.steps(),
            weight_loss: sums.weight_loss(),
            weight_accuracy: sums.weight_accuracy(),
            val_loss: validation.as_ref().map(|validation| validation.loss),
            val_accuracy: validation.as_ref().map(|validation| validation.accuracy),
            ema_val_loss: averaged.as_ref().map(|averaged| averaged.loss),
            ema_val_accuracy: averaged.as_ref().map(|averaged| averaged.accuracy),
            alpha_loss: None,
            temperature: None,
            operations_alive: None,
            edges_alive: None,
            weight_step_seconds: sums.weight_step_seconds(),
            alpha_step_seconds: None,
            images_per_second: sums.images_per_second(),
            rss_mib: resident_bytes().map(mib),
            learning_rate: sums.learning_rate,
            op_weights: None,
        })
    }

    fn write_files(&self, _folder: &RunFolder) -> Result<()> {
        Ok(()) // The search has written them, and training adds nothing.
    }

    fn state(&self) -> PhaseState {
        PhaseState::Train(TrainState {
            learner: self.learner.state.clone(),
            genotype: self.genotype.to_json(),
            search: self.search.clone(),
        })
    }

    fn tensors(&mut self) -> Result<Tensors> {
        let mut tensors = self.learner.tensors()?;
        if let Some(averaged) = &mut self.averaged {
            let network = &mut self.learner.network;
            tensors.average = averaged.in_place_of(network, |network| Ok(network.tensors()?))?;
        }
        Ok(tensors)
    }

    fn settle(&mut self) -> Result<()> {
        self.learner.settle()
    }
}

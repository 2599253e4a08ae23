//! The search: weights and alphas take turns, and what weighs too little is removed for good.
//!
//! ```text
//! grace      T >= 1:  one weight step on the first half of the images, again and again
//! then                one alpha step on the second half, prune, one weight step on the first half
//! end                 nothing is left to decide, or the plan is over and the rest is forced
//! ```
//!
//! Where [`asap_anneal`], which knows no convolution, and [`asap_space`], which knows no temperature,
//! meet.

mod alpha_step;

use asap_anneal::{Annealer, AnnealerState, Decisions, LedgerLine, Moment};
use asap_genotype::Genotype;
use asap_space::{Network, Place, Regularisation};
use serde::{Deserialize, Serialize};

use crate::adam::Adam;
use crate::atomic::write_changed;
use crate::checkpoint::{PhaseState, Tensors};
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::evaluate::{Views, evaluate};
use crate::image_stream::ImageStream;
use crate::learner::{Learner, LearnerState, Plan};
use crate::memory::{mib, resident_bytes};
use crate::metrics::{EpochMetrics, named_op_weights};
use crate::progress::{Phase, Progress, StepReport};
use crate::promise::{SearchImages, decide};
use crate::run_data::RunData;
use crate::run_folder::RunFolder;
use crate::seed::{Stream, seed_of};
use crate::summary::SearchResult;
use crate::work::Work;

/// What a search needs to go on, besides tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SearchState {
    pub(crate) learner: LearnerState,
    alpha_steps: usize,
    annealer: AnnealerState,
    adam: Adam,
}

/// A search under way, between two steps.
pub(crate) struct Search {
    learner: Learner,
    annealer: Annealer,
    adam: Adam,
    alpha_images: ImageStream,
    alpha_steps: usize,
    /// Whether a device has the annealer's parameters.
    alphas_on_device: bool,
    images: SearchImages,
}

/// What a search ends with.
pub(crate) struct Found {
    pub(crate) genotype: Genotype,
    pub(crate) result: SearchResult,
    ledger: Vec<LedgerLine>,
}

impl Found {
    /// Writes the genotype and the whole ledger.
    pub(crate) fn write_files(&self, folder: &RunFolder) -> Result<()> {
        write_search_files(folder, &self.genotype, &self.ledger)
    }
}

fn write_search_files(
    folder: &RunFolder,
    genotype: &Genotype,
    ledger: &[LedgerLine],
) -> Result<()> {
    let path = folder.ledger();
    let mut text = String::new();
    for line in ledger {
        text += &serde_json::to_string(line)
            .map_err(|error| Error::malformed(&path, error.to_string()))?;
        text.push('\n');
    }
    write_changed(&path, text.as_bytes())?;
    write_changed(&folder.genotype(), genotype.to_json().as_bytes())
}

impl Search {
    /// A search at its beginning.
    pub(crate) fn start(place: &Place, config: &RunConfig, data: &RunData) -> Result<Self> {
        let annealer = Annealer::new(
            config.anneal.clone(),
            &config.search.operations,
            seed_of(config.seed, Stream::Alphas),
        )?;
        let adam = Adam::new(config.search.adam, annealer.parameters().len());
        Self::with(place, config, data, annealer, adam, (0, 0))
    }

    /// The search that a checkpoint was made of.
    pub(crate) fn resume(
        place: &Place,
        config: &RunConfig,
        data: &RunData,
        state: SearchState,
        tensors: &Tensors,
    ) -> Result<Self> {
        let annealer = Annealer::from_state(state.annealer)?;
        let weight_steps = data.search_plan(config).steps_done(state.learner.at);
        let steps = (weight_steps, state.alpha_steps);
        let mut search = Self::with(place, config, data, annealer, state.adam, steps)?;
        search.learner.restore(state.learner, tensors)?;
        Ok(search)
    }

    fn with(
        place: &Place,
        config: &RunConfig,
        data: &RunData,
        annealer: Annealer,
        adam: Adam,
        (weight_steps, alpha_steps): (usize, usize),
    ) -> Result<Self> {
        let mut network = Network::on(
            place,
            data.shape.search_network(config),
            annealer.topology().clone(),
            config.search_execution(),
            seed_of(config.seed, Stream::Supernet),
        )?;
        let (weight_images, alpha_images) =
            data.search_images(config, &mut network, weight_steps, alpha_steps)?;
        let plan = data.search_plan(config);
        let learner = Learner::new(network, plan, config.search.sgd, weight_images);
        let images = SearchImages {
            validation: data.validation(),
            compared: data.compared(),
        };
        Ok(Self {
            learner,
            annealer,
            adam,
            alpha_images,
            alpha_steps,
            alphas_on_device: false,
            images,
        })
    }

    /// The genotype if the search ended now: what is open is decided as it would be then.
    fn genotype_so_far(&self) -> Result<Genotype> {
        let mut annealer = self.annealer.clone();
        annealer.force(self.moment(), self.temperature());
        Ok(annealer.genotype()?)
    }

    /// Decides what is still open and holds the found network against the supernet.
    pub(crate) fn finish(mut self) -> Result<Found> {
        let (at, temperature) = (self.moment(), self.temperature());
        let seconds = self.learner.state.step_seconds;
        let decision = decide(
            self.learner.network,
            &mut self.annealer,
            at,
            temperature,
            &self.images,
        )?;
        let decisions = Decisions::count(self.annealer.ledger());
        let result = SearchResult {
            search_val_accuracy: decision.validation.accuracy,
            search_val_images: decision.validation.images,
            discretisation_gap: decision.discretisation_gap,
            discretisation_accuracy_change: decision.discretisation_accuracy_change,
            derivation_difference: decision.derivation_difference,
            compared_images: decision.compared_images,
            decisions: decisions.decisions,
            forced_decisions: decisions.forced,
            decisions_explained_by_noise: decisions.explained_by_noise,
            search_epochs: at.epoch,
            weight_steps: seconds.count(),
            alpha_steps: self.alpha_steps,
            first_weight_step_seconds: seconds.first_median(),
            last_weight_step_seconds: seconds.last_median(),
        };
        let ledger = self.annealer.ledger().to_vec();
        Ok(Found {
            genotype: decision.genotype,
            result,
            ledger,
        })
    }

    /// Temperature of the step that comes next.
    fn temperature(&self) -> f64 {
        let (done, all) = (self.learner.steps_done(), self.learner.plan.all_steps());
        self.annealer.temperature(done as f64 / all as f64)
    }

    fn moment(&self) -> Moment {
        let at = self.learner.state.at;
        Moment {
            epoch: at.epoch,
            step: self.learner.steps_done(),
        }
    }
}

impl Work for Search {
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
        self.annealer.is_finished() || self.learner.state.at.epoch >= self.learner.plan.epochs
    }

    fn epoch_is_over(&self) -> bool {
        self.annealer.is_finished() || self.learner.state.at.step >= self.learner.plan.steps
    }

    fn step(&mut self, progress: &mut dyn Progress) -> Result<StepReport> {
        let temperature = self.temperature();
        let at = self.learner.state.at;
        let learning_rate = self.learner.learning_rate();
        let (alpha, weight) = if self.annealer.in_grace(temperature) {
            let op_weights = self.annealer.op_weights(temperature);
            let regularisation = Regularisation::default();
            let weight = self
                .learner
                .weight_step(Some(&op_weights), regularisation)?;
            (None, weight)
        } else {
            let (alpha, weight) = self.both_steps(temperature, progress)?;
            (Some(alpha), weight)
        };
        let sums = &mut self.learner.state.sums;
        sums.temperature = Some(temperature);
        sums.learning_rate = learning_rate;
        let alpha_seconds = alpha.map_or(0.0, |alpha| alpha.seconds);
        let seconds = weight.seconds + alpha_seconds;
        let images = weight.images + alpha.map_or(0, |alpha| alpha.images);
        let seconds_left = self.learner.seconds_left(seconds);
        Ok(StepReport {
            phase: Phase::Search,
            epoch: at.epoch,
            epochs: self.learner.plan.epochs,
            step: at.step,
            steps: self.learner.plan.steps,
            weight_loss: weight.loss,
            weight_accuracy: weight.accuracy,
            alpha_loss: alpha.map(|alpha| alpha.loss),
            temperature: Some(temperature),
            operations_alive: Some(self.annealer.topology().operations_alive()),
            images_per_second: images as f64 / seconds,
            seconds_left,
        })
    }

    fn end_epoch(&mut self) -> Result<EpochMetrics> {
        self.learner.settle()?;
        let epoch = self.learner.state.at.epoch + 1;
        let temperature = self
            .learner
            .state
            .sums
            .temperature
            .unwrap_or(self.temperature());
        let op_weights = self.annealer.op_weights(temperature);
        let validation = evaluate(
            &mut self.learner.network,
            &op_weights,
            &self.images.validation,
            Views::Plain,
        )?;
        let topology = self.annealer.topology();
        let sums = self.learner.next_epoch();
        Ok(EpochMetrics {
            phase: Phase::Search,
            epoch,
            epochs: self.learner.plan.epochs,
            steps: sums.steps(),
            weight_loss: sums.weight_loss(),
            weight_accuracy: sums.weight_accuracy(),
            val_loss: Some(validation.loss),
            val_accuracy: Some(validation.accuracy),
            alpha_loss: sums.alpha_loss(),
            temperature: Some(temperature),
            operations_alive: Some(topology.operations_alive()),
            edges_alive: Some(topology.edges_alive()),
            weight_step_seconds: sums.weight_step_seconds(),
            alpha_step_seconds: sums.alpha_step_seconds(),
            images_per_second: sums.images_per_second(),
            rss_mib: resident_bytes().map(mib),
            ema_val_loss: None,
            ema_val_accuracy: None,
            learning_rate: sums.learning_rate,
            op_weights: Some(named_op_weights(topology, &op_weights)),
        })
    }

    fn write_files(&self, folder: &RunFolder) -> Result<()> {
        write_search_files(folder, &self.genotype_so_far()?, self.annealer.ledger())
    }

    fn state(&self) -> PhaseState {
        PhaseState::Search(SearchState {
            learner: self.learner.state.clone(),
            alpha_steps: self.alpha_steps,
            annealer: self.annealer.state(),
            adam: self.adam.clone(),
        })
    }

    fn tensors(&mut self) -> Result<Tensors> {
        self.learner.tensors()
    }

    fn settle(&mut self) -> Result<()> {
        self.learner.settle()
    }
}

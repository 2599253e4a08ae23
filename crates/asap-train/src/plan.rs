//! What a run will take, before it starts: steps, arithmetic, memory, time, and forced decisions.

use asap_anneal::{ASSUMED_SIGNAL, Forecast, Granularity, forecast};
use asap_data::Dataset;
use asap_genotype::Topology;
use asap_space::{Execution, NetworkConfig, Place, training_memory};

use crate::config::{RunConfig, Task};
use crate::costs::Costs;
use crate::error::{Error, Result};
use crate::image_shape::ImageShape;
use crate::measure::{Measured, SearchSeconds, sample_genotype};
use crate::memory::{available_bytes, mib};
use crate::presets::Preset;
use crate::progress::Phase;
use crate::run_data::{held_out_images, steps, validated_images};

/// Test images for every training image, to plan with: test images themselves are not read yet.
const TEST_SHARE: f64 = 0.2;

/// One phase, as planned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedPhase {
    /// Epochs.
    pub epochs: usize,
    /// Weight steps of all epochs.
    pub weight_steps: usize,
    /// Alpha steps, none in a training.
    pub alpha_steps: usize,
    /// What the network costs at its start.
    pub costs: Costs,
    /// Estimated memory in bytes.
    pub memory_bytes: u64,
    /// Expected seconds.
    pub seconds: f64,
}

/// A whole run, as planned. The found network is not known yet: it is taken to have every operation in
/// turn.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// The search.
    pub search: PlannedPhase,
    /// What its annealing is expected to come to.
    pub forecast: Forecast,
    /// Learning rate of the alphas.
    pub alpha_learning_rate: f64,
    /// The rate with which the search is expected to decide nearly everything by itself, see
    /// [`deciding_learning_rate`](asap_anneal::AnnealParams::deciding_learning_rate).
    pub deciding_learning_rate: f64,
    /// The training.
    pub train: PlannedPhase,
    /// Expected seconds of the test.
    pub test_seconds: f64,
    /// Expected seconds of everything.
    pub seconds: f64,
}

/// What a run with `config` on the training images `dataset` will take, given what was `measured`.
///
/// # Errors
/// A setting of the annealing is out of its range.
pub fn plan(config: &RunConfig, dataset: &Dataset, measured: &Measured) -> Result<RunPlan> {
    let search = searching(config, dataset, measured)?;
    let train = training(config, dataset, measured)?;
    let test_seconds = testing_seconds(dataset, measured);
    let alphas = asap_anneal::Plan {
        alpha_steps: search.alpha_steps,
        alpha_learning_rate: config.search.adam.learning_rate,
        signal: ASSUMED_SIGNAL,
    };
    let forecast = forecast(&config.anneal, &config.search.operations, &alphas)?;
    let seconds = search.seconds + train.seconds + test_seconds;
    Ok(RunPlan {
        alpha_learning_rate: alphas.alpha_learning_rate,
        deciding_learning_rate: config.deciding_learning_rate(search.weight_steps)?,
        search,
        forecast,
        train,
        test_seconds,
        seconds,
    })
}

impl RunConfig {
    /// The alpha learning rate with which a search of so many weight steps is expected to decide nearly everything by
    /// itself.
    pub(crate) fn deciding_learning_rate(&self, weight_steps: usize) -> Result<f64> {
        let params = self.anneal.clone().checked()?;
        let alpha_steps = params.alpha_steps(weight_steps);
        Ok(params.deciding_learning_rate(self.search.operations.len(), alpha_steps))
    }

    /// Plans the search for `epochs` epochs. In the preset `quick` the learning rate of the alphas follows the number
    /// of their steps, as it does for a budget: else a shorter search would decide too little by itself, and a longer
    /// one too much by chance. A rate that is not the preset's stays, as does any where the steps of an epoch depend on
    /// the data.
    ///
    /// # Errors
    /// A setting of the annealing is out of its range.
    pub fn set_search_epochs(&mut self, epochs: usize) -> Result<()> {
        let preset = self.preset.config().search;
        let search = &mut self.search;
        let follows = self.preset == Preset::Quick
            && search.adam.learning_rate == preset.adam.learning_rate
            && search.steps_per_epoch > 0
            && search.epochs != epochs;
        search.epochs = epochs;
        // A temperature that falls once an epoch falls as often as there are epochs.
        if let Granularity::Epoch { epochs: falls } = &mut self.anneal.granularity {
            *falls = epochs;
        }
        if follows {
            let weight_steps = epochs.saturating_mul(self.search.steps_per_epoch);
            self.search.adam.learning_rate = self.deciding_learning_rate(weight_steps)?;
        }
        Ok(())
    }
}

pub(crate) fn testing_seconds(dataset: &Dataset, measured: &Measured) -> f64 {
    TEST_SHARE * dataset.len() as f64 * measured.train_evaluated_image
}

pub(crate) fn searching(
    config: &RunConfig,
    dataset: &Dataset,
    measured: &Measured,
) -> Result<PlannedPhase> {
    let (search, shape) = (&config.search, ImageShape::of(dataset));
    let held_out = held_out_images(config, dataset);
    let half = (dataset.len() - held_out) / 2;
    let weight_steps = search.epochs * steps(search.steps_per_epoch, half, search.batch);
    let alpha_steps = config.anneal.clone().checked()?.alpha_steps(weight_steps);
    let validated = search.epochs * validated_images(held_out, half);
    let Measured { full, decided, .. } = measured;
    // In grace everything is alive; from then on, until everything is decided, steps get cheaper: on
    // average they take the mean of both ends.
    let mean = |seconds: fn(&SearchSeconds) -> f64| (seconds(full) + seconds(decided)) / 2.0;
    let pair = mean(|seconds| seconds.weight_step) + mean(|seconds| seconds.alpha_step);
    Ok(PlannedPhase {
        epochs: search.epochs,
        weight_steps,
        alpha_steps,
        seconds: (weight_steps - alpha_steps) as f64 * full.weight_step
            + alpha_steps as f64 * pair
            + validated as f64 * mean(|seconds| seconds.evaluated_image),
        ..search_needs(config, shape)?
    })
}

pub(crate) fn training(
    config: &RunConfig,
    dataset: &Dataset,
    measured: &Measured,
) -> Result<PlannedPhase> {
    let (train, shape) = (&config.train, ImageShape::of(dataset));
    let held_out = held_out_images(config, dataset);
    let images = dataset.len() - held_out;
    let weight_steps = train.epochs * steps(train.steps_per_epoch, images, train.batch);
    let validated = train.epochs * held_out;
    Ok(PlannedPhase {
        epochs: train.epochs,
        weight_steps,
        seconds: weight_steps as f64 * measured.train_step
            + validated as f64 * measured.train_evaluated_image,
        ..train_needs(config, shape)?
    })
}

fn search_needs(config: &RunConfig, shape: ImageShape) -> Result<PlannedPhase> {
    let full = Topology::full(&config.search.operations);
    needs(
        &shape.search_network(config),
        &full,
        config.search_execution(),
    )
}

fn train_needs(config: &RunConfig, shape: ImageShape) -> Result<PlannedPhase> {
    let decided = Topology::from_genotype(&sample_genotype(&config.search.operations)?);
    needs(
        &shape.train_network(config),
        &decided,
        config.train_execution(),
    )
}

fn needs(
    network: &NetworkConfig,
    topology: &Topology,
    execution: Execution,
) -> Result<PlannedPhase> {
    Ok(PlannedPhase {
        epochs: 0,
        weight_steps: 0,
        alpha_steps: 0,
        costs: Costs::of(network, topology, execution)?,
        memory_bytes: training_memory(network, topology, execution)?.total(),
        seconds: 0.0,
    })
}

/// Refuses a run that needs more memory than the machine has left.
///
/// A device says itself what it has no room for.
pub(crate) fn require_memory(place: &Place, config: &RunConfig, shape: ImageShape) -> Result<()> {
    if place.is_device() {
        return Ok(());
    }
    let Some(available) = available_bytes() else {
        return Ok(());
    };
    let mut phases = vec![(Phase::Train, train_needs(config, shape)?)];
    if config.task == Task::Search {
        phases.insert(0, (Phase::Search, search_needs(config, shape)?));
    }
    match phases
        .into_iter()
        .find(|(_, needs)| needs.memory_bytes > available)
    {
        None => Ok(()),
        Some((phase, needs)) => Err(Error::NotEnoughMemory {
            phase: phase.name(),
            needed_mib: mib(needs.memory_bytes),
            available_mib: mib(available),
        }),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(crate) mod tests {
    use super::*;
    use crate::presets::Preset;
    use asap_data::DatasetParts;

    pub(crate) fn dataset() -> Dataset {
        let (count, side) = (6000, 28);
        Dataset::new(DatasetParts {
            name: "blank".to_owned(),
            height: side,
            width: side,
            channels: 1,
            classes: (0..10).map(|class| class.to_string()).collect(),
            images: vec![0; count * side * side],
            labels: (0..count as u32).map(|index| index % 10).collect(),
        })
        .unwrap()
    }

    /// Made up: a tenth of a second for a full step, a fourth of that when all is decided.
    pub(crate) fn measured() -> Measured {
        let seconds = |step: f64| SearchSeconds {
            weight_step: step,
            alpha_step: 0.75 * step,
            evaluated_image: step / 100.0,
        };
        let (full, decided) = (seconds(0.1), seconds(0.025));
        Measured {
            full,
            decided,
            train_step: 0.05,
            train_evaluated_image: 0.0005,
        }
    }

    #[test]
    fn a_plan_counts_what_a_run_does() {
        let mut config = Preset::Quick.config();
        (config.search.epochs, config.search.steps_per_epoch) = (10, 50);
        (
            config.train.epochs,
            config.train.steps_per_epoch,
            config.train.batch,
        ) = (3, 0, 50);
        config.data.validation_images = 1000;
        let plan = plan(&config, &dataset(), &measured()).unwrap();
        assert_eq!(
            (plan.search.weight_steps, plan.train.weight_steps),
            (500, 3 * 100)
        );
        // T = 1.6 * 0.95^t is under 1 from t = 9.16 of 50 on: step 92 of 500.
        assert_eq!(plan.search.alpha_steps, 500 - 92);
        let search = 92.0 * 0.1 + 408.0 * (0.0625 * 1.75) + 10_000.0 * 0.000_625;
        assert!(
            (plan.search.seconds - search).abs() < 1e-9,
            "{}",
            plan.search.seconds
        );
        let train = 300.0 * 0.05 + 3000.0 * 0.0005;
        assert!(
            (plan.train.seconds - train).abs() < 1e-9,
            "{}",
            plan.train.seconds
        );
        let parts = plan.search.seconds + plan.train.seconds + plan.test_seconds;
        assert_eq!(plan.seconds, parts);
        assert!(plan.search.costs.parameters > plan.train.costs.parameters);
        assert!(
            plan.search.memory_bytes > 50 << 20,
            "{}",
            plan.search.memory_bytes
        );
        assert!(plan.forecast.decisions > 50.0);
    }

    #[test]
    fn the_alphas_rate_follows_the_epochs_as_it_follows_a_budget() {
        let mut config = Preset::Quick.config();
        let rate = config.search.adam.learning_rate;
        config.set_search_epochs(config.search.epochs).unwrap();
        assert_eq!(config.search.adam.learning_rate, rate);
        config.set_search_epochs(4 * config.search.epochs).unwrap();
        let plan = plan(&config, &dataset(), &measured()).unwrap();
        assert_eq!(plan.alpha_learning_rate, plan.deciding_learning_rate);
        // Four times the steps: half the rate.
        assert!((plan.alpha_learning_rate / rate - 0.5).abs() < 0.01);
    }

    #[test]
    fn a_rate_of_ones_own_and_the_papers_stay_whatever_the_epochs() {
        let mut own = Preset::Quick.config();
        own.search.adam.learning_rate = 0.1;
        own.set_search_epochs(100).unwrap();
        assert_eq!(own.search.adam.learning_rate, 0.1);
        let mut paper = Preset::Paper.config();
        paper.set_search_epochs(25).unwrap();
        assert_eq!(paper.search.adam.learning_rate, 3e-4);
        paper.check("paper").unwrap();
    }

    #[test]
    fn a_plan_of_very_many_steps_is_made_at_once() {
        let mut config = Preset::Quick.config();
        config.set_search_epochs(100_000_000).unwrap();
        let plan = plan(&config, &dataset(), &measured()).unwrap();
        assert_eq!(plan.search.weight_steps, 6_400_000_000);
        let share = plan.search.alpha_steps as f64 / plan.search.weight_steps as f64;
        assert!((share - 0.8167).abs() < 1e-3, "{share}");
    }
}

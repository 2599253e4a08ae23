//! What a run will take, measured on a few steps and told before it starts.

use crate::images::Images;
use crate::quantities::{count, duration};
use asap_space::Place;
use asap_train::{ImageShape, Result, RunConfig, RunPlan, fit_budget, measure, plan as plan_of};

/// The settings, with `budget` seconds fitted in where there is one, and what they will take.
///
/// # Errors
/// If images cannot be read, memory or budget are too small, or a setting is out of its range.
pub(crate) fn plan(
    place: &Place,
    config: RunConfig,
    budget: Option<f64>,
    images: &Images,
) -> Result<(RunConfig, RunPlan)> {
    images.with_training(|dataset| {
        let measured = measure(place, &config, ImageShape::of(dataset))?;
        let config = match budget {
            Some(seconds) => fit_budget(&config, seconds, dataset, &measured)?,
            None => config,
        };
        let plan = plan_of(&config, dataset, &measured)?;
        Ok((config, plan))
    })
}

/// The plan in one sentence.
pub(crate) fn sentence(plan: &RunPlan) -> String {
    format!(
        "plan: about {} for a search of {} weight and {} alpha steps and a training of {} steps; \
         {:.0} of {:.0} decisions are expected to be forced",
        duration(plan.seconds),
        count(plan.search.weight_steps as u64),
        count(plan.search.alpha_steps as u64),
        count(plan.train.weight_steps as u64),
        plan.forecast.forced_decisions,
        plan.forecast.decisions,
    )
}

//! A budget of time, divided between search and training.

use asap_anneal::Granularity;
use asap_data::Dataset;

use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::measure::Measured;
use crate::plan::{searching, testing_seconds, training};

/// Share of a budget that is planned; the rest is for reading data, writing files, and a machine that is
/// not always as fast as when it was measured.
const PLANNED_SHARE: f64 = 0.85;
/// Share of the planned time that the search gets when a budget is divided.
const SEARCH_SHARE: f64 = 0.5;
/// Fewer steps than this make neither a search nor a training.
const LEAST_STEPS: usize = 100;
/// As many steps as the paper's search has weight steps: a longer one has not been tried.
const MOST_SEARCH_STEPS: usize = 19_550;
/// Passes over the training images after which a longer training gains little on a budget.
const MOST_TRAIN_PASSES: usize = 100;

/// `config` with as many steps of search and training as end within `budget` seconds, test included; the
/// alphas' learning rate follows the number of their steps.
///
/// # Errors
/// The budget is too short for any useful plan; the error says how long the shortest takes.
pub fn fit_budget(
    config: &RunConfig,
    budget: f64,
    dataset: &Dataset,
    measured: &Measured,
) -> Result<RunConfig> {
    let search_seconds = |steps| -> Result<f64> {
        Ok(searching(&with_steps(config, steps, 1)?, dataset, measured)?.seconds)
    };
    let train_seconds = |steps| -> Result<f64> {
        Ok(training(&with_steps(config, 1, steps)?, dataset, measured)?.seconds)
    };
    let test_seconds = testing_seconds(dataset, measured);
    let shortest: [f64; 2] = [search_seconds(LEAST_STEPS)?, train_seconds(LEAST_STEPS)?];
    let spare = budget * PLANNED_SHARE - test_seconds - shortest[0] - shortest[1];
    if spare < 0.0 {
        let shortest_seconds = budget - spare / PLANNED_SHARE;
        return Err(Error::BudgetTooShort {
            budget_seconds: budget,
            shortest_seconds,
        });
    }
    let search = most(LEAST_STEPS, MOST_SEARCH_STEPS, |steps| {
        Ok(search_seconds(steps)? <= shortest[0] + spare * SEARCH_SHARE)
    })?;
    let left = shortest[0] + shortest[1] + spare - search_seconds(search)?;
    let passes = MOST_TRAIN_PASSES * (dataset.len() / config.train.batch);
    let train = most(LEAST_STEPS, passes, |steps| {
        Ok(train_seconds(steps)? <= left)
    })?;
    with_steps(config, search, train)
}

/// `config` with about so many weight steps in its two phases.
fn with_steps(config: &RunConfig, search: usize, train: usize) -> Result<RunConfig> {
    let mut config = config.clone();
    (config.search.epochs, config.search.steps_per_epoch) = epochs(search, config.search.epochs);
    (config.train.epochs, config.train.steps_per_epoch) = epochs(train, config.train.epochs);
    // A plan made for a budget anneals at every step, however few epochs it has.
    config.anneal.granularity = Granularity::Step;
    let weight_steps = config.search.epochs * config.search.steps_per_epoch;
    config.search.adam.learning_rate = config.deciding_learning_rate(weight_steps)?;
    Ok(config)
}

/// Epochs and steps of each for `steps` in all: at most so many epochs, of ten steps at least.
fn epochs(steps: usize, most: usize) -> (usize, usize) {
    let epochs = (steps / 10).clamp(1, most);
    (epochs, (steps / epochs).max(1))
}

/// The largest number from `least` to `most` that `fits`, when smaller ones always fit too; `least` if
/// none does.
fn most(least: usize, most: usize, fits: impl Fn(usize) -> Result<bool>) -> Result<usize> {
    let (mut low, mut high) = (least, most.max(least));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle)? {
            low = middle
        } else {
            high = middle - 1
        }
    }
    Ok(low)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::plan::tests::{dataset, measured};
    use crate::presets::Preset;

    #[test]
    fn a_budget_is_used_and_kept() {
        let (config, dataset, measured) = (Preset::Quick.config(), dataset(), measured());
        let mut steps = Vec::new();
        for budget in [90.0, 300.0, 700.0] {
            let fitted = fit_budget(&config, budget, &dataset, &measured).unwrap();
            fitted.check("fitted").unwrap();
            let plan = plan(&fitted, &dataset, &measured).unwrap();
            let range = 0.7 * budget..=PLANNED_SHARE * budget;
            assert!(
                range.contains(&plan.seconds),
                "{} s of {budget} s",
                plan.seconds
            );
            let params = fitted.anneal.clone().checked().unwrap();
            let expected = params.deciding_learning_rate(7, plan.search.alpha_steps);
            assert_eq!(fitted.search.adam.learning_rate, expected);
            steps.push((plan.search.weight_steps, plan.train.weight_steps));
        }
        assert!(
            steps
                .windows(2)
                .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1)
        );
    }

    #[test]
    fn a_budget_that_nothing_fits_says_what_would() {
        let (config, dataset, measured) = (Preset::Quick.config(), dataset(), measured());
        let error = fit_budget(&config, 5.0, &dataset, &measured).unwrap_err();
        let Error::BudgetTooShort {
            shortest_seconds, ..
        } = error
        else {
            panic!("{error}")
        };
        assert!(fit_budget(&config, shortest_seconds + 0.1, &dataset, &measured).is_ok());
        assert!(fit_budget(&config, shortest_seconds - 0.1, &dataset, &measured).is_err());
    }

    #[test]
    fn the_largest_that_fits_is_found() {
        assert_eq!(most(10, 1000, |n| Ok(n <= 137)).unwrap(), 137);
        assert_eq!(most(10, 1000, |_| Ok(true)).unwrap(), 1000);
        assert_eq!(most(10, 1000, |_| Ok(false)).unwrap(), 10);
        assert_eq!(most(10, 5, |_| Ok(true)).unwrap(), 10);
    }
}

//! Planning a search: whether its alpha steps suffice to decide, and whether noise would.
//!
//! What lets pruning finish is how far an alpha can travel against the temperature. Adam moves an alpha
//! by about the learning rate per step where the gradient's sign is steady, and by about the learning
//! rate times the root of the steps where it is noise. So a short search needs a larger learning rate,
//! and the larger it is, the more decisions are noise (ours).

use asap_genotype::OpSet;

use crate::config::{AnnealConfig, AnnealParams, EdgeRule};
use crate::error::{Error, Result};
use crate::simulate::{Dynamics, simulate};

/// Alpha steps that a plan should have at least (ours).
pub const LEAST_ALPHA_STEPS: usize = 500;
/// How far a steady gradient should move an alpha over a whole search (ours).
pub const TRAVEL: f64 = 1.0;
/// The alpha learning rate of a long search (as UniNAS sets it).
pub const PAPER_LEARNING_RATE: f64 = 3e-4;
/// What [`Plan::signal`] is taken to be before a search has been measured (ours).
pub const ASSUMED_SIGNAL: f64 = 0.3;

/// The walk of the alphas, in distances of the last rival at the last temperature, that leaves few decisions to be
/// forced (ours). Measured on Fashion-MNIST with eight channels and five cells: 6 % forced at 2.0 distances, 1 % at 2.8.
pub const DECIDING_WALK: f64 = 2.7;

/// The largest share of forced decisions, and of edges decided by noise, that needs no warning (ours).
const WARNED_SHARE: f64 = 0.1;
/// Simulated searches behind a forecast; their spread is a few decisions.
const SIMULATIONS: u64 = 6;

/// The alpha learning rate that gives a search of so many alpha steps a travel of [`TRAVEL`], and not
/// less than the paper's, whose walk is small where there are enough steps.
#[must_use]
pub fn recommended_learning_rate(alpha_steps: usize) -> f64 {
    (TRAVEL / alpha_steps.max(1) as f64).max(PAPER_LEARNING_RATE)
}

impl AnnealParams {
    /// The alpha learning rate with which a short search of real images decides nearly everything by itself: a walk of
    /// [`DECIDING_WALK`] times the distance that the last of `operations` rivals must fall behind at the end, or the
    /// paper's rate where that is larger. Many of its removals are then such as noise would explain.
    #[must_use]
    pub fn deciding_learning_rate(&self, operations: usize, alpha_steps: usize) -> f64 {
        let distance = self.distance_to_removal(operations, 2) * self.temperature(1.0);
        let rate = DECIDING_WALK * distance / (alpha_steps.max(1) as f64).sqrt();
        rate.max(PAPER_LEARNING_RATE)
    }

    /// How many of a search's steps are alpha steps: those after grace.
    #[must_use]
    pub fn alpha_steps(&self, steps: usize) -> usize {
        // The temperature only falls: grace is a first part, and its end is found by halving.
        let in_grace = |step: usize| self.in_grace(self.temperature(step as f64 / steps as f64));
        let (mut from, mut to) = (0, steps);
        while from < to {
            let middle = from + (to - from) / 2;
            if in_grace(middle) {
                from = middle + 1
            } else {
                to = middle
            }
        }
        steps - from
    }

    /// How many temperatures an operation must fall behind equal others to be removed, on an edge that
    /// started with `initial` operations and has `alive`, at least two: `ln((1/theta - 1) / (alive - 1))`.
    #[must_use]
    pub fn distance_to_removal(&self, initial: usize, alive: usize) -> f64 {
        let threshold = self.operation_threshold(initial, alive);
        ((1.0 / threshold - 1.0) / (alive as f64 - 1.0)).ln()
    }
}

/// A search as planned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Alpha steps of the whole search, see [`AnnealParams::alpha_steps`].
    pub alpha_steps: usize,
    /// Learning rate of the alphas, under Adam.
    pub alpha_learning_rate: f64,
    /// How much the operations of an edge differ: the standard deviation, among them, of the steady part of
    /// the gradient in an op weight, over that of its noise from batch to batch. See [`ASSUMED_SIGNAL`].
    pub signal: f64,
}

/// What a plan is expected to come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// How far a steady gradient moves an alpha: learning rate times alpha steps.
    pub travel: f64,
    /// How far noise moves an alpha: learning rate times the root of the alpha steps.
    pub walk: f64,
    /// How far the last rival on an edge must fall behind at the last temperature.
    pub last_distance: f64,
    /// Expected decisions, forced ones included.
    pub decisions: f64,
    /// Expected forced decisions.
    pub forced_decisions: f64,
    /// The share of edges, in `0..=1`, that noise alone would bring down to one operation if no operation
    /// was better than another.
    pub decided_by_noise: f64,
    /// What a person should know before the search starts, one sentence each.
    pub warnings: Vec<String>,
}

/// What a plan is expected to come to: a few simulated searches, the same for the same arguments.
///
/// # Errors
/// [`Error::Setting`] when a setting is out of its range.
pub fn forecast(config: &AnnealConfig, op_set: &OpSet, plan: &Plan) -> Result<Forecast> {
    let params = config.clone().checked()?;
    check(plan)?;
    let dynamics = Dynamics {
        alpha_steps: plan.alpha_steps,
        learning_rate: plan.alpha_learning_rate,
        signal: plan.signal,
    };
    let (mut decisions, mut forced_decisions, mut decided_by_noise) = (0.0, 0.0, 0.0);
    // Edges that are removed would hide what noise does to their operations.
    let every_edge = AnnealConfig {
        edge_rule: EdgeRule::FirstDecided,
        ..config.clone()
    };
    for seed in 0..SIMULATIONS {
        let search = simulate(config, op_set, &dynamics, seed)?;
        decisions += search.decisions.decisions as f64 / SIMULATIONS as f64;
        forced_decisions += search.decisions.forced as f64 / SIMULATIONS as f64;
        let noise = simulate(
            &every_edge,
            op_set,
            &Dynamics {
                signal: 0.0,
                ..dynamics
            },
            seed,
        )?;
        decided_by_noise += noise.edges_decided / SIMULATIONS as f64;
    }
    let steps = plan.alpha_steps as f64;
    let last_distance = params.distance_to_removal(op_set.len(), 2) * params.temperature(1.0);
    let mut forecast = Forecast {
        travel: plan.alpha_learning_rate * steps,
        walk: plan.alpha_learning_rate * steps.sqrt(),
        last_distance,
        decisions,
        forced_decisions,
        decided_by_noise,
        warnings: Vec::new(),
    };
    forecast.warnings = warnings(plan, &forecast);
    Ok(forecast)
}

fn check(plan: &Plan) -> Result<()> {
    let settings = [
        (
            "alpha_learning_rate",
            "a number above 0",
            plan.alpha_learning_rate,
            f64::MIN_POSITIVE,
        ),
        ("signal", "a number of at least 0", plan.signal, 0.0),
    ];
    for (setting, expected, value, least) in settings {
        if !(value.is_finite() && value >= least) {
            return Err(Error::Setting {
                setting,
                expected,
                found: value.to_string(),
            });
        }
    }
    Ok(())
}

fn warnings(plan: &Plan, forecast: &Forecast) -> Vec<String> {
    let mut warnings = Vec::new();
    if plan.alpha_steps < LEAST_ALPHA_STEPS {
        warnings.push(format!(
            "{} alpha steps are too few to tell operations from noise: plan for at least {LEAST_ALPHA_STEPS}",
            plan.alpha_steps
        ));
    }
    if plan.alpha_steps > 0 && forecast.travel < forecast.last_distance {
        warnings.push(format!(
            "an alpha can travel {:.2} in this search and the last rival of an edge must fall {:.2} behind: \
             raise the alpha learning rate above {:.1e}",
            forecast.travel,
            forecast.last_distance,
            forecast.last_distance / plan.alpha_steps as f64
        ));
    }
    if forecast.decided_by_noise > WARNED_SHARE {
        warnings.push(format!(
            "with an alpha learning rate of {:.1e} noise alone would decide {:.0} % of edges whose operations \
             are equally good: take more steps or a learning rate near {:.1e}",
            plan.alpha_learning_rate,
            100.0 * forecast.decided_by_noise,
            recommended_learning_rate(plan.alpha_steps)
        ));
    }
    if forecast.forced_decisions > WARNED_SHARE * forecast.decisions {
        warnings.push(format!(
            "{:.0} of {:.0} decisions are expected to be forced at the end",
            forecast.forced_decisions, forecast.decisions
        ));
    }
    warnings
}

//! Forecasts: distances in closed form, what noise decides, and that simulated searches behave like real ones.

use asap_anneal::{
    AnnealConfig, Annealer, DECIDING_WALK, EdgeRule, Forecast, Granularity, Plan, ThresholdBase,
    forecast, recommended_learning_rate,
};
use asap_genotype::{CellKind, OpSet};

use crate::walk::{Noise, search};

const TRAVEL_OF_THE_PAPER: f64 = 4.7;

fn plan(alpha_steps: usize, travel: f64, signal: f64) -> Forecast {
    let alpha_learning_rate = travel / alpha_steps as f64;
    let plan = Plan {
        alpha_steps,
        alpha_learning_rate,
        signal,
    };
    forecast(&AnnealConfig::default(), &OpSet::darts7(), &plan).unwrap()
}

/// The share of edges with one operation left after a search under noise that `gradient` makes.
fn decided(
    alpha_steps: usize,
    seed: u64,
    mut gradient: impl FnMut(&Annealer, f64, &mut Noise) -> Vec<f64>,
) -> f64 {
    let config = AnnealConfig {
        edge_rule: EdgeRule::FirstDecided,
        ..AnnealConfig::default()
    };
    let mut annealer = Annealer::new(config, &OpSet::darts7(), seed).unwrap();
    let mut noise = Noise::new(seed);
    search(
        &mut annealer,
        alpha_steps,
        TRAVEL_OF_THE_PAPER,
        |annealer, temperature| gradient(annealer, temperature, &mut noise),
    );
    let cells = CellKind::ALL
        .into_iter()
        .flat_map(|kind| annealer.topology().cell(kind).edges());
    cells.filter(|(_, alive)| alive.len() == 1).count() as f64 / 28.0
}

fn noise_in_alphas(alpha_steps: usize, seed: u64) -> f64 {
    decided(alpha_steps, seed, |annealer, _, noise| {
        annealer
            .parameters()
            .iter()
            .map(|_| noise.sample())
            .collect()
    })
}

fn noise_in_op_weights(alpha_steps: usize, seed: u64) -> f64 {
    decided(alpha_steps, seed, |annealer, temperature, noise| {
        annealer.gradient(temperature, &noise.op_weights(annealer.topology()))
    })
}

fn mean(of: impl Fn(u64) -> f64) -> f64 {
    (0..6).map(of).sum::<f64>() / 6.0
}

#[test]
fn an_operation_falls_one_temperature_behind_equals_and_nearly_three_behind_a_last_rival() {
    let params = AnnealConfig::default().checked().unwrap();
    assert!((params.distance_to_removal(7, 7) - 1.01).abs() < 0.005);
    assert!((params.distance_to_removal(7, 2) - 2.80).abs() < 0.005);
    assert!((params.distance_to_removal(8, 2) - 2.94).abs() < 0.005);
    let alive = AnnealConfig {
        threshold_base: ThresholdBase::Alive,
        ..AnnealConfig::default()
    };
    assert!((alive.checked().unwrap().distance_to_removal(8, 2) - 1.39).abs() < 0.005);
}

#[test]
fn noise_in_the_alphas_decides_more_the_shorter_the_search() {
    // Counted elsewhere in such simulations: 0 of 8 edges at 15,640 steps, 4 of 20 at 500, 11 of 20 at
    // 100. The bounds are the 99 % intervals of these counts.
    assert_eq!(noise_in_alphas(15_640, 0), 0.0);
    let (at_500, at_100) = (
        mean(|seed| noise_in_alphas(500, seed)),
        mean(|seed| noise_in_alphas(100, seed)),
    );
    assert!((0.036..0.507).contains(&at_500), "{at_500}");
    assert!((0.252..0.823).contains(&at_100), "{at_100}");
}

#[test]
fn noise_in_the_op_weights_decides_more_than_noise_in_the_alphas() {
    // The chain rule moves two last rivals in opposite directions.
    let through_the_chain_rule = mean(|seed| noise_in_op_weights(500, seed));
    assert!(through_the_chain_rule > 2.0 * mean(|seed| noise_in_alphas(500, seed)));
}

#[test]
fn a_forecast_tells_how_much_noise_decides_in_a_search_with_adam() {
    for alpha_steps in [100, 500, 1000] {
        let forecast = plan(alpha_steps, TRAVEL_OF_THE_PAPER, 0.0).decided_by_noise;
        let measured = mean(|seed| noise_in_op_weights(alpha_steps, seed));
        assert!(
            (forecast - measured).abs() < 0.15,
            "{alpha_steps}: {forecast}, {measured}"
        );
    }
    assert_eq!(plan(15_640, TRAVEL_OF_THE_PAPER, 0.0).decided_by_noise, 0.0);
}

#[test]
fn the_recommended_travel_leaves_nothing_to_noise() {
    assert_eq!(recommended_learning_rate(500), 0.002);
    assert_eq!(recommended_learning_rate(15_640), 3e-4);
    assert!(plan(500, 1.0, 0.3).decided_by_noise < 0.02);
}

#[test]
fn the_deciding_rate_walks_a_multiple_of_the_last_distance() {
    let params = AnnealConfig::default().checked().unwrap();
    let rate = params.deciding_learning_rate(7, 500);
    let distance = 2.803 * 1.6 * 0.95_f64.powi(50);
    assert!(
        (rate * 500_f64.sqrt() / distance - DECIDING_WALK).abs() < 0.01,
        "{rate}"
    );
    assert_eq!(
        params.deciding_learning_rate(7, 100_000_000),
        3e-4,
        "not under the paper's"
    );
}

#[test]
fn a_forecast_states_travel_and_distances() {
    let forecast = plan(400, 2.0, 0.3);
    assert!((forecast.travel - 2.0).abs() < 1e-12);
    assert!((forecast.walk - 0.1).abs() < 1e-12);
    assert!((forecast.last_distance - 0.345).abs() < 0.001);
    // Every edge loses its operations one by one, or goes whole.
    assert!((100.0..=168.0).contains(&forecast.decisions));
}

#[test]
fn fewer_decisions_are_forced_the_farther_alphas_travel_and_the_more_operations_differ() {
    let forced = |travel, signal| {
        let forecast = plan(1000, travel, signal);
        forecast.forced_decisions / forecast.decisions
    };
    assert!(forced(0.5, 0.3) > forced(1.0, 0.3) && forced(1.0, 0.3) > forced(3.0, 0.3));
    assert!(forced(1.0, 0.05) > forced(1.0, 0.3) && forced(1.0, 0.3) > forced(1.0, 1.0));
}

#[test]
fn a_good_plan_has_no_warnings_and_bad_ones_say_what_is_wrong() {
    assert_eq!(plan(2000, 1.5, 0.5).warnings, Vec::<String>::new());
    let said = |forecast: Forecast, text: &str| {
        let found = forecast
            .warnings
            .iter()
            .any(|warning| warning.contains(text));
        assert!(found, "`{text}` in {:?}", forecast.warnings);
    };
    said(plan(100, 1.0, 0.3), "at least 500");
    said(plan(1000, 0.2, 0.3), "can travel 0.20");
    said(plan(500, 4.7, 0.3), "noise alone would decide");
    said(plan(1000, 0.2, 0.3), "expected to be forced");
}

#[test]
fn a_plan_without_alpha_steps_forces_everything() {
    let none = Plan {
        alpha_steps: 0,
        alpha_learning_rate: 1e-3,
        signal: 0.3,
    };
    let forecast = forecast(&AnnealConfig::default(), &OpSet::darts7(), &none).unwrap();
    assert_eq!(forecast.decisions, forecast.forced_decisions);
    // 6 edges go whole in each cell, and the 8 that stay lose 6 operations.
    assert_eq!(forecast.decisions, 2.0 * (6.0 + 8.0 * 6.0));
}

#[test]
fn a_forecast_is_the_same_every_time() {
    assert_eq!(
        plan(15_640, TRAVEL_OF_THE_PAPER, 0.3),
        plan(15_640, TRAVEL_OF_THE_PAPER, 0.3)
    );
}

#[test]
fn a_learning_rate_or_signal_out_of_range_is_named() {
    for (alpha_learning_rate, signal, named) in [
        (0.0, 0.3, "alpha_learning_rate"),
        (f64::NAN, 0.3, "alpha_learning_rate"),
        (0.1, -1.0, "signal"),
    ] {
        let plan = Plan {
            alpha_steps: 10,
            alpha_learning_rate,
            signal,
        };
        let error = forecast(&AnnealConfig::default(), &OpSet::darts7(), &plan).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn alpha_steps_are_those_after_grace_counted_one_by_one() {
    for granularity in [Granularity::Step, Granularity::Epoch { epochs: 7 }] {
        let config = AnnealConfig {
            granularity,
            ..AnnealConfig::default()
        };
        let params = config.checked().unwrap();
        for steps in [0, 1, 2, 7, 500, 1153] {
            let temperature = |step: usize| params.temperature(step as f64 / steps as f64);
            let counted = (0..steps).filter(|&step| !params.in_grace(temperature(step)));
            assert_eq!(params.alpha_steps(steps), counted.count(), "{steps} steps");
        }
    }
}

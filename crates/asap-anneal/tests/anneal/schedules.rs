//! Temperature and thresholds by known values, and the check of settings.

use asap_anneal::{AnnealConfig, AnnealParams, Granularity, ThresholdBase};

fn params(config: AnnealConfig) -> AnnealParams {
    config.checked().unwrap()
}

fn per_epoch(epochs: usize) -> AnnealParams {
    let granularity = Granularity::Epoch { epochs };
    params(AnnealConfig {
        granularity,
        ..AnnealConfig::default()
    })
}

#[test]
fn fifty_epochs_have_grace_to_epoch_nine() {
    let params = per_epoch(50);
    for epoch in 0..50 {
        let temperature = params.temperature(epoch as f64 / 50.0);
        assert!((temperature - 1.6 * 0.95_f64.powi(epoch)).abs() < 1e-12);
        assert_eq!(
            params.in_grace(temperature),
            epoch <= 9,
            "epoch {epoch}: {temperature}"
        );
    }
    assert_eq!(params.grace_share(), 0.2);
}

#[test]
fn all_steps_of_an_epoch_have_one_temperature() {
    let (epochs, steps_per_epoch) = (50, 391);
    let params = per_epoch(epochs);
    let steps = epochs * steps_per_epoch;
    for epoch in 0..epochs {
        let first = params.temperature((epoch * steps_per_epoch) as f64 / steps as f64);
        let last = ((epoch + 1) * steps_per_epoch - 1) as f64 / steps as f64;
        assert!(
            (first - 1.6 * 0.95_f64.powi(epoch as i32)).abs() < 1e-12,
            "epoch {epoch}"
        );
        assert_eq!(first, params.temperature(last), "epoch {epoch}");
    }
}

#[test]
fn a_short_plan_ends_as_cold_as_a_long_one() {
    let by_step = params(AnnealConfig::default());
    assert_eq!(by_step.temperature(0.0), 1.6);
    assert!((by_step.temperature(1.0) - 1.6 * 0.95_f64.powi(50)).abs() < 1e-12);
    assert!((by_step.temperature(0.5) - 1.6 * 0.95_f64.powi(25)).abs() < 1e-12);
    assert_eq!(per_epoch(5).temperature(1.0), by_step.temperature(1.0));
    assert_eq!(per_epoch(5).temperature(0.5), by_step.temperature(0.4));
}

#[test]
fn temperature_falls_at_every_step_and_stays_within_the_plan() {
    let params = params(AnnealConfig::default());
    let temperatures: Vec<f64> = (0..=100)
        .map(|step| params.temperature(step as f64 / 100.0))
        .collect();
    assert!(temperatures.windows(2).all(|pair| pair[0] > pair[1]));
    assert_eq!(params.temperature(-1.0), temperatures[0]);
    assert_eq!(params.temperature(2.0), temperatures[100]);
}

#[test]
fn alpha_steps_are_those_after_grace() {
    // 50 epochs of 391 steps, 10 of them in grace: the paper's 15,640 alpha steps.
    assert_eq!(per_epoch(50).alpha_steps(50 * 391), 15_640);
    // 0.95^(50 * 0.18326) * 1.6 = 1.
    assert_eq!(params(AnnealConfig::default()).alpha_steps(1000), 816);
    assert_eq!(params(AnnealConfig::default()).alpha_steps(0), 0);
}

#[test]
fn the_threshold_divides_by_the_operations_of_the_start_or_by_those_alive() {
    let initial = params(AnnealConfig::default());
    assert_eq!(initial.operation_threshold(8, 2), 0.05);
    let config = AnnealConfig {
        threshold_base: ThresholdBase::Alive,
        ..AnnealConfig::default()
    };
    assert_eq!(params(config).operation_threshold(8, 2), 0.2);
    assert_eq!(initial.edge_threshold(5), 0.08);
}

#[test]
fn a_setting_out_of_range_is_named() {
    let broken = [
        (
            AnnealConfig {
                initial_temperature: 0.0,
                ..AnnealConfig::default()
            },
            "initial_temperature",
        ),
        (
            AnnealConfig {
                decay: 1.0,
                ..AnnealConfig::default()
            },
            "decay",
        ),
        (
            AnnealConfig {
                decay: f64::NAN,
                ..AnnealConfig::default()
            },
            "decay",
        ),
        (
            AnnealConfig {
                virtual_epochs: 0,
                ..AnnealConfig::default()
            },
            "virtual_epochs",
        ),
        (
            AnnealConfig {
                virtual_epochs: 10_000,
                ..AnnealConfig::default()
            },
            "virtual_epochs",
        ),
        (
            AnnealConfig {
                grace_temperature: f64::INFINITY,
                ..AnnealConfig::default()
            },
            "grace_temperature",
        ),
        (
            AnnealConfig {
                threshold_factor: 1.5,
                ..AnnealConfig::default()
            },
            "threshold_factor",
        ),
        (
            AnnealConfig {
                granularity: Granularity::Epoch { epochs: 0 },
                ..AnnealConfig::default()
            },
            "granularity",
        ),
    ];
    for (config, setting) in broken {
        let message = config.checked().unwrap_err().to_string();
        assert!(
            message.contains(setting) && message.contains("expected"),
            "{message}"
        );
    }
}

#[test]
fn an_unknown_setting_is_refused() {
    let error = serde_json::from_str::<AnnealConfig>(r#"{"tempreature": 1.0}"#).unwrap_err();
    assert!(error.to_string().contains("tempreature"));
    let config: AnnealConfig = serde_json::from_str(r#"{"edge_rule": "first-decided"}"#).unwrap();
    assert_eq!(config.decay, 0.95);
}

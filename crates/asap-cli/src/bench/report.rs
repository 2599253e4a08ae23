//! The JSON line of a benchmark, with the field names of the PyTorch program under `benches/peer`.

use super::clock::Seconds;
use super::job::Step;
use super::launches::OnDevice;
use super::step::Arguments;
use asap_space::{Form, Place};
use serde::Serialize;

/// One line of figures; what does not apply is null.
#[derive(Serialize)]
pub(super) struct Report {
    channels: usize,
    cells: usize,
    size: usize,
    image_channels: usize,
    batch: usize,
    device: String,
    precision: &'static str,
    #[serde(flatten)]
    on_device: OnDevice,
    step: Step,
    threads: usize,
    genotype: Option<String>,
    form: Form,
    median_step_s: f64,
    min_step_s: f64,
    median_cpu_s: Option<f64>,
    min_cpu_s: Option<f64>,
    images_per_s: f64,
    warmup_s: f64,
    macs_per_image: u64,
    weights: usize,
    loss: f64,
    losses: Vec<f64>,
    peak_rss_mib: Option<f64>,
    base_rss_mib: Option<f64>,
}

/// What a benchmark measured.
pub(super) struct Measured {
    pub(super) warmup_seconds: f64,
    /// One for each timed step; at least one.
    pub(super) steps: Vec<Seconds>,
    /// The loss of every step, warm-up included.
    pub(super) losses: Vec<f64>,
    pub(super) macs_per_image: u64,
    pub(super) weights: usize,
    /// The most memory held before there was a network.
    pub(super) base_bytes: Option<u64>,
    pub(super) peak_bytes: Option<u64>,
    pub(super) place: Place,
    pub(super) on_device: OnDevice,
}

impl Report {
    pub(super) fn new(arguments: &Arguments, measured: Measured) -> Self {
        let wall: Vec<f64> = measured.steps.iter().map(|step| step.wall).collect();
        let cpu: Option<Vec<f64>> = measured.steps.iter().map(|step| step.cpu).collect();
        let median_step_s = median(&wall);
        let losses: Vec<f64> = measured
            .losses
            .iter()
            .map(|loss| rounded(*loss, 5))
            .collect();
        Self {
            channels: arguments.scale.channels,
            cells: arguments.scale.cells,
            size: arguments.scale.size,
            image_channels: arguments.image_channels,
            batch: arguments.scale.batch,
            device: measured.place.name().to_owned(),
            precision: measured.place.precision().name(),
            on_device: measured.on_device,
            step: arguments.step,
            threads: arguments.threads(),
            genotype: arguments.genotype.clone(),
            form: arguments.form(),
            median_step_s: rounded(median_step_s, 7),
            min_step_s: rounded(min(&wall), 7),
            median_cpu_s: cpu.as_deref().map(|cpu| rounded(median(cpu), 5)),
            min_cpu_s: cpu.as_deref().map(|cpu| rounded(min(cpu), 5)),
            images_per_s: rounded(arguments.scale.batch as f64 / median_step_s, 2),
            warmup_s: rounded(measured.warmup_seconds, 2),
            macs_per_image: measured.macs_per_image,
            weights: measured.weights,
            loss: losses.last().copied().unwrap_or(f64::NAN),
            losses,
            peak_rss_mib: measured.peak_bytes.map(mib),
            base_rss_mib: measured.base_bytes.map(mib),
        }
    }
}

/// The middle, or the mean of the two in the middle; there is at least one value.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    (sorted[(sorted.len() - 1) / 2] + sorted[upper]) / 2.0
}

fn min(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn mib(bytes: u64) -> f64 {
    rounded(bytes as f64 / f64::from(1 << 20), 1)
}

/// To as many digits after the point.
pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(rounded(0.123_456_7, 5), 0.123_46);
    }
}

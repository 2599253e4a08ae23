//! What a step is on a device: memory, and kernels.

use super::job::{Job, Step};
use anyhow::Result;
use asap_space::{DeviceEngine, Launch};
use serde::Serialize;
use std::collections::BTreeMap;

/// Repetitions of a step that kernels are timed in.
const REPETITIONS: usize = 5;

/// The part of a report that a processor has not.
#[derive(Default, Serialize)]
pub(super) struct OnDevice {
    /// The most memory that was taken there.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_bytes: Option<usize>,
    /// Kernels of a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    launches: Option<usize>,
    /// By kernel, what a step takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernels: Option<BTreeMap<&'static str, Kernel>>,
}

/// All launches of one kernel in a step.
#[derive(Default, Serialize)]
struct Kernel {
    launches: usize,
    seconds: f64,
    /// Read and written at least.
    bytes: f64,
    /// Operations of its products.
    flops: f64,
}

/// What the step of a job is on its device; with `profile`, kernel by kernel.
///
/// # Errors
/// If the device fails.
pub(super) fn of(job: &mut Job, step: Step, profile: bool) -> Result<OnDevice> {
    let parts: &[Step] = match step {
        Step::Search => &[Step::Alpha, Step::Weight],
        Step::Alpha => &[Step::Alpha],
        Step::Weight => &[Step::Weight],
    };
    let (mut count, mut kernels) = (0, BTreeMap::new());
    for &part in parts {
        if profile && job.network.device().is_some() {
            // Kernels read from the last step what is wanted.
            job.run(part, 1)?;
        }
        let Some(engine) = job.network.device() else {
            return Ok(OnDevice::default());
        };
        let launches = match part {
            Step::Alpha => engine.alpha_step(),
            _ => engine.weight_step(),
        };
        count += launches.len();
        if profile {
            add(&mut kernels, engine, &launches)?;
        }
    }
    let engine = job.network.device();
    let device = engine.map(|engine| engine.device()).transpose()?;
    Ok(OnDevice {
        device_bytes: device.map(|device| device.peak_bytes()),
        launches: Some(count),
        kernels: profile.then_some(kernels),
    })
}

fn add(
    kernels: &mut BTreeMap<&'static str, Kernel>,
    engine: &mut DeviceEngine,
    launches: &[Launch],
) -> Result<()> {
    let device = engine.device()?;
    for _ in 0..REPETITIONS {
        for (launch, seconds) in launches.iter().zip(device.time(launches)?) {
            kernels.entry(launch.kernel).or_default().seconds += seconds / REPETITIONS as f64;
        }
    }
    for launch in launches {
        let kernel = kernels.entry(launch.kernel).or_default();
        kernel.launches += 1;
        kernel.bytes += launch.work.bytes;
        kernel.flops += launch.work.operations;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// `cargo xtask bench --device` and `gpu-report` read these names from the line that is printed.
    #[test]
    fn a_profile_has_the_names_that_the_tasks_read() {
        let report = OnDevice {
            device_bytes: Some(1),
            launches: Some(2),
            kernels: Some(BTreeMap::from([("mix", Kernel::default())])),
        };
        let line = serde_json::to_value(report).unwrap();
        let names = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(names(&line), ["device_bytes", "kernels", "launches"]);
        let kernel = &line["kernels"]["mix"];
        assert_eq!(names(kernel), ["bytes", "flops", "launches", "seconds"]);
    }
}

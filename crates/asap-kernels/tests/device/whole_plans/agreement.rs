//! A step on a device held to that on the processor: loss, every gradient, running statistics, logits.

use std::ops::Range;

use asap_kernels::device::{Device, DeviceEngine, Precision, Slab, StepOpWeights};
use asap_kernels::{Engine, Level, Pass, Regularisation, Wanted};

use super::network::{Inputs, Network};
use crate::chosen;
use crate::host::HostDevice;

/// How far what is found may be from what is expected.
#[derive(Clone, Copy)]
pub(super) struct Tolerance {
    /// Relative.
    pub(super) loss: f64,
    pub(super) values: Measure,
}

/// By what a tensor is measured.
#[derive(Clone, Copy)]
pub(super) enum Measure {
    /// Every value, as a share of the largest of the tensor.
    Value(f32),
    /// The length of the difference, as a share of the tensor's.
    Length(f64),
}

/// Rounding: sums in another order, some thousand terms at 6e-8 each, through two cells.
pub(super) const F32: Tolerance = Tolerance {
    loss: 2e-5,
    values: Measure::Value(2e-3),
};

pub(super) fn close(what: &str, found: &[f32], expected: &[f32], measure: Measure) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let share = match measure {
        Measure::Value(share) => share,
        Measure::Length(share) => {
            let length = |values: &mut dyn Iterator<Item = f32>| {
                values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
            };
            let difference = length(&mut found.iter().zip(expected).map(|(f, e)| f - e));
            let whole = length(&mut expected.iter().copied());
            assert!(
                difference <= share * whole + 1e-6,
                "{what}: {difference} from a tensor of length {whole}"
            );
            return;
        }
    };
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let bound = share * largest + 1e-7;
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= bound,
            "{what}, value {i}: {found} is not {expected} (largest {largest})"
        );
    }
}

fn slice(range: Range<usize>, values: &[f32]) -> &[f32] {
    &values[range]
}

/// Holds a step of the device to one of the processor.
pub(super) fn agree(
    network: &Network,
    images: usize,
    regularisation: Regularisation,
    precision: Precision,
    tolerance: &Tolerance,
) {
    let device = chosen::device(1);
    agree_on(
        device,
        network,
        images,
        regularisation,
        precision,
        tolerance,
    );
}

/// The same on the host, whatever device is chosen, with the batch full.
pub(super) fn agree_on_host(
    host: HostDevice,
    network: &Network,
    precision: Precision,
    tolerance: &Tolerance,
) {
    let plain = Regularisation::default();
    let images = network.batch;
    agree_on(Box::new(host), network, images, plain, precision, tolerance);
}

fn agree_on(
    device: Box<dyn Device>,
    network: &Network,
    images: usize,
    regularisation: Regularisation,
    precision: Precision,
    tolerance: &Tolerance,
) {
    let plan = network.plan();
    let inputs = Inputs::new(&plan, network.image, images);
    let mut engine = Engine::new(plan.clone(), Level::detect(), 2).unwrap();
    let mut device = DeviceEngine::new(device, plan.clone(), precision).unwrap();
    device.write(Slab::Weights, &inputs.weights).unwrap();
    device.load(&inputs.pixels, &inputs.labels).unwrap();
    let pass = Pass {
        pixels: &inputs.pixels,
        parameters: &inputs.weights,
        op_weights: &inputs.op_weights,
        regularisation,
    };
    for wanted in [Wanted::Both, Wanted::OpWeights, Wanted::Weights] {
        device.write(Slab::Statistics, &inputs.statistics).unwrap();
        let mut statistics = inputs.statistics.clone();
        let mut gradients = vec![0.0; plan.slab_len()];
        let expected = engine
            .step(
                pass,
                &inputs.labels,
                &mut statistics,
                &mut gradients,
                wanted,
            )
            .unwrap();
        device
            .step(
                StepOpWeights::Given(&inputs.op_weights),
                regularisation,
                wanted,
            )
            .unwrap();
        let found = device.outcomes().unwrap()[0].outcome;
        let error = (found.loss - expected.loss).abs();
        assert!(
            error <= tolerance.loss * expected.loss.abs(),
            "{wanted:?}: loss {} is not {}",
            found.loss,
            expected.loss
        );
        // Logits lie far enough apart in all of these networks that rounding makes no other the largest.
        assert_eq!(found.correct, expected.correct, "{wanted:?}");
        if wanted != Wanted::OpWeights {
            let found = device.read(Slab::Gradients).unwrap();
            for parameter in plan.parameters() {
                let range = parameter.offset..parameter.offset + parameter.kind.slab_len();
                let what = format!("{wanted:?}: gradient of {}", parameter.name);
                let (found, expected) = (slice(range.clone(), &found), slice(range, &gradients));
                close(&what, found, expected, tolerance.values);
            }
        }
        let found = device.read(Slab::Statistics).unwrap();
        close("running statistics", &found, &statistics, tolerance.values);
        if wanted != Wanted::Weights {
            let found: Vec<f32> = device
                .op_weight_gradients()
                .unwrap()
                .iter()
                .map(|g| *g as f32)
                .collect();
            let expected: Vec<f32> = engine
                .op_weight_gradients()
                .iter()
                .map(|g| *g as f32)
                .collect();
            close("op weight gradients", &found, &expected, tolerance.values);
        }
    }
    let expected = engine.logits(pass, &inputs.statistics).unwrap().to_vec();
    device.write(Slab::Statistics, &inputs.statistics).unwrap();
    let found = device.logits(&inputs.pixels, &inputs.op_weights).unwrap();
    close("logits", &found, &expected, tolerance.values);
}

//! Whole training steps on the device against the processor's: loss, every gradient, running statistics, logits.

use std::ops::Range;

use asap_kernels::device::{Descent, Device, DeviceEngine, Precision, Slab, StepOpWeights};
use asap_kernels::{
    AuxiliaryForm, CellOperation, CellSpec, Connection, Engine, Level, ParameterKind, Pass, Plan,
    PlanBuilder, Regularisation, Wanted, padded,
};

use crate::chosen;
use crate::host::HostDevice;

const ALL: [CellOperation; 7] = [
    CellOperation::MaxPool,
    CellOperation::AveragePool,
    CellOperation::Skip,
    CellOperation::Separable { kernel: 3 },
    CellOperation::Separable { kernel: 5 },
    CellOperation::Dilated { kernel: 3 },
    CellOperation::Dilated { kernel: 5 },
];

/// A network for a test.
#[derive(Clone)]
struct Network {
    image: [usize; 3],
    batch: usize,
    channels: usize,
    operations: Vec<CellOperation>,
    affine: bool,
    normalise_pools: bool,
    /// Stride of every cell.
    cells: Vec<usize>,
    auxiliary: Option<AuxiliaryForm>,
    image_stem: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            image: [8, 8, 3],
            batch: 3,
            channels: 8,
            operations: ALL.to_vec(),
            affine: false,
            normalise_pools: true,
            cells: vec![1, 2],
            auxiliary: None,
            image_stem: false,
        }
    }
}

impl Network {
    fn plan(&self) -> Plan {
        let edges = (2..6).flat_map(|to| (0..to).map(move |from| (from, to)));
        // Every edge of all nodes but the last has all operations; the last has one for each edge, so that the test is short.
        let connections: Vec<Connection> = edges
            .flat_map(|(from, to)| {
                let kept = match to {
                    5 => from % self.operations.len()..from % self.operations.len() + 1,
                    _ => 0..self.operations.len(),
                };
                self.operations[kept].iter().map(move |o| (from, to, *o))
            })
            .enumerate()
            .map(|(weight, (from, to, operation))| Connection {
                from,
                to,
                operation,
                weight,
            })
            .collect();
        let (batch, count) = (self.batch, connections.len());
        let mut builder = match self.image_stem {
            true => PlanBuilder::with_image_stem(batch, count, self.image, self.channels),
            false => PlanBuilder::new(batch, count, self.image, 3 * self.channels),
        };
        let mut channels = self.channels;
        let mut halved = self.image_stem;
        for (i, &stride) in self.cells.iter().enumerate() {
            channels *= stride;
            builder.cell(&CellSpec {
                name: format!("cells.{i}"),
                channels,
                stride,
                reduce_first_input: halved,
                affine: self.affine,
                normalise_pools: self.normalise_pools,
                connections: &connections,
            });
            halved = stride == 2;
        }
        if let Some(form) = self.auxiliary {
            builder.auxiliary(form);
        }
        builder.finish(5)
    }
}

/// Numbers that look random, -1 to 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }

    fn many(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.next()).collect()
    }
}

/// Everything a step reads.
struct Inputs {
    weights: Vec<f32>,
    statistics: Vec<f32>,
    op_weights: Vec<f32>,
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

impl Inputs {
    fn new(plan: &Plan, image: [usize; 3], images: usize) -> Self {
        let mut random = Random(7);
        let mut weights = vec![0.0; plan.slab_len()];
        for parameter in plan.parameters() {
            let spread = (1.5 / parameter.kind.fan_in() as f32).sqrt();
            for place in parameter.kind.places() {
                let value = random.next();
                weights[parameter.offset + place] = match parameter.kind {
                    ParameterKind::Scale { .. } => 1.0 + 0.3 * value,
                    _ => spread * value,
                };
            }
        }
        let mut statistics = vec![0.0; plan.statistics_len()];
        for s in plan.statistics() {
            for c in 0..s.channels {
                statistics[s.offset + c] = 0.1 * random.next();
                statistics[s.offset + padded(s.channels) + c] = 1.5 + random.next();
            }
        }
        let op_weights = (0..plan.op_weights()).map(|_| 0.15 + 0.1 * random.next());
        let op_weights = op_weights.collect();
        let pixels = random.many(images * image.iter().product::<usize>());
        let labels = (0..images as u32).map(|i| (3 * i + 1) % 5).collect();
        Self {
            weights,
            statistics,
            op_weights,
            pixels,
            labels,
        }
    }
}

/// How far what is found may be from what is expected.
#[derive(Clone, Copy)]
struct Tolerance {
    /// Relative.
    loss: f64,
    values: Measure,
}

/// By what a tensor is measured.
#[derive(Clone, Copy)]
enum Measure {
    /// Every value, as a share of the largest of the tensor.
    Value(f32),
    /// The length of the difference, as a share of the tensor's.
    Length(f64),
}

/// Rounding: sums in another order, some thousand terms at 6e-8 each, through two cells.
const F32: Tolerance = Tolerance {
    loss: 2e-5,
    values: Measure::Value(2e-3),
};

fn close(what: &str, found: &[f32], expected: &[f32], measure: Measure) {
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

/// Holds a step of the device to one of the processor. Only the host can be `watched`.
fn agree(
    network: &Network,
    images: usize,
    regularisation: Regularisation,
    precision: Precision,
    tolerance: &Tolerance,
    watched: bool,
) {
    let plan = network.plan();
    let inputs = Inputs::new(&plan, network.image, images);
    let mut engine = Engine::new(plan.clone(), Level::detect(), 2).unwrap();
    let device: Box<dyn Device> = match watched {
        true => Box::new(HostDevice::watched(1)),
        false => chosen::device(1),
    };
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

#[test]
fn a_supernet_agrees() {
    agree(
        &Network::default(),
        3,
        Regularisation::default(),
        Precision::F32,
        &F32,
        false,
    );
}

#[test]
fn a_step_moves_the_weights_as_on_the_processor() {
    let network = Network {
        operations: vec![CellOperation::Skip, CellOperation::Separable { kernel: 3 }],
        cells: vec![1],
        ..Network::default()
    };
    let plan = network.plan();
    let inputs = Inputs::new(&plan, network.image, 3);
    let mut device = DeviceEngine::new(chosen::device(2), plan, Precision::F32).unwrap();
    device.write(Slab::Weights, &inputs.weights).unwrap();
    device.load(&inputs.pixels, &inputs.labels).unwrap();
    device
        .step(
            StepOpWeights::Given(&inputs.op_weights),
            Regularisation::default(),
            Wanted::Weights,
        )
        .unwrap();
    let descent = Descent {
        learning_rate: 0.1,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 3e-4,
        clip: 5.0,
    };
    device.descend(descent).unwrap();
    let norm = device.outcomes().unwrap()[0].gradient_norm;
    let gradients = device.read(Slab::Gradients).unwrap();
    let expected = gradients
        .iter()
        .map(|g| f64::from(*g).powi(2))
        .sum::<f64>()
        .sqrt();
    assert!((norm - expected).abs() < 1e-9 * expected);
    let scale = (5.0 / (norm + 1e-6)).min(1.0) as f32;
    let moved: Vec<f32> = inputs
        .weights
        .iter()
        .zip(&gradients)
        .map(|(w, g)| w - 0.1 * (g * scale + 3e-4 * w))
        .collect();
    let found = device.read(Slab::Weights).unwrap();
    close("weights", &found, &moved, Measure::Value(1e-6));
    assert_ne!(found, inputs.weights);
}

#[test]
fn odd_sizes_a_batch_that_is_not_full_and_affine_normalisations_agree() {
    let network = Network {
        image: [11, 9, 1],
        batch: 4,
        channels: 12,
        operations: vec![
            CellOperation::Skip,
            CellOperation::MaxPool,
            CellOperation::Dilated { kernel: 5 },
            CellOperation::Separable { kernel: 3 },
        ],
        affine: true,
        normalise_pools: false,
        cells: vec![2],
        ..Network::default()
    };
    agree(
        &network,
        3,
        Regularisation::default(),
        Precision::F32,
        &F32,
        false,
    );
}

#[test]
fn more_channels_than_a_block_takes_at_once_agree() {
    let network = Network {
        image: [5, 5, 3],
        batch: 2,
        channels: 68,
        operations: vec![
            CellOperation::Skip,
            CellOperation::Separable { kernel: 5 },
            CellOperation::Dilated { kernel: 3 },
        ],
        cells: vec![1],
        ..Network::default()
    };
    agree(
        &network,
        2,
        Regularisation::default(),
        Precision::F32,
        &F32,
        false,
    );
}

#[test]
fn drop_path_smoothed_labels_and_an_auxiliary_head_agree() {
    let network = Network {
        image: [16, 16, 3],
        channels: 4,
        operations: vec![
            CellOperation::AveragePool,
            CellOperation::Skip,
            CellOperation::Separable { kernel: 3 },
        ],
        affine: true,
        cells: vec![1, 2, 1],
        auxiliary: Some(AuxiliaryForm::Cifar),
        ..Network::default()
    };
    let regularisation = Regularisation {
        label_smoothing: 0.1,
        auxiliary_weight: 0.4,
        drop_path: 0.3,
        seed: 5,
    };
    agree(&network, 3, regularisation, Precision::F32, &F32, false);
}

#[test]
fn the_stem_and_the_auxiliary_head_for_large_images_agree() {
    let network = Network {
        image: [112, 112, 3],
        batch: 2,
        channels: 4,
        operations: vec![CellOperation::Skip],
        cells: vec![1, 2, 1],
        auxiliary: Some(AuxiliaryForm::ImageNet),
        image_stem: true,
        ..Network::default()
    };
    agree(
        &network,
        2,
        Regularisation::default(),
        Precision::F32,
        &F32,
        false,
    );
}

/// A network in which every product kernel has something to do.
fn products() -> Network {
    Network {
        operations: vec![
            CellOperation::Skip,
            CellOperation::Separable { kernel: 3 },
            CellOperation::Dilated { kernel: 5 },
        ],
        cells: vec![2],
        ..Network::default()
    }
}

#[test]
fn tensor_cores_agree_to_their_precision() {
    // A factor is rounded to 10 bits of mantissa, 5e-4 of it, or to 7, 4e-3; some four products later values are off by about 1e-3, or
    // 1e-2. That share of what ReLU reads changes its sign, and a gradient that takes another way at a share s of its values is off by
    // the root of s: 3 % and 10 % for each ReLU it passes, of which there are four.
    for (precision, loss, length) in [(Precision::Tf32, 2e-3, 0.12), (Precision::Bf16, 2e-2, 0.4)] {
        let tolerance = Tolerance {
            loss,
            values: Measure::Length(length),
        };
        let regularisation = Regularisation::default();
        let network = Network {
            image: [16, 16, 3],
            ..products()
        };
        agree(&network, 3, regularisation, precision, &tolerance, false);
    }
}

/// On the host, whatever device is chosen.
#[test]
fn no_kernel_of_a_step_races_or_leaves_its_memory() {
    agree(
        &products(),
        3,
        Regularisation::default(),
        Precision::F32,
        &F32,
        true,
    );
}

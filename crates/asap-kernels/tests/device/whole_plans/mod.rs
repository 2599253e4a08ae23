//! Whole training steps on the device against the processor's.

mod agreement;
#[cfg(feature = "cuda")]
mod costs;
mod network;
mod parts;

use asap_kernels::device::abi::{ChainBackward, ChainForward, Depthwise, DepthwiseGradient, Plain};
use asap_kernels::device::{Descent, DeviceEngine, Launch, Precision, Slab, StepOpWeights};
use asap_kernels::{AuxiliaryForm, CellOperation, Regularisation, Wanted};

use self::agreement::{F32, Measure, Tolerance, agree, agree_on_host, close};
use self::network::{Inputs, Network};
use crate::chosen;
use crate::host::HostDevice;

#[test]
fn a_supernet_agrees() {
    agree(
        &Network::default(),
        3,
        Regularisation::default(),
        Precision::F32,
        &F32,
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
    agree(&network, 3, Regularisation::default(), Precision::F32, &F32);
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
    agree(&network, 2, Regularisation::default(), Precision::F32, &F32);
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
    agree(&network, 3, regularisation, Precision::F32, &F32);
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
    agree(&network, 2, Regularisation::default(), Precision::F32, &F32);
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

/// A factor is rounded to 10 bits of mantissa, 5e-4 of it; some four products later values are off by about 1e-3. That share of what ReLU
/// reads changes its sign, and a gradient that takes another way at a share s of its values is off by the root of s: 3 % for each ReLU
/// that it passes, of which there are four.
const TF32: Tolerance = Tolerance {
    loss: 2e-3,
    values: Measure::Length(0.12),
};
/// The same with 7 bits: 4e-3, 1e-2 and 10 %.
const BF16: Tolerance = Tolerance {
    loss: 2e-2,
    values: Measure::Length(0.4),
};

#[test]
fn tensor_cores_agree_to_their_precision() {
    for (precision, tolerance) in [(Precision::Tf32, &TF32), (Precision::Bf16, &BF16)] {
        let regularisation = Regularisation::default();
        let network = Network {
            image: [16, 16, 3],
            ..products()
        };
        agree(&network, 3, regularisation, precision, tolerance);
        let wide = Network {
            image: [5, 5, 3],
            batch: 2,
            channels: 68,
            operations: vec![CellOperation::Skip, CellOperation::Separable { kernel: 5 }],
            cells: vec![1],
            ..Network::default()
        };
        agree(&wide, 2, regularisation, precision, tolerance);
    }
}

#[test]
fn drop_path_and_affine_normalisations_agree_in_bf16() {
    let network = Network {
        operations: vec![CellOperation::Skip, CellOperation::Separable { kernel: 3 }],
        affine: true,
        cells: vec![1],
        ..Network::default()
    };
    let regularisation = Regularisation {
        drop_path: 0.3,
        seed: 5,
        ..Regularisation::default()
    };
    agree(&network, 3, regularisation, Precision::Bf16, &BF16);
}

fn steps_agree(host: fn(seed: u32) -> HostDevice) {
    agree_on_host(host(1), &products(), Precision::F32, &F32);
    agree_on_host(host(1), &products(), Precision::Bf16, &BF16);
}

#[test]
fn no_kernel_of_a_step_races_or_leaves_its_memory() {
    steps_agree(HostDevice::watched);
}

#[cfg(feature = "cuda")]
#[test]
fn nor_does_what_nvcc_makes_of_it() {
    steps_agree(HostDevice::watched_nvcc);
}

/// Of kernels that take their channels in several goes.
fn a_step_agrees(host: fn(seed: u32) -> HostDevice) {
    let network = Network {
        image: [5, 5, 3],
        batch: 2,
        channels: 36,
        operations: vec![CellOperation::Separable { kernel: 5 }],
        cells: vec![1],
        ..Network::default()
    };
    agree_on_host(host(2), &network, Precision::F32, &F32);
}

#[test]
fn nor_does_one_that_takes_its_channels_in_several_goes() {
    a_step_agrees(HostDevice::watched);
}

#[cfg(feature = "cuda")]
#[test]
fn nor_does_what_nvcc_makes_of_that() {
    a_step_agrees(HostDevice::watched_nvcc);
}

#[test]
fn the_most_memory_is_what_was_taken_at_one_time() {
    let mut device = chosen::device(1);
    let first = device.allocate(1000).unwrap();
    device.allocate(24).unwrap();
    device.free(first);
    device.allocate(100).unwrap();
    assert_eq!(device.peak_bytes(), 1024);
}

/// As many bytes as every GPU has that kernels are compiled for.
const LEAST_SHARED_BYTES: usize = 99 << 10;

#[test]
fn wide_networks_agree_where_blocks_have_little_shared_memory() {
    for channels in [64, 128] {
        let network = Network {
            image: [3, 3, 3],
            batch: 2,
            channels,
            operations: vec![CellOperation::Skip, CellOperation::Dilated { kernel: 5 }],
            cells: vec![2],
            ..Network::default()
        };
        for (precision, tolerance) in [
            (Precision::F32, &F32),
            (Precision::Tf32, &TF32),
            (Precision::Bf16, &BF16),
        ] {
            let host = HostDevice::with_shared_bytes(3, LEAST_SHARED_BYTES);
            agree_on_host(host, &network, precision, tolerance);
        }
    }
}

#[test]
fn a_device_without_room_for_a_convolution_is_refused_with_both_numbers() {
    let network = Network {
        operations: vec![CellOperation::Dilated { kernel: 5 }],
        ..Network::default()
    };
    let host = Box::new(HostDevice::with_shared_bytes(3, 8 << 10));
    let refused = DeviceEngine::new(host, network.plan(), Precision::F32);
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("convolution of 16 channels"), "{message}");
    assert!(message.contains("and gets at most 8192"), "{message}");
}

/// A table in the memory of a host device whose engine is still there.
fn table_at<'a, T: Plain>(address: u64, len: u32) -> &'a [T] {
    // SAFETY: the table lies in the host's memory, and callers name what it holds.
    unsafe { std::slice::from_raw_parts(address as *const T, len as usize) }
}

fn jobs_of<T: Plain>(launch: &Launch) -> &[T] {
    table_at(launch.jobs, launch.grid[2])
}

/// On the host, of a network with every convolution.
fn convolving() -> DeviceEngine {
    let network = Network {
        operations: vec![
            CellOperation::Dilated { kernel: 3 },
            CellOperation::Separable { kernel: 3 },
            CellOperation::Separable { kernel: 5 },
            CellOperation::Dilated { kernel: 5 },
        ],
        cells: vec![1],
        ..Network::default()
    };
    let host = Box::new(HostDevice::new(1));
    DeviceEngine::new(host, network.plan(), Precision::F32).unwrap()
}

#[test]
fn chains_with_most_to_do_are_launched_first() {
    let engine = convolving();
    let mut mixed = [0, 0];
    for launch in engine.weight_step() {
        let (direction, taps): (_, Vec<_>) = match launch.kernel {
            "chain_forward_f32" => {
                let jobs = jobs_of::<ChainForward>(&launch).iter();
                (0, jobs.map(|job| (job.kernel, job.dilation)).collect())
            }
            "chain_backward_f32" => {
                let jobs = jobs_of::<ChainBackward>(&launch).iter();
                (1, jobs.map(|job| (job.kernel, job.dilation)).collect())
            }
            _ => continue,
        };
        assert!(taps.is_sorted_by(|a, b| a >= b), "{taps:?}");
        mixed[direction] += usize::from(taps.first() != taps.last());
    }
    assert!(mixed[0] > 0 && mixed[1] > 0, "{mixed:?}");
}

#[test]
fn convolutions_that_reach_alike_are_gathered_one_after_another() {
    let engine = convolving();
    let mut several = 0;
    for launch in engine.weight_step() {
        if launch.kernel != "depthwise_gradient" {
            continue;
        }
        for job in jobs_of::<DepthwiseGradient>(&launch) {
            let convolutions = table_at::<Depthwise>(job.convolutions, job.count).iter();
            let reaches: Vec<u32> = convolutions.map(|c| (c.kernel - 1) * c.dilation).collect();
            assert!(reaches.is_sorted(), "{reaches:?}");
            several += usize::from(reaches.first() != reaches.last());
        }
    }
    assert!(several > 0);
}

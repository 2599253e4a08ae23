//! Networks on a device: the kernels for GPUs, run on the host or on the GPU that is chosen, held to the processor through all that a
//! network can do.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../asap-kernels/tests/device/chosen.rs"]
mod chosen;
#[path = "../../../asap-kernels/tests/device/compile.rs"]
#[expect(dead_code, reason = "of what asap-kernels tests, this needs a part")]
mod compile;
#[path = "../../../asap-kernels/tests/device/host.rs"]
#[expect(dead_code, reason = "of what asap-kernels tests, this needs a part")]
mod host;

use asap_genotype::{CellKind, Edge, OpSet, OpWeights, Operation, Topology};
use asap_space::{
    Accelerator, Descent, Execution, Form, Images, KeptImages, Network, NetworkConfig, Place,
    Precision, Regularisation, Showing, StemForm, StepImages, Variation, Wanted,
};

const DESCENT: Descent = Descent {
    learning_rate: 0.05,
    momentum: 0.9,
    nesterov: true,
    weight_decay: 1e-3,
    clip: 2.0,
};

fn place() -> Place {
    Place::Device(Accelerator::new(Precision::F32, || Ok(chosen::device(3))).unwrap())
}

fn networks() -> [Network; 2] {
    let config = NetworkConfig {
        channels: 4,
        cells: 3,
        classes: 3,
        image_channels: 1,
        height: 8,
        width: 8,
        form: Form::Search,
        stem: StemForm::Cifar,
        auxiliary: false,
    };
    let execution = Execution {
        batch: 3,
        threads: 1,
    };
    let operations = vec![
        Operation::SepConv3x3,
        Operation::MaxPool3x3,
        Operation::SkipConnect,
    ];
    let topology = Topology::full(&OpSet::new(operations).unwrap());
    [place(), Place::Processor].map(|place| {
        let (config, topology) = (config.clone(), topology.clone());
        Network::on(&place, config, topology, execution, 5).unwrap()
    })
}

fn pixels(images: usize) -> Vec<f32> {
    (0..images * 64)
        .map(|i| ((i * i) as f32 * 0.37).sin())
        .collect()
}

/// Within rounding: sums in another order, through three cells.
fn near(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= 2e-3 * largest + 1e-6,
            "{what}, value {i}: {found} is not {expected} (largest {largest})"
        );
    }
}

/// Everything that can be read of both, and logits.
fn agree(networks: &mut [Network; 2]) {
    let [found, expected] = networks;
    near(
        "weights",
        &found.weights().unwrap(),
        &expected.weights().unwrap(),
    );
    near(
        "velocity",
        &found.velocity().unwrap(),
        &expected.velocity().unwrap(),
    );
    near(
        "gradients",
        &found.gradients().unwrap(),
        &expected.gradients().unwrap(),
    );
    near(
        "statistics",
        &found.statistics().unwrap(),
        &expected.statistics().unwrap(),
    );
    let names = |network: &Network| -> Vec<String> {
        let tensors = network.tensors().unwrap();
        tensors.into_iter().map(|tensor| tensor.name).collect()
    };
    assert_eq!(names(found), names(expected));
    let op_weights = OpWeights::uniform(expected.topology());
    let pixels = pixels(2);
    let logits = expected.logits(&pixels, &op_weights).unwrap();
    near(
        "logits",
        &found.logits(&pixels, &op_weights).unwrap(),
        &logits,
    );
}

/// A step of each kind and a descent on both.
fn train(networks: &mut [Network; 2]) {
    let pixels = pixels(3);
    let images = Images {
        pixels: &pixels,
        labels: &[2, 0, 1],
    };
    let op_weights = OpWeights::uniform(networks[1].topology());
    let [found, expected] = networks.each_mut().map(|network| {
        let alpha = network
            .step(images, &op_weights, Wanted::OpWeights)
            .unwrap();
        let slopes = network.op_weight_gradients().unwrap();
        network
            .start_step(
                images.into(),
                &op_weights,
                Wanted::Weights,
                Regularisation::default(),
            )
            .unwrap();
        network.descend(DESCENT).unwrap();
        let finished = network.outcomes().unwrap();
        assert_eq!(finished.len(), 1, "a step waited for is not told of again");
        let norm = finished[0].gradient_norm.unwrap();
        let values = [alpha.loss, finished[0].outcome.loss, norm].map(|value| value as f32);
        (values, slopes)
    });
    near("losses and norm", &found.0, &expected.0);
    let flat = |op_weights: &OpWeights| -> Vec<f32> {
        let cells = CellKind::ALL.iter().flat_map(|kind| op_weights.cell(*kind));
        cells.flatten().map(|slope| *slope as f32).collect()
    };
    near("op weight gradients", &flat(&found.1), &flat(&expected.1));
}

/// The supernet without its skips.
fn smaller(topology: &Topology) -> Topology {
    let mut smaller = topology.clone();
    for kind in CellKind::ALL {
        for edge in Edge::all() {
            let cell = smaller.cell_mut(kind);
            cell.remove_operation(edge, Operation::SkipConnect).unwrap();
        }
    }
    smaller
}

#[test]
fn a_network_on_a_device_trains_and_is_pruned_as_on_the_processor() {
    let mut networks = networks();
    agree(&mut networks);
    train(&mut networks);
    agree(&mut networks);
    let topology = smaller(networks[0].topology());
    for network in &mut networks {
        network.prune(topology.clone()).unwrap();
    }
    agree(&mut networks);
    train(&mut networks);
    agree(&mut networks);
}

#[test]
fn a_network_derived_on_a_device_has_the_weights_and_answers_of_its_own() {
    let mut networks = networks();
    train(&mut networks);
    let topology = smaller(networks[0].topology());
    let mut derived = networks
        .each_ref()
        .map(|network| network.derive(&topology).unwrap());
    agree(&mut derived);
    train(&mut derived);
    agree(&mut derived);
}

#[test]
fn an_average_follows_on_a_device_as_on_the_processor() {
    let mut networks = networks();
    for network in &mut networks {
        assert!(network.exchange_with_average().is_err(), "there is none");
        network.keep_average().unwrap();
    }
    train(&mut networks);
    for share in [0.75, 0.25] {
        for network in &mut networks {
            network.follow(share).unwrap();
        }
    }
    let own = networks[0].tensors().unwrap();
    for network in &mut networks {
        network.exchange_with_average().unwrap();
    }
    assert!(networks[0].tensors().unwrap() != own);
    agree(&mut networks);
    networks[0].exchange_with_average().unwrap();
    assert_eq!(networks[0].tensors().unwrap(), own);
    // Another plan has no use for it.
    let topology = smaller(networks[0].topology());
    networks[0].prune(topology).unwrap();
    assert!(networks[0].follow(0.5).is_err());
}

#[test]
fn tensors_go_to_a_device_and_come_back_as_they_were() {
    let [mut found, mut expected] = networks();
    train_alone(&mut expected);
    let tensors = expected.tensors().unwrap();
    found.load_tensors(&tensors).unwrap();
    assert_eq!(found.tensors().unwrap(), tensors);
    let there = expected.on_another(&place()).unwrap();
    assert_eq!(there.tensors().unwrap(), tensors);
    let velocity = expected.velocity().unwrap().into_owned();
    found.set_velocity(velocity.clone()).unwrap();
    assert_eq!(found.velocity().unwrap(), velocity);
    assert!(found.set_weights(vec![0.0; 3]).is_err());
}

fn train_alone(network: &mut Network) {
    let pixels = pixels(3);
    let images = Images {
        pixels: &pixels,
        labels: &[2, 0, 1],
    };
    let op_weights = OpWeights::uniform(network.topology());
    network.step(images, &op_weights, Wanted::Weights).unwrap();
    network.descend(DESCENT).unwrap();
}

#[test]
fn several_steps_are_begun_before_anybody_asks_what_they_found() {
    let networks = networks();
    let pixels = pixels(3);
    let images = Images {
        pixels: &pixels,
        labels: &[2, 0, 1],
    };
    let losses = networks.map(|mut network| {
        let op_weights = OpWeights::uniform(network.topology());
        for _ in 0..3 {
            let regularisation = Regularisation::default();
            network
                .start_step(images.into(), &op_weights, Wanted::Weights, regularisation)
                .unwrap();
            network.descend(DESCENT).unwrap();
        }
        let mut finished = network.outcomes_but(1).unwrap();
        assert_eq!(finished.len(), 2);
        finished.extend(network.outcomes().unwrap());
        assert!(network.outcomes().unwrap().is_empty());
        let losses = finished.iter().map(|step| step.outcome.loss as f32);
        losses.collect::<Vec<f32>>()
    });
    near("losses", &losses[0], &losses[1]);
    assert_eq!(losses[0].len(), 3);
}

#[test]
fn a_descent_after_a_look_at_the_gradients_tells_of_their_norm() {
    let networks = networks();
    let pixels = pixels(3);
    let images = Images {
        pixels: &pixels,
        labels: &[2, 0, 1],
    };
    let norms = networks.map(|mut network| {
        let op_weights = OpWeights::uniform(network.topology());
        let regularisation = Regularisation::default();
        network
            .start_step(images.into(), &op_weights, Wanted::Weights, regularisation)
            .unwrap();
        let length = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
        let expected = length(&network.gradients().unwrap());
        network.descend(DESCENT).unwrap();
        let finished = network.outcomes().unwrap();
        assert_eq!(finished.len(), 1);
        [finished[0].gradient_norm.unwrap() as f32, expected]
    });
    for [found, expected] in norms {
        assert!(found > 0.0);
        near("norm", &[found], &[expected]);
    }
}

#[test]
fn weights_stay_where_a_gradient_is_no_number() {
    for mut network in networks() {
        let before = network.weights().unwrap().into_owned();
        let pixels = vec![f32::NAN; 3 * 64];
        let images = Images {
            pixels: &pixels,
            labels: &[0, 1, 2],
        };
        let op_weights = OpWeights::uniform(network.topology());
        let regularisation = Regularisation::default();
        network
            .start_step(images.into(), &op_weights, Wanted::Weights, regularisation)
            .unwrap();
        network.descend(DESCENT).unwrap();
        // A ReLU may hide what is no number from the loss; the gradient of the stem meets the pixels.
        let norm = network.outcomes().unwrap()[0].gradient_norm.unwrap();
        assert!(!norm.is_finite(), "{norm}");
        assert_eq!(network.weights().unwrap(), before);
    }
}

#[test]
fn images_that_lie_on_a_device_make_the_batches_that_are_given_to_the_processor() {
    let set: Vec<u8> = (0..5 * 64).map(|i| (i * 29 % 256) as u8).collect();
    let table: [f32; 256] = std::array::from_fn(|byte| byte as f32 / 64.0 - 2.0);
    let [mut found, mut expected] = networks();
    found.keep_images(&set, &[table]).unwrap();
    assert!(expected.keep_images(&set, &[table]).is_err());
    let showings = [4, 1].map(|index| Showing {
        index,
        label: index % 3,
    });
    let shown = [4, 1].map(|index| &set[index * 64..][..64]).concat();
    let pixels: Vec<f32> = shown.iter().map(|byte| table[*byte as usize]).collect();
    let given = StepImages::Given(Images {
        pixels: &pixels,
        labels: &[1, 1],
    });
    let op_weights = OpWeights::uniform(found.topology());
    let regularisation = Regularisation::default();
    for round in 0..2 {
        let kept = StepImages::Kept(KeptImages {
            showings: &showings,
            variation: Variation::default(),
        });
        let losses = [(&mut found, kept), (&mut expected, given)].map(|(network, images)| {
            network
                .start_step(images, &op_weights, Wanted::Weights, regularisation)
                .unwrap();
            network.outcomes().unwrap()[0].outcome.loss as f32
        });
        near("loss", &losses[..1], &losses[1..]);
        assert!(
            round == 1
                || expected
                    .start_step(kept, &op_weights, Wanted::Weights, regularisation)
                    .is_err()
        );
    }
}

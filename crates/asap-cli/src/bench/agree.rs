//! `asap bench agree`: the networks of a device held to those of the processor, on the same weights and images.

use super::alphas::{self, Alphas};
use super::batch::{Batch, Random};
use super::difference::{Tolerance, Worst};
use crate::device::DeviceFlags;
use crate::output;
use anyhow::{Result, bail, ensure};
use asap_genotype::{ASAP, DARTS_V2, OpSet, OpWeights, Topology};
use asap_space::{
    Descent, Execution, Form, Network, NetworkConfig, Place, Regularisation, StemForm, Wanted,
};

/// Settings of `asap bench agree`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    device: DeviceFlags,
    /// Seed of weights and images
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Enough that the auxiliary head, which normalises one pixel an image, is not all rounding.
const BATCH: usize = 16;
const CLASSES: usize = 10;
/// Alphas are f64 everywhere, and gradients are the same here.
const ALPHAS: f64 = 1e-5;
const DESCENT: Descent = Descent {
    learning_rate: 0.025,
    momentum: 0.9,
    nesterov: false,
    weight_decay: 3e-4,
    clip: 5.0,
};

/// A network to compare.
struct Case {
    name: &'static str,
    config: NetworkConfig,
    topology: Topology,
    regularisation: Regularisation,
}

fn cases() -> [Case; 5] {
    let search = |[channels, cells]: [usize; 2], [height, width]: [usize; 2]| NetworkConfig {
        channels,
        cells,
        classes: CLASSES,
        image_channels: 3,
        height,
        width,
        form: Form::Search,
        stem: StemForm::Cifar,
        auxiliary: false,
    };
    let of = |form, stem, auxiliary, size, image| NetworkConfig {
        form,
        stem,
        auxiliary,
        ..search(size, image)
    };
    let supernet = Topology::full(&OpSet::darts7());
    let plain = Regularisation::default();
    let regularised = Regularisation {
        label_smoothing: 0.1,
        drop_path: 0.2,
        seed: 5,
        ..plain
    };
    let case = |name, config, topology, regularisation| Case {
        name,
        config,
        topology,
        regularisation,
    };
    let (asap, darts) = (
        Topology::from_genotype(&ASAP),
        Topology::from_genotype(&DARTS_V2),
    );
    let (fin, cifar, imagenet) = (Form::Final, StemForm::Cifar, StemForm::ImageNet);
    [
        case(
            "supernet",
            search([8, 5], [12, 12]),
            supernet.clone(),
            plain,
        ),
        case(
            "supernet of odd sizes",
            search([12, 3], [11, 9]),
            supernet,
            plain,
        ),
        case(
            "ASAP with auxiliary head and dropped paths",
            of(fin, cifar, true, [16, 6], [32, 32]),
            asap.clone(),
            regularised,
        ),
        case(
            "DARTS_V2",
            of(fin, cifar, false, [36, 4], [16, 16]),
            darts,
            plain,
        ),
        case(
            "ASAP with the stem of ImageNet",
            of(fin, imagenet, false, [16, 3], [64, 64]),
            asap,
            plain,
        ),
    ]
}

/// Compares, and prints a line for each network.
///
/// # Errors
/// If a device fails, or does not agree.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let place = arguments.device.place()?;
    ensure!(
        place.is_device() || arguments.device.is_processor(),
        "there is no GPU to hold to the CPU: --device cpu holds the CPU to itself"
    );
    let tolerance = Tolerance::of(place.precision());
    let mut failed: Option<(&str, Worst)> = None;
    for case in cases() {
        let worst = compare(&case, &place, tolerance, arguments.seed)?;
        output::line(format_args!(
            "{} on {} in {}: {}",
            case.name,
            place.name(),
            place.precision().name(),
            worst
        ))?;
        let worse = |(_, before): &(&str, Worst)| worst.is_worse_than(before);
        if !worst.agrees() && failed.as_ref().is_none_or(worse) {
            failed = Some((case.name, worst));
        }
    }
    match failed {
        None => Ok(()),
        Some((name, worst)) => bail!(
            "{} does not agree with the CPU: {name}: {worst}",
            place.name()
        ),
    }
}

fn compare(case: &Case, place: &Place, tolerance: Tolerance, seed: u64) -> Result<Worst> {
    let execution = Execution {
        batch: BATCH,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let network = |place: &Place| {
        let (config, topology) = (case.config.clone(), case.topology.clone());
        Network::on(place, config, topology, execution, seed)
    };
    let (mut found, mut expected) = (network(place)?, network(&Place::Processor)?);
    let config = &case.config;
    let mut random = Random::new(seed);
    let values = config.height * config.width * config.image_channels;
    let batch = random.batch(BATCH, values, CLASSES);
    let op_weights = match case.topology.is_discrete() {
        true => OpWeights::ones(&case.topology),
        false => OpWeights::uniform(&case.topology),
    };
    let Tolerance {
        forward,
        together,
        each,
    } = tolerance;
    let mut worst = Worst::default();
    for wanted in [Wanted::OpWeights, Wanted::Both] {
        let losses = [&mut found, &mut expected].map(|network| {
            let (images, regularisation) = (batch.images(), case.regularisation);
            network.step_with(images, &op_weights, wanted, regularisation)
        });
        let [found_loss, expected_loss] = losses;
        let (found_loss, expected_loss) = (found_loss?.loss as f32, expected_loss?.loss as f32);
        worst.look("loss", &[found_loss], &[expected_loss], forward);
        let [found_slopes, expected_slopes] = [&found, &expected].map(|network| {
            let gradients = network.op_weight_gradients()?;
            anyhow::Ok(flat(&gradients))
        });
        let what = "gradients of op weights";
        worst.look(what, &found_slopes?, &expected_slopes?, together);
    }
    if place.is_device() && !case.topology.is_discrete() {
        let values = alphas::small(&case.topology, || random.normal());
        for [found, expected] in compare_alphas(&mut found, &batch, Alphas::new(values))? {
            worst.look("alphas and their moments", &found, &expected, ALPHAS);
        }
    }
    let (a, b) = (found.gradients()?, expected.gradients()?);
    worst.look("gradients of weights", &a, &b, together);
    let named = found
        .slab_tensors(&a)
        .into_iter()
        .zip(expected.slab_tensors(&b));
    for (found, expected) in named {
        let what = format!("gradient of {}", found.name);
        worst.look(&what, &found.values, &expected.values, each);
    }
    let (a, b) = (found.statistics()?, expected.statistics()?);
    worst.look("running statistics", &a, &b, forward);
    // What the weights move by: beside the weights themselves it would be lost in any tolerance.
    let before = [&found, &expected].map(|network| Ok(network.weights()?.into_owned()));
    found.descend(DESCENT)?;
    expected.descend(DESCENT)?;
    let moved = |network: &Network, before: Result<Vec<f32>>| -> Result<Vec<f32>> {
        let (before, after) = (before?, network.weights()?);
        Ok(after.iter().zip(&before).map(|(a, b)| a - b).collect())
    };
    let [found_before, expected_before] = before;
    let a = moved(&found, found_before)?;
    let b = moved(&expected, expected_before)?;
    worst.look("what a descent moves the weights by", &a, &b, together);
    let (a, b) = (found.velocity()?, expected.velocity()?);
    worst.look("velocity after a descent", &a, &b, together);
    // Of the same weights: what the descents differ in has been looked at.
    found.set_weights(expected.weights()?.into_owned())?;
    found.set_statistics(expected.statistics()?.into_owned())?;
    let found = found.logits(&batch.pixels, &op_weights)?;
    let expected = expected.logits(&batch.pixels, &op_weights)?;
    worst.look("logits", &found, &expected, forward);
    Ok(worst)
}

/// What three steps move the alphas by on a device, and the moments they leave, each beside what Adam makes here of the device's
/// gradients. The largest number of each is 1.
fn compare_alphas(
    network: &mut Network,
    batch: &Batch,
    mut alphas: Alphas,
) -> Result<[[Vec<f32>; 2]; 3]> {
    let start = alphas.on_device();
    let mut found = start.clone();
    network.set_alphas(&start)?;
    let (wanted, regularisation) = (Wanted::OpWeights, Regularisation::default());
    for _ in 0..3 {
        let op_weights = alphas.op_weights();
        network.start_step(batch.images().into(), &op_weights, wanted, regularisation)?;
        network.move_alphas(alphas.descent())?;
        found = network.moved_alphas()?.1;
        alphas.step(&op_weights, &network.op_weight_gradients()?);
    }
    let expected = alphas.on_device();
    let moved = |of: &asap_space::Alphas| -> Vec<f64> {
        let pairs = of.parameters.iter().zip(&start.parameters);
        pairs.map(|(a, b)| a - b).collect()
    };
    let scaled = |found: &[f64], expected: &[f64]| {
        let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        [found, expected].map(|values| values.iter().map(|v| (v / largest) as f32).collect())
    };
    Ok([
        scaled(&moved(&found), &moved(&expected)),
        scaled(&found.mean, &expected.mean),
        scaled(&found.square, &expected.square),
    ])
}

fn flat(op_weights: &OpWeights) -> Vec<f32> {
    let cells = asap_genotype::CellKind::ALL.iter();
    let rows = cells.flat_map(|kind| op_weights.cell(*kind).iter().flatten());
    rows.map(|value| *value as f32).collect()
}

//! Runs on a device: the kernels for GPUs, run on the host or on the GPU that is chosen.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::chosen::{self, Chosen};
use crate::host::HostDevice;
use crate::scene::{Stripes, TemporaryFolder, config, finished, run_for};
use asap_anneal::{AnnealConfig, Annealer, EdgeRule};
use asap_genotype::{DARTS_V2, OpSet, Operation};
use asap_space::{
    Accelerator, Descent, Device, Execution, Form, Images, Network, NetworkConfig, Place,
    Precision, Regularisation, StemForm, Wanted,
};
use asap_train::{
    Adam, AdamConfig, EpochMetrics, Error, Event, Job, Outcome, RunConfig, Schedule, read_metrics,
};

fn place() -> Place {
    Place::Device(Accelerator::new(Precision::F32, || Ok(chosen::device(1))).unwrap())
}

/// A few steps: the host runs a thread of a GPU after the other.
fn short() -> RunConfig {
    let mut config = config();
    (config.search.epochs, config.search.steps_per_epoch) = (2, 3);
    (config.train.epochs, config.train.steps_per_epoch) = (2, 3);
    config
}

#[test]
fn a_run_on_a_device_learns_what_it_learns_on_the_processor() {
    let folder = TemporaryFolder::new();
    // So slow that nothing is removed: what is, is removed one weight step later on a device.
    let mut config = short();
    config.search.adam.learning_rate = 1e-2;
    config.train.ema = 0.9;
    let metrics = [Place::Processor, place()].map(|place| {
        let (run, name) = (folder.run(place.name()), place.name().to_owned());
        let job = Job::search(run.clone(), config.clone(), &Stripes, vec![], place).unwrap();
        let summary = finished(job);
        assert_eq!(summary.computed_on.len(), 1);
        assert_eq!(summary.computed_on[0].device, name);
        read_metrics(&run.metrics()).unwrap()
    });
    let [processor, device] = metrics;
    assert_eq!((processor.len(), device.len()), (4, 4));
    for (processor, device) in processor.iter().zip(&device) {
        assert_eq!(processor.steps, device.steps);
        let (expected, found) = (processor.weight_loss, device.weight_loss);
        assert!(
            (found - expected).abs() < 1e-2 * expected,
            "{found} is not {expected}"
        );
    }
    let near = |what: fn(&EpochMetrics) -> Option<f64>| {
        let all = [&processor, &device].map(|metrics| metrics.iter().filter_map(what));
        let [expected, found] = all.map(Iterator::collect::<Vec<f64>>);
        assert!(!expected.is_empty() && expected.len() == found.len());
        for (expected, found) in expected.iter().zip(&found) {
            assert!(
                (found - expected).abs() < 1e-2 * expected,
                "{found} is not {expected}"
            );
        }
    };
    near(|metrics| metrics.alpha_loss);
    near(|metrics| metrics.ema_val_loss);
}

/// A network, with the race detector on where the host runs it, and the annealer of its alphas.
fn annealed(edge_rule: EdgeRule) -> (Network, Annealer) {
    let open = || -> Result<Box<dyn Device>, _> {
        Ok(match chosen::chosen() {
            Chosen::Host => Box::new(HostDevice::watched(2)),
            _ => chosen::device(2),
        })
    };
    let place = Place::Device(Accelerator::new(Precision::F32, open).unwrap());
    let operations = vec![
        Operation::SepConv3x3,
        Operation::MaxPool3x3,
        Operation::SkipConnect,
    ];
    let config = AnnealConfig {
        edge_rule,
        ..AnnealConfig::default()
    };
    let annealer = Annealer::new(config, &OpSet::new(operations).unwrap(), 3).unwrap();
    let config = NetworkConfig {
        channels: 2,
        cells: 3,
        classes: 3,
        image_channels: 1,
        height: 6,
        width: 6,
        form: Form::Search,
        stem: StemForm::Cifar,
        auxiliary: false,
    };
    let execution = Execution {
        batch: 2,
        threads: 1,
    };
    let network = Network::on(&place, config, annealer.topology().clone(), execution, 5).unwrap();
    (network, annealer)
}

#[test]
fn alphas_on_a_device_move_as_the_annealer_and_adam_move_them() {
    let settings = AdamConfig {
        learning_rate: 0.2,
        beta1: 0.5,
        beta2: 0.999,
        weight_decay: 1e-3,
    };
    let descent = Descent {
        learning_rate: 0.05,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
        clip: 5.0,
    };
    let pixels: Vec<f32> = (0..72).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
    let images = Images {
        pixels: &pixels,
        labels: &[2, 0],
    };
    let regularisation = Regularisation::default();
    for edge_rule in [EdgeRule::Anneal, EdgeRule::FirstDecided] {
        let (mut network, mut annealer) = annealed(edge_rule);
        let mut adam = Adam::new(settings, annealer.parameters().len());
        network
            .set_alphas(&adam.alphas(annealer.parameters()))
            .unwrap();
        for temperature in [0.9, 0.5, 0.4] {
            let op_weights = annealer.op_weights(temperature);
            network
                .start_step(
                    images.into(),
                    &op_weights,
                    Wanted::OpWeights,
                    regularisation,
                )
                .unwrap();
            network
                .move_alphas(adam.descent(temperature, f64::INFINITY))
                .unwrap();
            let slopes = network.op_weight_gradients().unwrap();
            network
                .start_step_as_moved(images.into(), Wanted::Weights, regularisation)
                .unwrap();
            let (finished, moved) = network.moved_alphas().unwrap();
            let kept = network.outcomes().unwrap();
            assert_eq!(kept.len(), 1, "the alphas' step is told of by itself");

            let mut parameters = annealer.parameters().to_vec();
            adam.step(&mut parameters, &annealer.gradient(temperature, &slopes));
            annealer.set_parameters(&parameters).unwrap();
            let expected = adam.alphas(&parameters);
            for (found, expected) in [
                (&moved.parameters, &expected.parameters),
                (&moved.mean, &expected.mean),
                (&moved.square, &expected.square),
            ] {
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    assert!(
                        (found - expected).abs() < 1e-12,
                        "{found} is not {expected}"
                    );
                }
            }
            assert!(finished.gradient_norm.unwrap() > 0.0 && finished.seconds.unwrap() > 0.0);
            // The step after it has had the op weights of where the alphas are now.
            let op_weights = annealer.op_weights(temperature);
            network
                .start_step(images.into(), &op_weights, Wanted::Weights, regularisation)
                .unwrap();
            network.descend(descent).unwrap();
            let given = network.outcomes().unwrap()[0].outcome.loss;
            assert!((kept[0].outcome.loss - given).abs() < 1e-6);
            assert!((finished.outcome.loss - given).abs() > 1e-6);
        }
    }
}

#[test]
fn a_search_on_a_device_prunes_and_the_same_search_prunes_the_same() {
    let folder = TemporaryFolder::new();
    let mut config = short();
    config.search.steps_per_epoch = 5;
    config.search.adam.learning_rate = 0.5;
    let ledgers = ["one", "stopped"].map(|name| {
        let run = folder.run(name);
        let job = Job::search(run.clone(), config.clone(), &Stripes, vec![], place()).unwrap();
        if name == "stopped" {
            assert!(matches!(run_for(job, 6).unwrap(), Outcome::Interrupted(_)));
            finished(Job::resume(run.clone(), &Stripes, place()).unwrap());
        } else {
            finished(job);
        }
        crate::scene::results(&run)
    });
    assert!(
        ledgers[0] == ledgers[1],
        "a run that was stopped ends in other bytes"
    );
    let text = String::from_utf8(ledgers[0][1].clone()).unwrap();
    let removals = text
        .lines()
        .filter(|line| line.contains("\"forced\":false"));
    assert!(removals.count() > 5, "{text}");
}

#[test]
fn a_run_goes_on_in_another_place_and_says_so() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let place = place();
    let device = format!("{} in f32", place.name());
    let job = Job::search(run.clone(), short(), &Stripes, vec![], place).unwrap();
    let stopped = run_for(job, 4).unwrap();
    assert!(matches!(stopped, Outcome::Interrupted(_)));
    let (mut places, mut on_device) = (Vec::new(), Vec::new());
    let mut progress = |event: &Event<'_>| match event {
        Event::Computing(all) => places = all.iter().map(ToString::to_string).collect(),
        Event::PhaseStarted {
            images_on_device, ..
        } => on_device.push(*images_on_device),
        _ => {}
    };
    let job = Job::resume(run, &Stripes, Place::Processor).unwrap();
    let outcome = job.run(&mut progress, &AtomicBool::new(false)).unwrap();
    let Outcome::Finished(summary) = outcome else {
        panic!("nobody stopped it")
    };
    assert_eq!(places, [device.as_str(), "cpu in f32"]);
    assert_eq!(summary.computed_on.len(), 2);
    assert_eq!(on_device, [false, false]);
}

#[test]
fn what_a_device_cannot_train_leaves_no_folder() {
    let folder = TemporaryFolder::new();
    let mut config = short();
    // The last cell comes after two that double its channels.
    (config.train.channels, config.train.cells) = (72, 4);
    let run = folder.run("wide");
    let job = Job::train(
        run.clone(),
        config,
        DARTS_V2.clone(),
        &Stripes,
        vec![],
        place(),
    );
    let error = job.err().unwrap().to_string();
    assert!(error.contains("288 channels"), "{error}");
    assert!(!run.path().exists());
}

#[test]
fn images_lie_on_the_device_where_it_can_vary_them() {
    let folder = TemporaryFolder::new();
    for auto_augment in [false, true] {
        let mut config = short();
        config.train.augmentation.auto_augment = auto_augment;
        (config.train.epochs, config.train.steps_per_epoch) = (1, 1);
        let run = folder.run(if auto_augment { "repainted" } else { "placed" });
        let mut on_device = Vec::new();
        let mut progress = |event: &Event<'_>| {
            if let Event::PhaseStarted {
                images_on_device, ..
            } = event
            {
                on_device.push(*images_on_device);
            }
        };
        let job = Job::train(run, config, DARTS_V2.clone(), &Stripes, vec![], place()).unwrap();
        job.run(&mut progress, &AtomicBool::new(false)).unwrap();
        assert_eq!(on_device, [!auto_augment]);
    }
}

#[test]
fn a_device_varies_images_as_the_processor_does() {
    let folder = TemporaryFolder::new();
    let varied = |name: &str, flip: bool, place: Place| {
        let mut config = short();
        (config.train.epochs, config.train.steps_per_epoch) = (1, 1);
        config.train.batch = 3;
        let augmentation = &mut config.train.augmentation;
        (augmentation.crop_padding, augmentation.cutout) = (2, 3);
        augmentation.flip = flip;
        finished(train(&folder, name, config, place));
        read_metrics(&folder.run(name).metrics()).unwrap()[0].weight_loss
    };
    let expected = varied("processor", true, Place::Processor);
    let found = varied("device", true, place());
    // A pixel more or less is far more than roundings are.
    assert!(
        (found - expected).abs() < 1e-5 * expected,
        "{found} is not {expected}"
    );
    let other = varied("not mirrored", false, place());
    assert!((other - expected).abs() > 1e-4 * expected, "{other}");
}

#[test]
fn a_loss_that_is_no_number_ends_a_search_where_it_ends_on_the_processor() {
    let folder = TemporaryFolder::new();
    let errors = [Place::Processor, place()].map(|place| {
        let mut config = short();
        // From the first step on that alphas move in.
        config.anneal.initial_temperature = 0.9;
        config.search.learning_rate.from = 1e38;
        config.search.sgd.clip = 1e38;
        let run = folder.run(place.name());
        let job = Job::search(run, config, &Stripes, vec![], place).unwrap();
        let error = job.run(&mut (), &AtomicBool::new(false)).unwrap_err();
        let Error::NotFinite {
            what, epoch, step, ..
        } = error
        else {
            panic!("{error}")
        };
        (what, epoch, step)
    });
    assert_eq!(errors[0], errors[1]);
}

#[test]
fn a_loss_that_is_no_number_ends_a_run_at_its_step_and_names_the_checkpoint() {
    let folder = TemporaryFolder::new();
    let errors = [Place::Processor, place()].map(|place| {
        let mut config = short();
        // Far beyond what any weight can be: the second step after it meets infinities.
        config.train.learning_rate = Schedule::cosine(1e38, 0.0);
        config.train.sgd.clip = 1e38;
        let run = folder.run(place.name());
        let job = Job::train(run, config, DARTS_V2.clone(), &Stripes, vec![], place).unwrap();
        let error = job.run(&mut (), &AtomicBool::new(false)).unwrap_err();
        let Error::NotFinite {
            epoch,
            step,
            checkpoint,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert!(checkpoint.is_some());
        (epoch, step)
    });
    assert_eq!(errors[0], errors[1]);
}

/// An epoch with more steps than are under way at once.
fn long() -> RunConfig {
    let mut config = short();
    config.train.batch = 2;
    (config.train.epochs, config.train.steps_per_epoch) = (1, 56);
    // So slow that roundings stay small.
    config.train.learning_rate = Schedule::cosine(1e-3, 0.0);
    config
}

fn train(folder: &TemporaryFolder, name: &str, config: RunConfig, place: Place) -> Job<'static> {
    let (run, genotype) = (folder.run(name), DARTS_V2.clone());
    Job::train(run, config, genotype, &Stripes, vec![], place).unwrap()
}

#[test]
fn steps_that_are_looked_at_while_others_are_under_way_add_up_to_the_epoch() {
    let folder = TemporaryFolder::new();
    finished(train(&folder, "processor", long(), Place::Processor));
    finished(train(&folder, "device", long(), place()));
    let (mut steps, mut seen) = (0, Vec::new());
    let stop = AtomicBool::new(false);
    let mut progress = |event: &Event<'_>| {
        if let Event::Step(step) = event {
            steps += 1;
            seen.push(step.weight_loss);
            stop.store(steps == 40, Ordering::Relaxed);
        }
    };
    let stopped = train(&folder, "stopped", long(), place()).run(&mut progress, &stop);
    assert!(matches!(stopped, Ok(Outcome::Interrupted(_))));
    finished(Job::resume(folder.run("stopped"), &Stripes, place()).unwrap());
    let epochs = ["processor", "device", "stopped"].map(|name| {
        let mut metrics = read_metrics(&folder.run(name).metrics()).unwrap();
        assert_eq!(metrics.len(), 1);
        metrics.remove(0)
    });
    let [processor, device, stopped] = epochs;
    assert_eq!([processor.steps, device.steps, stopped.steps], [56; 3]);
    assert_eq!(device.weight_loss, stopped.weight_loss);
    let (expected, found) = (processor.weight_loss, device.weight_loss);
    assert!(
        (found - expected).abs() < 1e-3 * expected,
        "{found} is not {expected}"
    );
    // The first step is waited for; then nothing new is known before 32 are under way, of which the older 16 are looked at.
    let changes: Vec<usize> = (1..seen.len())
        .filter(|&i| seen[i] != seen[i - 1])
        .collect();
    assert_eq!(changes, [32], "{seen:?}");
    let networks = ["device", "stopped"].map(|name| folder.run(name).network());
    let [one, other] = networks.map(|path| std::fs::read(path).unwrap());
    assert!(one == other, "a run that was stopped ends in other bytes");
}

#[test]
fn a_loss_that_is_no_number_is_told_while_later_steps_are_under_way() {
    let folder = TemporaryFolder::new();
    let told = [Place::Processor, place()].map(|place| {
        let mut config = long();
        let name = place.name().to_owned();
        // Weights that grow by a factor in every step.
        config.train.learning_rate = Schedule::cosine(1.0, 1.0);
        config.train.sgd.weight_decay = 5.0;
        let mut steps = 0;
        let mut progress =
            |event: &Event<'_>| steps += usize::from(matches!(event, Event::Step(_)));
        let job = train(&folder, &name, config, place);
        let error = job.run(&mut progress, &AtomicBool::new(false)).unwrap_err();
        let Error::NotFinite { what, step, .. } = error else {
            panic!("{error}")
        };
        (what, step, steps)
    });
    let [(what, step, _), (what_there, step_there, steps)] = &told;
    assert_eq!((what, step), (what_there, step_there));
    assert!((3..=16).contains(step) && *steps == 32, "{told:?}");
}

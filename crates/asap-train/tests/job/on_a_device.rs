//! Runs on a device: the kernels for GPUs, run on the host.

use std::sync::atomic::AtomicBool;

use crate::host::HostDevice;
use crate::scene::{Stripes, TemporaryFolder, config, finished, run_for};
use asap_genotype::DARTS_V2;
use asap_space::{Accelerator, Device, Place, Precision};
use asap_train::{Error, Event, Job, Outcome, RunConfig, read_metrics};

fn place() -> Place {
    let open = || -> Result<Box<dyn Device>, _> { Ok(Box::new(HostDevice::new(1))) };
    Place::Device(Accelerator::new(Precision::F32, open).unwrap())
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
    let metrics = [Place::Processor, place()].map(|place| {
        let (run, name) = (folder.run(place.name()), place.name().to_owned());
        let job = Job::search(run.clone(), short(), &Stripes, vec![], place).unwrap();
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
        let both = processor.alpha_loss.zip(device.alpha_loss);
        let near = |(expected, found): (f64, f64)| (found - expected).abs() < 1e-2 * expected;
        assert!(both.is_none_or(near), "{both:?}");
    }
}

#[test]
fn a_run_goes_on_in_another_place_and_says_so() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let job = Job::search(run.clone(), short(), &Stripes, vec![], place()).unwrap();
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
    assert_eq!(places, ["host in f32", "cpu in f32"]);
    assert_eq!(summary.computed_on.len(), 2);
    assert_eq!(on_device, [false, false]);
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
fn a_loss_that_is_no_number_ends_a_run_at_its_step_and_names_the_checkpoint() {
    let folder = TemporaryFolder::new();
    let errors = [Place::Processor, place()].map(|place| {
        let mut config = short();
        // Far beyond what any weight can be: the second step after it meets infinities.
        config.train.learning_rate = asap_train::Schedule::cosine(1e38, 0.0);
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

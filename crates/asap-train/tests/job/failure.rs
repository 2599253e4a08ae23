//! What goes wrong is told in one line that names the place, and what was saved before stays.

use std::fs;
use std::sync::atomic::AtomicBool;

use crate::scene::{Stripes, TemporaryFolder, config, finished, job, results, run_for};
use asap_data::{Dataset, Part};
use asap_space::Place;
use asap_train::{Error, Event, ImageSource, Job, Outcome, RunConfig, RunFolder, RunState, runs};

fn error_of(job: Job<'_>) -> Error {
    job.run(&mut (), &AtomicBool::new(false)).unwrap_err()
}

fn resume_error(folder: RunFolder) -> String {
    match Job::resume(folder, &Stripes, Place::Processor) {
        Ok(_) => panic!("it should not go on"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_loss_that_is_no_number_names_epoch_step_and_learning_rate() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let mut config = config();
    config.search.learning_rate.from = 1e30;
    config.search.sgd.clip = 1e30;
    let error = error_of(job(run.clone(), config));
    let Error::NotFinite {
        checkpoint,
        learning_rate,
        epoch,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert!(*learning_rate > 9e29 && *epoch == 1);
    assert!(checkpoint.as_ref().unwrap().is_file());
    let message = error.to_string();
    assert!(
        message.contains("in epoch 1, step ") && message.contains("e29)"),
        "{message}"
    );
    assert!(message.contains("of the search"), "{message}");
    let info = runs(folder.path()).unwrap().remove(0);
    assert_eq!(info.state, RunState::Failed(message));
    // The checkpoint is whole: the run goes on from it, to the same end.
    assert!(matches!(
        error_of(Job::resume(run, &Stripes, Place::Processor).unwrap()),
        Error::NotFinite { .. }
    ));
}

#[test]
fn a_checkpoint_of_another_configuration_is_refused_with_the_key() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    run_for(job(run.clone(), config()), 3).unwrap();
    let mut other = config();
    other.search.batch = 5;
    fs::write(run.config(), other.to_toml().unwrap()).unwrap();
    let message = resume_error(run);
    assert!(
        message.contains("`search.batch` is 5 here and 6 there"),
        "{message}"
    );
}

#[test]
fn a_run_in_use_and_a_finished_run_are_refused() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let first = job(run.clone(), config());
    assert!(resume_error(run.clone()).contains("is in use"));
    finished(first);
    assert!(resume_error(run.clone()).contains("is finished"));
    let again = Job::search(run, config(), &Stripes, vec![], Place::Processor);
    assert!(again.is_err_and(|error| error.to_string().contains("already holds a run")));
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_the_run_goes_on_later() {
    let folder = TemporaryFolder::new();
    let (whole, run) = (folder.run("whole"), folder.run("full"));
    finished(job(whole.clone(), config()));
    // A folder where the second checkpoint would be written: as a full disk, it fails in the middle.
    let obstacle = run
        .checkpoints()
        .join("search-00001-000000.safetensors.unfinished");
    let job = job(run.clone(), config());
    fs::create_dir(&obstacle).unwrap();
    let message = error_of(job).to_string();
    assert!(
        message.contains("search-00001-000000.safetensors"),
        "{message}"
    );
    assert!(
        fs::read_to_string(run.failure())
            .unwrap()
            .contains("search-00001-000000")
    );
    fs::remove_dir(&obstacle).unwrap();
    finished(Job::resume(run.clone(), &Stripes, Place::Processor).unwrap());
    assert_eq!(results(&run), results(&whole));
    assert!(!run.failure().exists());
}

struct Missing;

impl ImageSource for Missing {
    fn load(&self, part: Part) -> asap_train::Result<Dataset> {
        let mut data = config().data;
        data.source = "folder:/nowhere/images".to_owned();
        data.load(part)
    }
}

#[test]
fn missing_images_are_named_and_leave_no_folder() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let job = Job::search(run.clone(), config(), &Missing, vec![], Place::Processor);
    assert!(job.is_err_and(|error| error.to_string().contains("/nowhere/images")));
    assert!(!run.path().exists());
}

#[test]
fn a_plan_larger_than_the_machine_is_refused_with_both_sizes() {
    let folder = TemporaryFolder::new();
    let mut config = config();
    config.search.channels = 4096;
    config.search.batch = 65_536;
    let Err(error) = Job::search(
        folder.run("one"),
        config,
        &Stripes,
        vec![],
        Place::Processor,
    ) else {
        panic!("it fits no machine")
    };
    let Error::NotEnoughMemory {
        phase,
        needed_mib,
        available_mib,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(phase, "search");
    assert!(needed_mib > available_mib && available_mib > 0.0);
}

#[test]
fn test_images_are_not_read_before_the_training_is_over() {
    struct Strict;
    impl ImageSource for Strict {
        fn load(&self, part: Part) -> asap_train::Result<Dataset> {
            match part {
                Part::Train => Stripes.load(part),
                Part::Test => Err(asap_train::RunConfig::from_toml("x", "test").unwrap_err()),
            }
        }
    }
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let mut last_epoch = false;
    let mut progress = |event: &Event<'_>| {
        if let Event::EpochEnded(metrics) = event {
            last_epoch = metrics.epoch == metrics.epochs;
        }
    };
    let job = Job::search(run.clone(), config(), &Strict, vec![], Place::Processor).unwrap();
    assert!(job.run(&mut progress, &AtomicBool::new(false)).is_err());
    assert!(
        last_epoch && run.network().is_file(),
        "everything but the test is done"
    );
    // With test images that can be read, it only tests.
    let outcome = Job::resume(run, &Stripes, Place::Processor)
        .unwrap()
        .run(&mut (), &AtomicBool::new(false));
    assert!(matches!(outcome.unwrap(), Outcome::Finished(_)));
}

#[test]
fn a_configuration_out_of_range_starts_nothing() {
    let folder = TemporaryFolder::new();
    let config = RunConfig {
        threads: 0,
        ..config()
    };
    let job = Job::search(
        folder.run("one"),
        config,
        &Stripes,
        vec![],
        Place::Processor,
    );
    assert!(job.is_err_and(|error| error.to_string().contains("`threads` must be at least 1")));
    assert!(!folder.run("one").path().exists());
}

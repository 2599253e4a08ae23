//! A run that was stopped or killed ends with the same bytes as one that never was.

use std::fs;
use std::io::Write;
use std::sync::atomic::AtomicBool;

use crate::scene::{
    Stripes, TemporaryFolder, config, copy_folder, finished, job, results, run_for,
};
use asap_genotype::DARTS_V2;
use asap_space::Place;
use asap_train::{
    EpochMetrics, Event, Job, Outcome, RunFolder, RunState, read_metrics, runs, thin_checkpoints,
};

fn resumed(folder: &RunFolder) -> Job<'static> {
    Job::resume(folder.clone(), &Stripes, Place::Processor).unwrap()
}

/// Metrics without what depends on the clock and the machine.
fn timeless(folder: &RunFolder) -> Vec<EpochMetrics> {
    let mut lines = read_metrics(&folder.metrics()).unwrap();
    for line in &mut lines {
        line.weight_step_seconds = 0.0;
        line.alpha_step_seconds = None;
        line.images_per_second = 0.0;
        line.rss_mib = None;
    }
    lines
}

#[test]
fn stopped_anywhere_and_resumed_it_ends_the_same() {
    let folder = TemporaryFolder::new();
    let whole = folder.run("whole");
    finished(job(whole.clone(), config()));
    // In grace, at the end of an epoch, while pruning, in the training.
    for steps in [1, 9, 14, 25, 33, 40, 47] {
        let run = folder.run(&format!("stopped-{steps}"));
        let outcome = run_for(job(run.clone(), config()), steps).unwrap();
        let Outcome::Interrupted(checkpoint) = outcome else {
            panic!("it was asked to stop")
        };
        assert!(checkpoint.is_file());
        finished(resumed(&run));
        assert_eq!(
            results(&run),
            results(&whole),
            "stopped after {steps} steps"
        );
        assert_eq!(
            timeless(&run),
            timeless(&whole),
            "stopped after {steps} steps"
        );
    }
}

#[test]
fn stopped_again_and_again_it_ends_the_same() {
    let folder = TemporaryFolder::new();
    let (whole, run) = (folder.run("whole"), folder.run("stopped"));
    finished(job(whole.clone(), config()));
    let mut outcome = run_for(job(run.clone(), config()), 5).unwrap();
    let mut stops = 0;
    while let Outcome::Interrupted(_) = outcome {
        stops += 1;
        outcome = run_for(resumed(&run), 5).unwrap();
    }
    assert!(stops > 5, "{stops} stops");
    assert_eq!(results(&run), results(&whole));
    assert_eq!(timeless(&run), timeless(&whole));
}

/// The folder as it is at some step is what a kill at that moment leaves.
#[test]
fn killed_between_two_checkpoints_it_ends_the_same() {
    let folder = TemporaryFolder::new();
    let whole = folder.run("whole");
    let mut steps = 0;
    let mut killed = Vec::new();
    let mut progress = |event: &Event<'_>| {
        if let Event::Step(_) = event {
            steps += 1;
            if steps % 11 == 0 {
                let copy = folder.run(&format!("killed-{steps}"));
                copy_folder(whole.path(), copy.path());
                killed.push(copy);
            }
        }
    };
    job(whole.clone(), config())
        .run(&mut progress, &AtomicBool::new(false))
        .unwrap();
    assert!(killed.len() >= 4, "{} copies", killed.len());
    for run in killed {
        // In the middle of writing a line, a checkpoint and a genotype.
        let metrics = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(run.metrics());
        metrics.unwrap().write_all(b"{\"phase\":\"sea").unwrap();
        fs::write(
            run.checkpoints()
                .join("search-00009-000001.safetensors.unfinished"),
            "half",
        )
        .unwrap();
        fs::write(run.path().join("genotype.json.unfinished"), "{").unwrap();
        finished(resumed(&run));
        assert_eq!(results(&run), results(&whole), "{}", run.path().display());
        assert_eq!(timeless(&run), timeless(&whole), "{}", run.path().display());
    }
}

#[test]
fn checkpoints_within_an_epoch_change_nothing_and_only_two_are_kept() {
    let folder = TemporaryFolder::new();
    let (whole, run) = (folder.run("whole"), folder.run("often"));
    finished(job(whole.clone(), config()));
    let mut often = config();
    often.checkpoint_seconds = 0.0;
    let mut most = 0;
    let mut saved = 0;
    let mut progress = |event: &Event<'_>| {
        if let Event::CheckpointSaved(path) = event {
            saved += 1;
            most = most.max(fs::read_dir(path.parent().unwrap()).unwrap().count());
        }
    };
    job(run.clone(), often)
        .run(&mut progress, &AtomicBool::new(false))
        .unwrap();
    assert!(saved > 40, "{saved} checkpoints");
    assert_eq!(most, 2);
    assert_eq!(results(&run), results(&whole));
}

#[test]
fn killed_before_the_first_checkpoint_it_starts_anew() {
    let folder = TemporaryFolder::new();
    let (whole, run) = (folder.run("whole"), folder.run("killed"));
    finished(job(whole.clone(), config()));
    drop(job(run.clone(), config()));
    finished(resumed(&run));
    assert_eq!(results(&run), results(&whole));

    let (whole, run) = (folder.run("whole-train"), folder.run("killed-train"));
    let train = |run: &RunFolder| {
        Job::train(
            run.clone(),
            config(),
            DARTS_V2.clone(),
            &Stripes,
            vec![],
            Place::Processor,
        )
        .unwrap()
    };
    finished(train(&whole));
    drop(train(&run));
    finished(resumed(&run));
    assert_eq!(
        fs::read(run.network()).unwrap(),
        fs::read(whole.network()).unwrap()
    );
}

#[test]
fn a_damaged_newest_checkpoint_is_passed_over() {
    let folder = TemporaryFolder::new();
    let (whole, run) = (folder.run("whole"), folder.run("damaged"));
    finished(job(whole.clone(), config()));
    let outcome = run_for(job(run.clone(), config()), 17).unwrap();
    let Outcome::Interrupted(checkpoint) = outcome else {
        panic!("it was asked to stop")
    };
    let bytes = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, &bytes[..bytes.len() / 2]).unwrap();
    finished(resumed(&run));
    assert_eq!(results(&run), results(&whole));
}

#[test]
fn a_stopped_run_is_listed_and_keeps_what_it_needs_when_thinned() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    run_for(job(run.clone(), config()), 17).unwrap();
    let info = runs(folder.path()).unwrap().remove(0);
    assert_eq!((info.state, info.checkpoints), (RunState::Interrupted, 2));
    assert!(thin_checkpoints(&run).unwrap() > 0);
    finished(resumed(&run));
    assert!(thin_checkpoints(&run).unwrap() > 0);
    assert_eq!(runs(folder.path()).unwrap()[0].checkpoints, 0);
}

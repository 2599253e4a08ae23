//! A whole run: what it leaves in its folder, and that the figures in it are true.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::scene::{Stripes, TemporaryFolder, config, finished, job, results};
use asap_anneal::{EdgeRule, LedgerLine, replay};
use asap_data::Part;
use asap_genotype::{DARTS_V2, Genotype, OpSet, Topology};
use asap_space::{Execution, Place};
use asap_train::{
    Event, ImageSource, Job, Phase, RunState, SavedNetwork, Summary, Task, Views, read_metrics,
    runs,
};

#[test]
fn a_run_leaves_all_its_files_and_they_agree() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let summary = finished(job(run.clone(), config()));

    assert_eq!(Summary::read(&run.summary()).unwrap(), summary);
    assert_eq!(run.read_config().unwrap(), config());
    let genotype = Genotype::from_json(&fs::read_to_string(run.genotype()).unwrap()).unwrap();
    let ledger: Vec<LedgerLine> = fs::read_to_string(run.ledger())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let replayed = replay(&OpSet::darts7(), &ledger).unwrap();
    assert_eq!(replayed, Topology::from_genotype(&genotype));

    let search = summary.search.as_ref().unwrap();
    assert_eq!(search.decisions, ledger.len());
    assert_eq!(
        search.forced_decisions,
        ledger.iter().filter(|line| line.forced).count()
    );
    assert!(
        search.forced_decisions < search.decisions,
        "annealing decided something"
    );
    assert!(
        search.derivation_difference <= 1e-4,
        "{}",
        search.derivation_difference
    );
    assert_eq!(search.compared_images, 18);
    assert!(summary.search_seconds.unwrap() > 0.0 && summary.train_seconds > 0.0);

    let metrics = read_metrics(&run.metrics()).unwrap();
    let epochs = |phase| metrics.iter().filter(|line| line.phase == phase).count();
    assert_eq!(
        (epochs(Phase::Search), epochs(Phase::Train)),
        (search.search_epochs, 2)
    );
    let steps: usize = metrics[..search.search_epochs]
        .iter()
        .map(|line| line.steps)
        .sum();
    assert_eq!(steps, search.weight_steps);
    let alive = |index: usize| metrics[index].operations_alive.unwrap();
    assert!(alive(0) <= 2 * 14 * 7 && alive(search.search_epochs - 1) < alive(0));
    let weights = metrics[0].op_weights.as_ref().unwrap();
    let of_edges = weights
        .values()
        .flat_map(|cell| cell.values().map(|edge| edge.len()));
    assert_eq!(
        of_edges.sum::<usize>(),
        alive(0),
        "a weight for every operation alive"
    );

    assert!(!run.failure().exists());
    assert_eq!(runs(folder.path()).unwrap()[0].state, RunState::Finished);
}

#[test]
fn the_saved_network_is_the_one_that_was_tested() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let summary = finished(job(run.clone(), config()));
    let execution = Execution {
        batch: 7,
        threads: 1,
    };
    let mut saved = SavedNetwork::load(&run.network(), execution).unwrap();
    let test = saved
        .evaluate(Arc::new(Stripes.load(Part::Test).unwrap()), Views::Plain)
        .unwrap();
    assert_eq!(test.confusion, summary.test.confusion);
    assert_eq!((test.accuracy, test.images), (summary.test_accuracy, 45));
    let rows: Vec<usize> = test.confusion.iter().map(|row| row.iter().sum()).collect();
    assert_eq!(rows, [15, 15, 15]);
    assert!(
        summary.test_accuracy > 0.4,
        "better than chance: {}",
        summary.test_accuracy
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let folder = TemporaryFolder::new();
    let runs = ["one", "two", "three"].map(|name| folder.run(name));
    for (run, seed) in runs.iter().zip([5, 5, 6]) {
        let mut config = config();
        config.seed = seed;
        finished(job(run.clone(), config));
    }
    assert_eq!(results(&runs[0]), results(&runs[1]));
    assert_ne!(results(&runs[0])[2], results(&runs[2])[2]);
}

#[test]
fn a_search_that_decides_everything_has_no_gap_and_ends_early() {
    let folder = TemporaryFolder::new();
    let mut config = config();
    config.search.epochs = 6;
    config.search.adam.learning_rate = 0.5;
    let summary = finished(job(folder.run("one"), config));
    let search = summary.search.unwrap();
    assert_eq!(search.forced_decisions, 0);
    assert!(
        search.discretisation_gap <= 1e-4,
        "{}",
        search.discretisation_gap
    );
    assert_eq!(search.discretisation_accuracy_change, 0.0);
    assert!(
        search.weight_steps < 6 * 14,
        "{} steps",
        search.weight_steps
    );
}

#[test]
fn a_given_genotype_is_trained_without_a_search() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let job = Job::train(
        run.clone(),
        config(),
        DARTS_V2.clone(),
        &Stripes,
        vec![],
        Place::Processor,
    )
    .unwrap();
    let summary = finished(job);
    assert_eq!(
        (summary.task, summary.search, summary.search_seconds),
        (Task::Train, None, None)
    );
    let genotype = Genotype::from_json(&fs::read_to_string(run.genotype()).unwrap()).unwrap();
    assert_eq!(genotype, *DARTS_V2);
    assert_eq!(read_metrics(&run.metrics()).unwrap().len(), 2);
}

#[test]
fn events_tell_the_whole_story_in_order() {
    let folder = TemporaryFolder::new();
    let mut phases = Vec::new();
    let (mut steps, mut removed, mut epochs, mut tested) = (0, 0, 0, 0);
    let mut alive = usize::MAX;
    let mut progress = |event: &Event<'_>| match event {
        Event::PhaseStarted { phase, .. } => phases.push(*phase),
        Event::Step(report) => {
            steps += 1;
            if let Some(operations) = report.operations_alive {
                assert!(operations <= alive, "operations only ever go");
                alive = operations;
                assert!(report.alpha_loss.is_some() == (report.temperature.unwrap() < 1.0));
            }
        }
        Event::Removed(lines) => removed += lines.len(),
        Event::EpochEnded(_) => epochs += 1,
        Event::Testing { images } => tested = *images,
        _ => {}
    };
    let job = job(folder.run("one"), config());
    job.run(&mut progress, &AtomicBool::new(false)).unwrap();
    assert_eq!(phases, [Phase::Search, Phase::Train]);
    let summary = Summary::read(&folder.run("one").summary()).unwrap();
    let search = summary.search.unwrap();
    assert_eq!(steps, search.weight_steps + 18);
    assert_eq!(removed, search.decisions - search.forced_decisions);
    assert_eq!((epochs, tested), (search.search_epochs + 2, 45));
}

#[test]
fn the_other_op_set_and_the_other_edge_rule_derive_exactly_too() {
    let folder = TemporaryFolder::new();
    let mut with_none = config();
    with_none.search.operations = OpSet::darts8();
    let mut first_decided = config();
    first_decided.anneal.edge_rule = EdgeRule::FirstDecided;
    for (name, config) in [("with-none", with_none), ("first-decided", first_decided)] {
        let run = folder.run(name);
        let operations = config.search.operations.clone();
        let search = finished(job(run.clone(), config)).search.unwrap();
        assert!(search.derivation_difference <= 1e-4, "{name}: {search:?}");
        let text = fs::read_to_string(run.genotype()).unwrap();
        let genotype = Genotype::from_json(&text).unwrap();
        genotype.require_op_set(&operations).unwrap();
    }
}

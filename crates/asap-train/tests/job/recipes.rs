//! What a recipe adds to a training, and a cell that goes from one run to another.

use std::fs;
use std::sync::Arc;

use crate::scene::{Stripes, TemporaryFolder, config, finished, job, run_for};
use asap_data::{Dataset, DatasetParts, Part};
use asap_genotype::{DARTS_V2, Genotype};
use asap_space::{Execution, Place, StemForm};
use asap_train::{
    Error, ImageSource, Job, Outcome, RunConfig, RunFolder, SavedNetwork, TransferSource, Views,
    read_metrics,
};

/// A training with all that keeps a network from learning its images by heart, and averaged weights.
fn regularised() -> RunConfig {
    let mut config = config();
    config.train.epochs = 3;
    config.train.label_smoothing = 0.1;
    config.train.drop_path = 0.5;
    config.train.ema = 0.9;
    config
}

/// The images of [`Stripes`] with every pixel four times as high and wide: an auxiliary head needs that many.
struct Wide;

impl ImageSource for Wide {
    fn load(&self, part: Part) -> asap_train::Result<Dataset> {
        let small = Stripes.load(part)?;
        let (height, width) = (4 * small.height(), 4 * small.width());
        let mut images = Vec::new();
        for index in 0..small.len() {
            let image = small.image(index)?;
            for row in 0..height {
                let pixel = |column| image[row / 4 * small.width() + column / 4];
                images.extend((0..width).map(pixel));
            }
        }
        Ok(Dataset::new(DatasetParts {
            name: small.name().to_owned(),
            height,
            width,
            channels: 1,
            classes: small.classes().to_vec(),
            images,
            labels: small.labels().to_vec(),
        })?)
    }
}

fn train(run: &RunFolder, config: RunConfig) -> Job<'static> {
    Job::train(
        run.clone(),
        config,
        DARTS_V2.clone(),
        &Stripes,
        vec![],
        Place::Processor,
    )
    .unwrap()
}

fn networks(run: &RunFolder) -> [Vec<u8>; 2] {
    [run.network(), run.averaged_network()].map(|path| fs::read(path).unwrap())
}

fn saved(path: &std::path::Path) -> SavedNetwork {
    let execution = Execution {
        batch: 7,
        threads: 1,
    };
    SavedNetwork::load(path, execution).unwrap()
}

#[test]
fn a_regularised_training_goes_on_to_the_same_bytes_wherever_it_stopped() {
    let folder = TemporaryFolder::new();
    let whole = folder.run("whole");
    let summary = finished(train(&whole, regularised()));
    for steps in [1, 9, 12, 20] {
        let run = folder.run(&format!("stopped-{steps}"));
        let outcome = run_for(train(&run, regularised()), steps).unwrap();
        assert!(matches!(outcome, Outcome::Interrupted(_)));
        let resumed = finished(Job::resume(run.clone(), &Stripes, Place::Processor).unwrap());
        assert_eq!(networks(&run), networks(&whole), "after {steps} steps");
        assert_eq!(
            resumed.test_ema.unwrap().confusion,
            summary.test_ema.as_ref().unwrap().confusion
        );
    }
}

#[test]
fn averaged_weights_are_tested_and_saved_beside_the_others() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let summary = finished(train(&run, regularised()));
    let test = Arc::new(Stripes.load(Part::Test).unwrap());
    let averaged = summary.test_ema.unwrap();
    for (path, expected) in [
        (run.network(), &summary.test),
        (run.averaged_network(), &averaged),
    ] {
        let found = saved(&path)
            .evaluate(Arc::clone(&test), Views::Plain)
            .unwrap();
        assert_eq!(found.confusion, expected.confusion);
        assert_eq!(found.loss, expected.loss);
    }
    assert_ne!(averaged.loss, summary.test.loss);
    let lines = read_metrics(&run.metrics()).unwrap();
    assert!(
        lines
            .iter()
            .all(|line| line.ema_val_accuracy.is_some() && line.ema_val_loss != line.val_loss)
    );
}

#[test]
fn without_an_average_there_is_none() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    let summary = finished(train(&run, config()));
    assert!(summary.test_ema.is_none() && !run.averaged_network().exists());
    assert!(
        read_metrics(&run.metrics()).unwrap()[0]
            .ema_val_loss
            .is_none()
    );
}

#[test]
fn each_part_of_a_recipe_changes_what_is_trained() {
    let folder = TemporaryFolder::new();
    let mut losses = Vec::new();
    let parts: [fn(&mut RunConfig); 3] = [
        |_| {},
        |config| config.train.label_smoothing = 0.2,
        |config| config.train.drop_path = 0.6,
    ];
    for (index, part) in parts.into_iter().enumerate() {
        let mut config = config();
        part(&mut config);
        let run = folder.run(&index.to_string());
        finished(train(&run, config));
        let lines = read_metrics(&run.metrics()).unwrap();
        losses.push([lines[0].weight_loss, lines[1].weight_loss]);
    }
    let [plain, smoothed, dropped] = losses.try_into().unwrap();
    assert_ne!(smoothed[0], plain[0]);
    // Nothing is dropped in the first epoch.
    assert_eq!(dropped[0], plain[0]);
    assert_ne!(dropped[1], plain[1]);
}

#[test]
fn an_auxiliary_head_and_the_stem_of_imagenet_are_trained_saved_and_gone_on_with() {
    let folder = TemporaryFolder::new();
    let parts: [fn(&mut RunConfig); 3] = [
        |_| {},
        |config| config.train.auxiliary_weight = 0.4,
        |config| config.train.stem = StemForm::ImageNet,
    ];
    let mut costs = Vec::new();
    let mut losses = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let mut config = config();
        (config.train.epochs, config.train.steps_per_epoch) = (3, 1);
        part(&mut config);
        let [whole, stopped] =
            ["whole", "stopped"].map(|name| folder.run(&format!("{name}-{index}")));
        let train = |run: &RunFolder| {
            Job::train(
                run.clone(),
                config.clone(),
                DARTS_V2.clone(),
                &Wide,
                vec![],
                Place::Processor,
            )
            .unwrap()
        };
        let summary = finished(train(&whole));
        assert!(matches!(
            run_for(train(&stopped), 2).unwrap(),
            Outcome::Interrupted(_)
        ));
        finished(Job::resume(stopped.clone(), &Wide, Place::Processor).unwrap());
        let bytes = |run: &RunFolder| fs::read(run.network()).unwrap();
        assert_eq!(bytes(&stopped), bytes(&whole));
        let test = Arc::new(Wide.load(Part::Test).unwrap());
        let mut network = saved(&whole.network());
        assert_eq!(network.network.config().auxiliary, index == 1);
        let found = network.evaluate(test, Views::Plain).unwrap();
        assert_eq!(found.loss, summary.test.loss);
        costs.push(summary.costs);
        losses.push(read_metrics(&whole.metrics()).unwrap()[0].weight_loss);
    }
    // The head is on the disk and in the loss, and no part of the network that is used.
    assert_eq!(
        (costs[1].parameters, costs[1].macs),
        (costs[0].parameters, costs[0].macs)
    );
    assert!(costs[1].disk_f32_bytes > costs[0].disk_f32_bytes);
    // Of the first step: both start with the same weights.
    assert!(losses[1] > losses[0]);
    // Three halvings before the first cell.
    assert!(10 * costs[2].macs < costs[0].macs);
}

#[test]
fn a_mirrored_view_changes_probabilities_and_is_said() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    finished(train(&run, config()));
    let test = Arc::new(Stripes.load(Part::Test).unwrap());
    let mut network = saved(&run.network());
    let plain = network.evaluate(Arc::clone(&test), Views::Plain).unwrap();
    let mirrored = network.evaluate(test, Views::Mirrored).unwrap();
    assert_eq!(
        (plain.views, mirrored.views),
        (Views::Plain, Views::Mirrored)
    );
    assert_ne!(plain.loss, mirrored.loss);
    assert_eq!(mirrored.images, 45);
    // Three classes: the right one is always among the five likeliest.
    assert_eq!(plain.top5, 1.0);
    assert!((0.0..1.0).contains(&plain.calibration_error));
}

#[test]
fn a_transfer_trains_the_cell_of_the_source_and_remembers_where_it_came_from() {
    let folder = TemporaryFolder::new();
    let (source, run) = (folder.run("source"), folder.run("transfer"));
    let unfinished = TransferSource::of(&source).unwrap_err();
    assert!(matches!(unfinished, Error::NoRun { .. }), "{unfinished}");
    let begun = job(source.clone(), config());
    let unfinished = TransferSource::of(&source).unwrap_err().to_string();
    assert!(unfinished.contains("has no results yet"), "{unfinished}");
    let summary = finished(begun);

    let from = TransferSource::of(&source).unwrap();
    assert_eq!(from.test_accuracy, summary.test_accuracy);
    assert_eq!((from.costs, from.costs.classes), (summary.costs, 3));
    let text = fs::read_to_string(source.genotype()).unwrap();
    let genotype = Genotype::from_json(&text).unwrap();
    let job = Job::transfer(
        run.clone(),
        config(),
        genotype,
        &from,
        &Stripes,
        vec![],
        Place::Processor,
    )
    .unwrap();
    assert_eq!(TransferSource::read(&run.transfer()).unwrap(), from);
    let stopped = run_for(job, 4).unwrap();
    assert!(matches!(stopped, Outcome::Interrupted(_)));
    let summary = finished(Job::resume(run.clone(), &Stripes, Place::Processor).unwrap());
    assert!(summary.search.is_none());
    assert_eq!(fs::read_to_string(run.genotype()).unwrap(), text);
    assert_eq!(TransferSource::read(&run.transfer()).unwrap(), from);
}

#[test]
fn a_training_does_not_take_over_the_source_of_a_transfer_that_never_came_to_be() {
    let folder = TemporaryFolder::new();
    let run = folder.run("one");
    fs::create_dir_all(run.path()).unwrap();
    fs::write(run.transfer(), "{}").unwrap();
    let genotype = DARTS_V2.clone();
    Job::train(
        run.clone(),
        config(),
        genotype,
        &Stripes,
        vec![],
        Place::Processor,
    )
    .unwrap();
    assert!(run.config().exists() && !run.transfer().exists());
}

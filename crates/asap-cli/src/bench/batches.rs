//! `asap bench batches`: what the preparation of batches takes of a search.
//!
//! A search step takes two batches, one for the alphas and one for the weights. Both sides are CPU time, the step on one
//! thread, so that threads that wait for each other do not count as work.

use super::batch::Random;
use super::clock::{Seconds, timed};
use super::job::{Job, Start, Step};
use super::report::{median, rounded};
use super::scale::{CLASSES, Scale};
use crate::output;
use anyhow::{Context, Result, ensure};
use asap_data::{BatchConfig, Batches, Dataset, DatasetParts, Normalisation, Part, Pass};
use asap_genotype::{OpSet, Topology};
use asap_space::{Execution, Form, Place};
use asap_train::{AugmentationConfig, ImageSource, Preset};
use serde::Serialize;
use std::sync::Arc;

/// Batches of an epoch: enough that its order and its thread do not show.
const BATCHES: usize = 64;
/// The first of them goes unseen, as that of the steps.
const EPOCHS: usize = 6;
const STEPS: usize = 4;
const SEED: u64 = 0;

/// Settings of `asap bench batches`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    scale: Scale,
    /// Prepare images of a data set, such as fashion-mnist or cifar10:DIR [default: made-up ones of three channels]
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
}

/// One line of figures; what does not apply is null.
#[derive(Serialize)]
struct Report<'a> {
    data: Option<&'a str>,
    channels: usize,
    cells: usize,
    size: usize,
    image_channels: usize,
    batch: usize,
    crop_padding: usize,
    flip: bool,
    /// Whether pictures are decoded whenever they are needed, and not once.
    streamed: bool,
    /// Reading and decoding the data set, once.
    load_cpu_s: Option<f64>,
    batch_cpu_s: f64,
    batches_per_step: usize,
    step_cpu_s: f64,
    /// Of all that preparation and step take.
    share: f64,
}

/// Measures and prints the line.
///
/// # Errors
/// If a setting makes no sense, images cannot be read, or the system does not tell CPU time.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let scale = &arguments.scale;
    ensure!(scale.batch > 0, "--batch: expected at least 1, found 0");
    ensure!(scale.size > 0, "--size: expected at least 1, found 0");
    let (dataset, load) = match &arguments.data {
        Some(source) => {
            let (dataset, seconds) = timed(|| load(source, scale.size));
            (dataset?, Some(rounded(cpu(seconds)?, 3)))
        }
        None => (made_up(scale)?, None),
    };
    let (streamed, image_channels) = (dataset.is_streamed(), dataset.channels());
    let augmentation = Preset::Paper.config().search.augmentation;
    let batch = batch_seconds(dataset, scale.batch, augmentation)?;
    let step = step_seconds(scale, image_channels)?;
    // One for the alphas, one for the weights.
    let batches_per_step = 2;
    let preparation = batches_per_step as f64 * batch;
    let report = Report {
        data: arguments.data.as_deref(),
        channels: scale.channels,
        cells: scale.cells,
        size: scale.size,
        image_channels,
        batch: scale.batch,
        crop_padding: augmentation.crop_padding,
        flip: augmentation.flip,
        streamed,
        load_cpu_s: load,
        batch_cpu_s: rounded(batch, 8),
        batches_per_step,
        step_cpu_s: rounded(step, 5),
        share: rounded(preparation / (preparation + step), 5),
    };
    output::line(serde_json::to_string(&report)?)
}

fn load(source: &str, size: usize) -> Result<Dataset> {
    let mut config = Preset::Paper.config().data;
    (config.source, config.size) = (source.to_owned(), size);
    Ok(config.load(Part::Train)?)
}

fn made_up(scale: &Scale) -> Result<Dataset> {
    let images = BATCHES * scale.batch;
    let parts = DatasetParts {
        name: "made-up images".to_owned(),
        height: scale.size,
        width: scale.size,
        channels: 3,
        classes: (0..CLASSES).map(|class| class.to_string()).collect(),
        images: Random::new(SEED).bytes(images * scale.size * scale.size * 3),
        labels: (0..images).map(|image| (image % CLASSES) as u32).collect(),
    };
    Ok(Dataset::new(parts)?)
}

/// CPU seconds of one batch: images varied as the paper's search varies them, and normalised.
fn batch_seconds(dataset: Dataset, batch: usize, augmentation: AugmentationConfig) -> Result<f64> {
    let mut indices = dataset.indices();
    indices.truncate(BATCHES * batch);
    let config = BatchConfig {
        batch,
        normalisation: Normalisation::of(&dataset, &indices)?,
        pass: Pass::Training {
            seed: SEED,
            augmentation: augmentation.into(),
        },
    };
    let batches = Batches::new(Arc::new(dataset), indices, &config)?;
    let epoch = |epoch| {
        batches
            .epoch(epoch, 0)
            .try_for_each(|batch| batch.map(drop))
    };
    let mut seconds = Vec::new();
    for number in 0..EPOCHS {
        let (outcome, epoch) = timed(|| epoch(number));
        outcome?;
        seconds.push(cpu(epoch)? / batches.steps_per_epoch() as f64);
    }
    Ok(median(&seconds[1..]))
}

/// CPU seconds of a search step of the full supernet.
fn step_seconds(scale: &Scale, image_channels: usize) -> Result<f64> {
    let mut job = Job::new(Start {
        config: scale.network(image_channels, Form::Search),
        topology: Topology::full(&OpSet::darts7()),
        execution: Execution {
            batch: scale.batch,
            threads: 1,
        },
        place: &Place::Processor,
        seed: SEED,
        weights: None,
        inputs: None,
    })?;
    let steps = job.run(Step::Search, STEPS)?.seconds.into_iter();
    let seconds = steps.map(cpu).collect::<Result<Vec<f64>>>()?;
    Ok(median(&seconds[1..]))
}

fn cpu(seconds: Seconds) -> Result<f64> {
    seconds.cpu.context("this system does not tell CPU time")
}

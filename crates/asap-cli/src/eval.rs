//! `asap eval`: how well a trained network classifies.

use crate::images;
use crate::output;
use crate::quantities::{self, count, percent};
use anyhow::Result;
use asap_data::Part;
use asap_space::Execution;
use asap_train::{DataConfig, Evaluation, ImageSource, Preset, RunFolder, SavedNetwork};
use clap::ValueEnum;
use std::path::PathBuf;
use std::sync::Arc;

/// Settings of `asap eval`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A finished run, or the network of one
    #[arg(value_name = "RUN|FILE")]
    network: PathBuf,
    /// fashion-mnist, cifar10:DIR, cifar100:DIR, idx:DIR, folder:DIR, or a folder of classes
    /// [default: of a run, its own; else fashion-mnist]
    #[arg(long, value_name = "DATA", verbatim_doc_comment)]
    data: Option<String>,
    /// Which of its images
    #[arg(long, value_enum, default_value_t = Images::Test)]
    part: Images,
    /// Height and width that images are resized to, in pixels [default: those of the network]
    #[arg(long, value_name = "PIXELS", value_parser = quantities::parse_pixels)]
    size: Option<usize>,
    /// Leave out images that cannot be read instead of ending with an error
    #[arg(long)]
    skip_bad: bool,
    /// Images that are computed at once
    #[arg(long, value_name = "IMAGES", default_value_t = 64)]
    batch: usize,
    /// Threads that compute [default: as many as the machine has cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Images {
    /// Those that nothing was chosen by
    Test,
    /// Those that the network was trained on, and those held out
    Train,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Accuracy, by class too
    Text,
    /// One JSON line, with the confusion matrix
    Json,
}

/// Evaluates and prints.
///
/// # Errors
/// If there is no such network, images cannot be read, or both do not fit.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let is_run = arguments.network.is_dir();
    let folder = RunFolder::new(&arguments.network);
    let file = if is_run {
        folder.network()
    } else {
        arguments.network.clone()
    };
    let preset = Preset::default().config();
    let threads = arguments.threads.unwrap_or(preset.threads);
    let mut saved = SavedNetwork::load(
        &file,
        Execution {
            batch: arguments.batch,
            threads,
        },
    )?;
    let start = if is_run {
        folder.read_config()?.data
    } else {
        preset.data
    };
    let data = data_config(arguments, start, &saved);
    let part = match arguments.part {
        Images::Test => Part::Test,
        Images::Train => Part::Train,
    };
    let dataset = data.load(part)?;
    images::tell_skipped(&dataset);
    let evaluation = saved.evaluate(Arc::new(dataset))?;
    match arguments.format {
        Format::Text => output::line(text(&evaluation, &data.source)),
        Format::Json => output::line(serde_json::to_string(&evaluation)?),
    }
}

fn data_config(arguments: &Arguments, start: DataConfig, saved: &SavedNetwork) -> DataConfig {
    let mut data = start;
    data.skip_bad |= arguments.skip_bad;
    if let Some(source) = &arguments.data {
        data.source.clone_from(source);
        // Other images are brought to the size that the network takes, if that is square.
        let network = saved.network.config();
        data.size = if network.height == network.width {
            network.height
        } else {
            0
        };
    }
    data.size = arguments.size.unwrap_or(data.size);
    data
}

fn text(evaluation: &Evaluation, source: &str) -> String {
    let images = count(evaluation.images as u64);
    let mut text = format!(
        "accuracy {} of {images} images of {source}, loss {:.4}, {:.0} images/s",
        percent(evaluation.accuracy),
        evaluation.loss,
        evaluation.images_per_second
    );
    let longest = evaluation
        .classes
        .iter()
        .map(|class| class.name.chars().count())
        .max()
        .unwrap_or(0);
    for class in &evaluation.classes {
        let accuracy = percent(class.accuracy);
        text += &format!(
            "\n  {:longest$}  {accuracy:>8} of {}",
            class.name,
            count(class.images as u64)
        );
    }
    text
}

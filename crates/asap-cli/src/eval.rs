//! `asap eval`: how well a trained network classifies.

use crate::device::DeviceFlags;
use crate::{evaluation_text, external, images, output, quantities};
use anyhow::{Result, bail};
use asap_data::Part;
use asap_space::Execution;
use asap_train::{DataConfig, ImageSource, Preset, RunFolder, SavedNetwork, Views};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Settings of `asap eval`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A finished run, or the network of one
    #[arg(
        value_name = "RUN|FILE",
        required_unless_present = "weights",
        conflicts_with = "weights"
    )]
    network: Option<PathBuf>,
    #[command(flatten)]
    pass: external::PassFlags,
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
    /// Show every image as it is and mirrored left to right, and average the two softmaxes
    #[arg(long)]
    flip: bool,
    /// Measure the averaged weights of a run that averaged them
    #[arg(long, conflicts_with = "weights")]
    ema: bool,
    /// Images that are computed at once
    #[arg(long, value_name = "IMAGES", default_value_t = 64)]
    batch: usize,
    /// Threads that compute [default: as many as the machine has cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    device: DeviceFlags,
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
    /// Accuracy, by class too, and the confusion matrix
    Text,
    /// One JSON line
    Json,
}

/// Evaluates and prints.
///
/// # Errors
/// If there is no such network, images cannot be read, or both do not fit.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let preset = Preset::default().config();
    let threads = arguments.threads.unwrap_or(preset.threads);
    let (batch, network) = (arguments.batch, arguments.network.as_deref());
    let execution = Execution { batch, threads };
    if let Some(inputs) = &arguments.pass.inputs {
        arguments.device.require_processor("--inputs")?;
        let network = network
            .map(|network| file(arguments, network))
            .transpose()?;
        return external::run(inputs, &arguments.pass, network.as_deref(), execution);
    }
    let place = arguments.device.place()?;
    let start = match network {
        Some(run) if run.is_dir() => RunFolder::new(run).read_config()?.data,
        _ => preset.data,
    };
    let (mut saved, data) = match network {
        Some(network) => {
            let saved = SavedNetwork::load(&file(arguments, network)?, execution)?;
            let data = data_config(arguments, start, Some(&saved));
            (saved, data)
        }
        // As a run would be: images are normalised by those that networks are trained on.
        None => {
            let data = data_config(arguments, start, None);
            let training = data.load(Part::Train)?;
            let saved = arguments.pass.weights.saved_network(&training, execution)?;
            (saved, data)
        }
    };
    if place.is_device() {
        saved.network = saved.network.on_another(&place)?;
    }
    let part = match arguments.part {
        Images::Test => Part::Test,
        Images::Train => Part::Train,
    };
    let dataset = data.load(part)?;
    images::tell_skipped(&dataset);
    let views = match arguments.flip {
        true => Views::Mirrored,
        false => Views::Plain,
    };
    let evaluation = saved.evaluate(Arc::new(dataset), views)?;
    match arguments.format {
        Format::Text => {
            output::line(evaluation_text::in_all(&evaluation, &data.source))?;
            output::line(evaluation_text::by_class(&evaluation))
        }
        Format::Json => output::line(serde_json::to_string(&evaluation)?),
    }
}

fn data_config(
    arguments: &Arguments,
    start: DataConfig,
    saved: Option<&SavedNetwork>,
) -> DataConfig {
    let mut data = start;
    data.skip_bad |= arguments.skip_bad;
    if let Some(source) = &arguments.data {
        data.source.clone_from(source);
        // Other images are brought to the size that the network takes, if that is square.
        let network = saved.map(|saved| saved.network.config());
        let square = network.filter(|network| network.height == network.width);
        data.size = square.map_or(0, |network| network.height);
    }
    data.size = arguments.size.unwrap_or(data.size);
    data
}

/// The file of the network to measure.
fn file(arguments: &Arguments, network: &Path) -> Result<PathBuf> {
    if !arguments.ema {
        return Ok(RunFolder::network_at(network));
    }
    let averaged = RunFolder::new(network).averaged_network();
    if !averaged.is_file() {
        let network = network.display();
        bail!(
            "{network}: expected a run that averaged its weights, found no network-ema.safetensors in it"
        );
    }
    Ok(averaged)
}

//! `asap data`: what a data set holds, and whether its files are whole.

use crate::{output, quantities};
use anyhow::Result;
use asap_data::{LoadConfig, Part, Source};
use clap::ValueEnum;

/// What to do with a data set.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Print counts, sizes, classes and colours of the training and the test images
    Info(Info),
    /// Check every file against the manifest or, without one, that every image can be read
    Verify(Verify),
}

/// Which images, and how they are brought in.
#[derive(clap::Args)]
struct Images {
    /// fashion-mnist, cifar10:DIR, cifar100:DIR, idx:DIR, folder:DIR, or a folder
    #[arg(value_name = "DATA", default_value = "fashion-mnist")]
    data: String,
    /// Height and width that images are resized to, in pixels [default: as they are; of a folder, inferred]
    #[arg(long, value_name = "PIXELS", value_parser = quantities::parse_pixels)]
    size: Option<usize>,
    /// Leave out images that cannot be read instead of ending with an error
    #[arg(long)]
    skip_bad: bool,
}

impl Images {
    fn load(&self) -> LoadConfig {
        LoadConfig {
            size: self.size,
            skip_bad: self.skip_bad,
        }
    }
}

/// Settings of `asap data info`.
#[derive(clap::Args)]
pub(crate) struct Info {
    #[command(flatten)]
    images: Images,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Settings of `asap data verify`.
#[derive(clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    images: Images,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON line for each part
    Json,
}

/// Reads the data set and prints.
///
/// # Errors
/// If there is no such data, or a file of it is missing or broken; the message names it.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Info(arguments) => info(arguments),
        Command::Verify(arguments) => verify(&arguments.images),
    }
}

fn info(arguments: &Info) -> Result<()> {
    let source: Source = arguments.images.data.parse()?;
    for part in [Part::Train, Part::Test] {
        let description = source.open(part, arguments.images.load())?.describe();
        match arguments.format {
            Format::Text => output::line(format_args!("{part}: {description}"))?,
            Format::Json => output::line(serde_json::to_string(&description)?)?,
        }
    }
    Ok(())
}

fn verify(images: &Images) -> Result<()> {
    let source: Source = images.data.parse()?;
    if let Some(manifest) = source.verify()? {
        let files = manifest.files.len();
        return output::line(format_args!(
            "{source}: {files} files are as the manifest says (licence {}, from {})",
            manifest.licence, manifest.source
        ));
    }
    for part in [Part::Train, Part::Test] {
        let dataset = source.open(part, images.load())?;
        let count = quantities::count(dataset.len() as u64);
        output::line(format_args!("{source}: {count} {part} images can be read"))?;
        for path in dataset.skipped() {
            output::line(format_args!("{source}: left out {}", path.display()))?;
        }
    }
    Ok(())
}

//! `asap data`: the known data sets, what one holds, whether its files are whole, and how to get it.

mod fetch;
mod info;
mod list;
mod verify;

use crate::quantities;
use anyhow::{Result, bail};
use asap_data::{LoadConfig, Manifest, Source, datasets_folder};
use std::path::PathBuf;

/// What to do with a data set.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the known data sets: counts, size of the download, licence, and which are here
    List(list::Arguments),
    /// Print counts, sizes, classes and colours of the training and the test images
    Info(info::Arguments),
    /// Check every file against the manifest or, without one, that every image can be read
    Verify(verify::Arguments),
    /// Download a known data set from its publisher, check it and unpack it
    Fetch(fetch::Arguments),
}

/// Which images, and how they are brought in.
#[derive(clap::Args)]
struct Images {
    #[arg(value_name = "DATA", default_value = "fashion-mnist", help = Source::FORMS)]
    data: String,
    /// The folder of the known data set DATA [default: where `asap data fetch` puts it]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
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
            ..LoadConfig::default()
        }
    }

    /// The manifest of `data`, if that is the name of a known data set.
    fn manifest(&self) -> Result<Option<Manifest>> {
        match known(&self.data)? {
            true => Ok(Some(Manifest::named(&self.data)?)),
            false => Ok(None),
        }
    }

    /// Where the images are.
    fn source(&self) -> Result<Source> {
        match (&self.dir, self.manifest()?) {
            (None, _) => Ok(self.data.parse()?),
            (Some(folder), Some(manifest)) => Ok(Source::of_manifest(&manifest, folder)?),
            (Some(_), None) => bail!(
                "--dir: expected the name of a known data set beside it, found `{}`",
                self.data
            ),
        }
    }
}

/// Whether `name` is that of a known data set. Nothing is known where the folder of manifests is not.
fn known(name: &str) -> Result<bool> {
    Ok(datasets_folder().is_ok() && Manifest::names()?.iter().any(|known| known == name))
}

/// Where the known data set `name` is fetched to.
fn default_folder(name: &str) -> Result<PathBuf> {
    Ok(datasets_folder()?.join(name))
}

/// Carries out `command` and prints.
///
/// # Errors
/// If there is no such data, or a file of it is missing, broken or not to be had; the message names it.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::List(arguments) => list::run(arguments),
        Command::Info(arguments) => info::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Fetch(arguments) => fetch::run(arguments),
    }
}

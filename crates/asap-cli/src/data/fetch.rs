//! `asap data fetch`: a known data set from its publisher.

use super::default_folder;
use crate::{output, quantities};
use anyhow::Result;
use asap_data::{Checksum, FetchEvent, Fetched, Manifest, fetch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::PathBuf;

/// Settings of `asap data fetch`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Name of a known data set, as `asap data list` lists it
    #[arg(value_name = "NAME")]
    name: String,
    /// The folder it is put into [default: its own in `datasets`]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Fetches and prints what came.
///
/// # Errors
/// If it cannot be had, is not what it should be, or cannot be written.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let manifest = Manifest::named(&arguments.name)?;
    let folder = match &arguments.dir {
        Some(folder) => folder.clone(),
        None => default_folder(&manifest.name)?,
    };
    output::note(format_args!(
        "{}: licence {}, from {}. {}",
        manifest.name, manifest.licence, manifest.source, manifest.note
    ));
    let mut watcher = Watcher::new();
    let fetched = fetch(&manifest, &folder, &mut |event| watcher.tell(&event));
    watcher.bar.finish_and_clear();
    for fetched in fetched? {
        output::line(told(&fetched))?;
    }
    output::line(format_args!("{} is in {}", manifest.name, folder.display()))
}

fn told(fetched: &Fetched) -> String {
    let Fetched {
        file,
        bytes,
        sha256,
        checksum,
    } = fetched;
    let size = quantities::bytes(*bytes);
    match checksum {
        Checksum::Unknown => {
            format!(
                "{file}: {size} ({bytes} bytes), sha256 {sha256}, which nobody states to compare"
            )
        }
        known => format!("{file}: {size}, as it should be ({known})"),
    }
}

/// Shows on stderr how it goes on, with rate and time left where somebody watches.
struct Watcher {
    bar: ProgressBar,
    /// The file at hand.
    file: String,
}

impl Watcher {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let template = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left {msg}";
        let bar = match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        let file = String::new();
        Self { bar, file }
    }

    fn tell(&mut self, event: &FetchEvent<'_>) {
        match *event {
            FetchEvent::Present { file } => self.note(&format!("{file} is here already")),
            FetchEvent::Downloaded { file, bytes, total } => {
                if self.file != file {
                    file.clone_into(&mut self.file);
                    self.begin(bytes, total);
                }
                self.bar.set_position(bytes);
            }
            FetchEvent::Checking { file } => self.note(&format!("checking {file}")),
            FetchEvent::Unpacking { file } => self.note(&format!("unpacking {file}")),
            _ => {}
        }
    }

    fn begin(&self, bytes: u64, total: Option<u64>) {
        let size = total.map_or_else(|| "unknown size".to_owned(), quantities::bytes);
        let here = match bytes {
            0 => String::new(),
            bytes => format!(", of which {} are here", quantities::bytes(bytes)),
        };
        self.note(&format!("downloading {}, {size}{here}", self.file));
        self.bar.reset();
        self.bar.set_prefix(self.file.clone());
        self.bar.set_position(bytes);
        // The rate and the time left count from here on.
        self.bar.reset_eta();
        match total {
            Some(total) => self.bar.set_length(total),
            None => self.bar.unset_length(),
        }
    }

    fn note(&self, text: &str) {
        match self.bar.is_hidden() {
            true => output::note(text),
            false => self.bar.println(text),
        }
    }
}

//! A run as the report sees it: what its folder holds, finished or not.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use asap_genotype::Genotype;

use crate::error::{Error, Result};
use crate::page;
use crate::read::{self, Epoch, Phase, Removal, Summary, Transfer};

/// What a run's folder tells about the run. Files that are not there are left out of the report.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) folder: PathBuf,
    pub(crate) config: Option<String>,
    pub(crate) genotype: Option<Genotype>,
    pub(crate) ledger: Vec<Removal>,
    pub(crate) metrics: Vec<Epoch>,
    pub(crate) summary: Option<Summary>,
    pub(crate) transfer: Option<Transfer>,
    pub(crate) failure: Option<String>,
}

impl Report {
    /// The run in a folder, from its `config.toml`, `genotype.json`, `ledger.jsonl`,
    /// `metrics.jsonl`, `summary.json`, `transfer.json` and `failure.txt`, as far as they are there.
    ///
    /// # Errors
    ///
    /// When the folder has neither `config.toml` nor `metrics.jsonl`, or a file cannot be read or
    /// holds something else; the message names the file.
    pub fn read(folder: &Path) -> Result<Self> {
        let config = read::text(&folder.join("config.toml"))?;
        let metrics_path = folder.join("metrics.jsonl");
        if config.is_none() && !metrics_path.is_file() {
            return Err(Error::NoRun {
                path: folder.to_owned(),
            });
        }
        let genotype_path = folder.join("genotype.json");
        let genotype = read::text(&genotype_path)?
            .map(|text| Genotype::from_json(&text))
            .transpose()
            .map_err(|error| Error::malformed(&genotype_path, error))?;
        Ok(Self {
            folder: folder.to_owned(),
            config,
            genotype,
            ledger: read::json_lines(&folder.join("ledger.jsonl"))?,
            metrics: read::json_lines(&metrics_path)?,
            summary: read::json(&folder.join("summary.json"))?,
            transfer: read::json(&folder.join("transfer.json"))?,
            failure: read::text(&folder.join("failure.txt"))?,
        })
    }

    /// The report as one HTML page that loads nothing else.
    pub fn render(&self) -> String {
        page::render(self)
    }

    /// Writes the page to a file: under another name first, so that there is never half a page.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let temporary = path.with_file_name(name);
        let page = self.render();
        File::create(&temporary)
            .and_then(|mut file| {
                file.write_all(page.as_bytes())
                    .and_then(|()| file.sync_all())
            })
            .and_then(|()| std::fs::rename(&temporary, path))
            .map_err(|source| {
                // Best effort: half a page helps nobody, and the first error is the one to tell.
                let _ = std::fs::remove_file(&temporary);
                Error::io("write", path, source)
            })
    }

    /// The name of the run: that of its folder.
    pub(crate) fn id(&self) -> String {
        let whole = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        whole
            .file_name()
            .unwrap_or(whole.as_os_str())
            .to_string_lossy()
            .into_owned()
    }

    /// The epochs of a phase.
    pub(crate) fn epochs(&self, phase: Phase) -> impl Iterator<Item = &Epoch> {
        self.metrics
            .iter()
            .filter(move |epoch| epoch.phase == phase)
    }

    /// Whether the search has found its genotype: what comes after it has begun.
    pub(crate) fn search_has_ended(&self) -> bool {
        self.summary.is_some() || self.epochs(Phase::Train).next().is_some()
    }

    /// The value of a key before the first section of `config.toml`, without its quotes.
    pub(crate) fn setting(&self, key: &str) -> Option<&str> {
        self.config
            .as_deref()?
            .lines()
            .take_while(|line| !line.trim_start().starts_with('['))
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.trim().trim_matches('"'))
    }

    /// What the run does, `search` or `train`.
    pub(crate) fn task(&self) -> &str {
        let searched = self.epochs(Phase::Search).next().is_some();
        let guess = if searched || self.metrics.is_empty() {
            "search"
        } else {
            "train"
        };
        self.setting("task").unwrap_or(guess)
    }
}

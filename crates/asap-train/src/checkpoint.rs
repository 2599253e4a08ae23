//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! One safetensors file each, `checkpoints/search-00003-000041.safetensors` for the state after step
//! 41 of epoch 3 (both from 0), with everything that is no tensor as JSON in its metadata. It appears
//! by one rename, and the last two are kept.

use std::fs;
use std::path::{Path, PathBuf};

use asap_space::NamedTensor;
use serde::{Deserialize, Serialize};

use crate::computed_on::ComputedOn;
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use crate::search::SearchState;
use crate::tensor_file;
use crate::train::TrainState;

const FORMAT: &str = "asap-checkpoint";
const VERSION: u32 = 1;
const ENDING: &str = "safetensors";
/// How many are kept: the newest, and one more should it be damaged from outside.
const KEPT: usize = 2;
/// What the name of a tensor starts with when it is a velocity and no weight.
const VELOCITY: &str = "velocity/";
/// What it starts with when it belongs to the averaged weights.
const AVERAGE: &str = "average/";

/// Where in its work a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Epoch, from 0.
    pub(crate) epoch: usize,
    /// Steps of the epoch that are done.
    pub(crate) step: usize,
}

/// What a phase needs besides tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum PhaseState {
    Search(SearchState),
    Train(TrainState),
}

impl PhaseState {
    fn file_name(&self) -> String {
        let (name, Position { epoch, step }) = match self {
            Self::Search(state) => ("search", state.learner.at),
            Self::Train(state) => ("train", state.learner.at),
        };
        format!("{name}-{epoch:05}-{step:06}.{ENDING}")
    }
}

/// What a run knows about itself besides its phase.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Records {
    /// The command line that started it.
    pub(crate) command: Vec<String>,
    /// What computed it, in this order.
    #[serde(default)]
    pub(crate) computed_on: Vec<ComputedOn>,
    /// Bytes of `metrics.jsonl` that belong to the state.
    pub(crate) metrics_bytes: u64,
    /// Seconds of searching so far.
    pub(crate) search_seconds: f64,
    /// Seconds of training so far.
    pub(crate) train_seconds: f64,
    /// The most memory a process held so far.
    pub(crate) peak_resident_bytes: Option<u64>,
}

/// A checkpoint in memory.
pub(crate) struct Checkpoint {
    pub(crate) records: Records,
    pub(crate) phase: PhaseState,
    pub(crate) tensors: Tensors,
}

/// The tensors of a phase.
#[derive(Clone, Debug)]
pub(crate) struct Tensors {
    /// Weights and running statistics of the network.
    pub(crate) network: Vec<NamedTensor>,
    /// The velocity of every weight, under the weight's name.
    pub(crate) velocity: Vec<NamedTensor>,
    /// Averaged weights and running statistics; none when nothing is averaged.
    pub(crate) average: Vec<NamedTensor>,
}

#[derive(Serialize)]
struct Written<'a> {
    format: &'static str,
    version: u32,
    config: String,
    records: &'a Records,
    phase: &'a PhaseState,
}

#[derive(Deserialize)]
struct Read {
    format: String,
    version: u32,
    config: String,
    records: Records,
    phase: PhaseState,
}

impl Checkpoint {
    /// Writes the checkpoint, removes all but the last two, and returns its path.
    pub(crate) fn save(self, folder: &RunFolder, config: &RunConfig) -> Result<PathBuf> {
        let path = folder.checkpoints().join(self.phase.file_name());
        let description = Written {
            format: FORMAT,
            version: VERSION,
            config: config.to_toml()?,
            records: &self.records,
            phase: &self.phase,
        };
        let mut tensors = self.tensors.network;
        tensors.extend(marked(self.tensors.velocity, VELOCITY));
        tensors.extend(marked(self.tensors.average, AVERAGE));
        tensor_file::write(&path, &description, &tensors)?;
        thin(&folder.checkpoints(), KEPT)?;
        Ok(path)
    }

    /// The checkpoint at `path`, of a run with the settings `config`.
    pub(crate) fn read(path: &Path, config: &RunConfig) -> Result<Self> {
        let (read, tensors): (Read, _) = tensor_file::read(path)?;
        if read.format != FORMAT || read.version != VERSION {
            let message = format!(
                "is {} version {}, expected {FORMAT} version {VERSION}",
                read.format, read.version
            );
            return Err(Error::malformed(path, message));
        }
        let written_with = RunConfig::from_toml(&read.config, &path.display().to_string())?;
        if let Some(difference) = config.difference(&written_with)? {
            return Err(Error::OtherConfig {
                path: path.to_owned(),
                difference,
            });
        }
        let (velocity, tensors) = unmarked(tensors, VELOCITY);
        let (average, network) = unmarked(tensors, AVERAGE);
        let tensors = Tensors {
            network,
            velocity,
            average,
        };
        Ok(Self {
            records: read.records,
            phase: read.phase,
            tensors,
        })
    }

    /// The newest checkpoint of a run that can be read, with its path; `None` when it has none.
    pub(crate) fn newest(
        folder: &RunFolder,
        config: &RunConfig,
    ) -> Result<Option<(PathBuf, Self)>> {
        let mut first_error = None;
        for path in list(&folder.checkpoints())?.into_iter().rev() {
            match Self::read(&path, config) {
                Ok(checkpoint) => return Ok(Some((path, checkpoint))),
                Err(error @ Error::OtherConfig { .. }) => return Err(error),
                // Damaged from outside: the one before leads to the same end.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(None), Err)
    }
}

/// The tensors with a mark before their names.
fn marked(tensors: Vec<NamedTensor>, mark: &'static str) -> impl Iterator<Item = NamedTensor> {
    tensors.into_iter().map(move |mut tensor| {
        tensor.name.insert_str(0, mark);
        tensor
    })
}

/// The tensors that had the mark, without it, and the others.
fn unmarked(tensors: Vec<NamedTensor>, mark: &str) -> (Vec<NamedTensor>, Vec<NamedTensor>) {
    let (mut with, without): (Vec<NamedTensor>, _) = tensors
        .into_iter()
        .partition(|tensor| tensor.name.starts_with(mark));
    for tensor in &mut with {
        tensor.name.drain(..mark.len());
    }
    (with, without)
}

/// The checkpoints in `folder`, the oldest first: their names sort by phase, epoch and step.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::io("list", folder, source)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|source| Error::io("list", folder, source))?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == ENDING)
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Removes all but the newest `kept` checkpoints of `folder`, and returns how many bytes they had.
pub(crate) fn thin(folder: &Path, kept: usize) -> Result<u64> {
    let paths = list(folder)?;
    let mut bytes = 0;
    for path in &paths[..paths.len().saturating_sub(kept)] {
        bytes += fs::metadata(path).map_or(0, |metadata| metadata.len());
        fs::remove_file(path).map_err(|source| Error::io("remove", path, source))?;
    }
    Ok(bytes)
}

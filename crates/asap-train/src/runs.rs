//! The runs in a folder of runs: what state they are in and what they take on the disk.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use crate::summary::Summary;

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// A process works on it now.
    Running,
    /// It has its results.
    Finished,
    /// It was stopped and can go on.
    Interrupted,
    /// It ended with the error given.
    Failed(String),
}

/// One run of a folder of runs.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// Its folder.
    pub folder: RunFolder,
    /// Name of its folder.
    pub id: String,
    /// How far it has come.
    pub state: RunState,
    /// Bytes of all its files.
    pub disk_bytes: u64,
    /// How many checkpoints it has.
    pub checkpoints: usize,
    /// Its results, when it is finished.
    pub summary: Option<Summary>,
}

/// The runs below `folder`, sorted by name; none when there is no such folder.
///
/// # Errors
/// The folder or a file of a run cannot be read.
pub fn runs(folder: &Path) -> Result<Vec<RunInfo>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::io("list", folder, source)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|source| Error::io("list", folder, source))?
            .path();
        if path.join("config.toml").is_file() {
            runs.push(run_info(path)?);
        }
    }
    runs.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(runs)
}

/// Removes the checkpoints of a run that it does not need: all of a finished run, all but the newest of
/// another. Returns the bytes set free.
///
/// # Errors
/// A process works on the run, or a file cannot be removed.
pub fn thin_checkpoints(folder: &RunFolder) -> Result<u64> {
    let _lock = folder.lock()?;
    let kept = if folder.summary().is_file() { 0 } else { 1 };
    checkpoint::thin(&folder.checkpoints(), kept)
}

fn run_info(path: PathBuf) -> Result<RunInfo> {
    let id = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let disk_bytes = size_of_files(&path)?;
    let folder = RunFolder::new(path);
    // One run that is damaged must not hide the others.
    let summary = folder
        .summary()
        .is_file()
        .then(|| Summary::read(&folder.summary()));
    let state = if folder.is_locked() {
        RunState::Running
    } else if let Some(summary) = &summary {
        match summary {
            Ok(_) => RunState::Finished,
            Err(error) => RunState::Failed(error.to_string()),
        }
    } else if let Ok(reason) = fs::read_to_string(folder.failure()) {
        RunState::Failed(reason.trim_end().to_owned())
    } else {
        RunState::Interrupted
    };
    let checkpoints = checkpoint::list(&folder.checkpoints())?.len();
    Ok(RunInfo {
        folder,
        id,
        state,
        disk_bytes,
        checkpoints,
        summary: summary.and_then(Result::ok),
    })
}

/// Bytes of all files below `folder`. A file that vanishes meanwhile, as checkpoints do, counts 0.
fn size_of_files(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(|source| Error::io("list", folder, source))? {
        let entry = entry.map_err(|source| Error::io("list", folder, source))?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += size_of_files(&entry.path())?,
            Ok(metadata) => bytes += metadata.len(),
            Err(_) => {}
        }
    }
    Ok(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::testing::TemporaryFolder;

    fn state_of(folder: &Path) -> RunState {
        runs(folder).unwrap().remove(0).state
    }

    #[test]
    fn a_run_is_running_while_it_is_locked_and_interrupted_after() {
        let folder = TemporaryFolder::new();
        let run = RunFolder::new(folder.path().join("one"));
        let lock = run.create().unwrap();
        fs::write(run.config(), "").unwrap();
        assert_eq!(state_of(folder.path()), RunState::Running);
        assert!(matches!(thin_checkpoints(&run), Err(Error::Busy { .. })));
        drop(lock);
        assert_eq!(state_of(folder.path()), RunState::Interrupted);
        fs::write(run.failure(), "the loss is NaN\n").unwrap();
        assert_eq!(
            state_of(folder.path()),
            RunState::Failed("the loss is NaN".into())
        );
    }

    #[test]
    fn thinning_keeps_the_newest_checkpoint_of_an_unfinished_run() {
        let folder = TemporaryFolder::new();
        let run = RunFolder::new(folder.path().join("one"));
        drop(run.create().unwrap());
        fs::write(run.config(), "").unwrap();
        for name in ["train-00000-000000", "search-00009-000064"] {
            let path = run.checkpoints().join(format!("{name}.safetensors"));
            fs::write(path, [0; 100]).unwrap();
        }
        let info = runs(folder.path()).unwrap().remove(0);
        assert_eq!(
            (info.id.as_str(), info.checkpoints, info.disk_bytes),
            ("one", 2, 200)
        );
        assert_eq!(thin_checkpoints(&run).unwrap(), 100);
        let left = checkpoint::list(&run.checkpoints()).unwrap();
        assert!(
            left[0].ends_with("train-00000-000000.safetensors"),
            "{left:?}"
        );
        fs::write(run.summary(), "").unwrap();
        assert_eq!(thin_checkpoints(&run).unwrap(), 100);
        let RunState::Failed(reason) = state_of(folder.path()) else {
            panic!("no summary is empty")
        };
        assert!(reason.contains("summary.json"), "{reason}");
    }

    #[test]
    fn a_folder_without_runs_has_none() {
        let folder = TemporaryFolder::new();
        fs::create_dir(folder.path().join("other")).unwrap();
        assert!(runs(folder.path()).unwrap().is_empty());
        assert!(runs(&folder.path().join("missing")).unwrap().is_empty());
    }
}

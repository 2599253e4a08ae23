//! A run's folder: where its files are, and who may write them.
//!
//! ```text
//! config.toml          every setting
//! genotype.json        the genotype as it stands, then the found one
//! ledger.jsonl         every removal
//! metrics.jsonl        a line per epoch
//! weights.safetensors  what a training started from, where it was given weights
//! checkpoints/         the last two
//! network.safetensors  the trained network
//! network-ema.safetensors  the same with averaged weights, where the recipe averages them
//! transfer.json        the run that the cell came from, in a run that trains it on other images
//! summary.json         the results; a run that has it is finished
//! failure.txt          why the run ended early, when it did
//! lock                 held by the process that runs; the system lets go when it dies
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::RunConfig;
use crate::error::{Error, Result};

/// The files of a run, by their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The run at `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every setting of the run.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The genotype as it stands, rewritten every epoch; in the end the found one.
    pub fn genotype(&self) -> PathBuf {
        self.path.join("genotype.json")
    }

    /// Every removal, a JSON line each.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.jsonl")
    }

    /// Every epoch, a JSON line each.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// The trained network of the run at `path`, or `path` itself if it is a file.
    pub fn network_at(path: &Path) -> PathBuf {
        match path.is_dir() {
            true => Self::new(path).network(),
            false => path.to_owned(),
        }
    }

    /// The trained network.
    pub fn network(&self) -> PathBuf {
        self.path.join("network.safetensors")
    }

    /// The trained network with averaged weights; a run that averages none has no such file.
    pub fn averaged_network(&self) -> PathBuf {
        self.path.join("network-ema.safetensors")
    }

    /// The run that the cell came from; only a transfer has this file.
    pub fn transfer(&self) -> PathBuf {
        self.path.join("transfer.json")
    }

    /// The weights that a training started from; a run that drew its first weights has no such file.
    pub fn weights(&self) -> PathBuf {
        self.path.join("weights.safetensors")
    }

    /// The folder of checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The results.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// Why the run ended early.
    pub fn failure(&self) -> PathBuf {
        self.path.join("failure.txt")
    }

    /// Where the report of the run belongs.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    fn lock_file(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// The settings of the run that the folder holds.
    ///
    /// # Errors
    /// There is no run, or its `config.toml` is not as expected.
    pub fn read_config(&self) -> Result<RunConfig> {
        if !self.config().is_file() {
            return Err(Error::NoRun {
                path: self.path.clone(),
            });
        }
        RunConfig::read(&self.config())
    }

    /// Makes the folder for a new run and takes its lock.
    pub(crate) fn create(&self) -> Result<Lock> {
        fs::create_dir_all(self.checkpoints())
            .map_err(|source| Error::io("create", &self.checkpoints(), source))?;
        let lock = self.lock()?;
        if self.config().exists() {
            return Err(Error::RunExists {
                path: self.path.clone(),
            });
        }
        Ok(lock)
    }

    /// Takes the lock of a run, for as long as the value lives.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.lock_file();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| Error::io("open", &path, source))?;
        // Whoever only asks whether the run goes on holds the lock for a moment.
        for _ in 0..20 {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path, source)),
            }
        }
        Err(Error::Busy {
            path: self.path.clone(),
        })
    }

    /// Whether a process works on the run now.
    pub(crate) fn is_locked(&self) -> bool {
        let Ok(file) = File::open(self.lock_file()) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

/// The right to write a run's files; given back when dropped, and by the system when a process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::testing::TemporaryFolder;

    #[test]
    fn two_cannot_run_in_one_folder() {
        let folder = TemporaryFolder::new();
        let run = RunFolder::new(folder.path().join("run"));
        let lock = run.create().unwrap();
        assert!(run.is_locked());
        assert!(matches!(run.lock(), Err(Error::Busy { .. })));
        drop(lock);
        assert!(!run.is_locked());
        run.lock().unwrap();
    }

    #[test]
    fn a_lock_file_left_by_a_dead_process_is_no_obstacle() {
        let folder = TemporaryFolder::new();
        let run = RunFolder::new(folder.path());
        fs::write(run.lock_file(), "").unwrap();
        assert!(!run.is_locked());
        run.lock().unwrap();
    }

    #[test]
    fn a_folder_with_a_run_takes_no_second_one() {
        let folder = TemporaryFolder::new();
        let run = RunFolder::new(folder.path());
        fs::write(run.config(), "").unwrap();
        assert!(matches!(run.create(), Err(Error::RunExists { .. })));
    }

    #[test]
    fn a_folder_without_a_run_says_so() {
        let folder = TemporaryFolder::new();
        let error = RunFolder::new(folder.path())
            .read_config()
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("holds no run: it has no config.toml"),
            "{error}"
        );
    }
}

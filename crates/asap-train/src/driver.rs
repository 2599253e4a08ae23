//! Drives a phase to its end: step after step, with metrics, checkpoints, and an ear for the wish to stop.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::checkpoint::{Checkpoint, Records};
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::memory::peak_resident_bytes;
use crate::metrics::MetricsFile;
use crate::progress::{Event, Phase, Progress};
use crate::run_folder::RunFolder;
use crate::work::Work;

/// Whoever follows a run, and may ask it to stop.
pub(crate) struct Audience<'a> {
    pub(crate) progress: &'a mut dyn Progress,
    pub(crate) stop: &'a AtomicBool,
}

/// What is written down while a run works.
pub(crate) struct Driver<'a> {
    folder: &'a RunFolder,
    config: &'a RunConfig,
    metrics: MetricsFile,
    records: Records,
    last_checkpoint: Option<PathBuf>,
    last_saved: Instant,
    last_counted: Instant,
}

impl<'a> Driver<'a> {
    /// A driver of the run in `folder`, which goes on from `records` and the checkpoint they came from.
    pub(crate) fn new(
        folder: &'a RunFolder,
        config: &'a RunConfig,
        records: Records,
        last_checkpoint: Option<PathBuf>,
    ) -> Result<Self> {
        let metrics = MetricsFile::open(&folder.metrics(), records.metrics_bytes)?;
        let now = Instant::now();
        let (last_saved, last_counted) = (now, now);
        Ok(Self {
            folder,
            config,
            metrics,
            records,
            last_checkpoint,
            last_saved,
            last_counted,
        })
    }

    /// Works until the phase is over, `None`, or was asked to stop: then the path of its checkpoint.
    pub(crate) fn drive(
        &mut self,
        work: &mut dyn Work,
        audience: &mut Audience<'_>,
    ) -> Result<Option<PathBuf>> {
        let Audience { progress, stop } = audience;
        let (phase, epochs, steps) = (work.plan().phase, work.plan().epochs, work.plan().steps);
        let done = work.steps_done();
        progress.event(&Event::PhaseStarted {
            phase,
            epochs,
            steps,
            images_on_device: work.images_on_device(),
            done,
        });
        if done == 0 {
            self.save(work, *progress)?;
        }
        while !work.is_over() {
            if stop.load(Ordering::Relaxed) {
                return self.save(work, *progress).map(Some);
            }
            let report = work
                .step(*progress)
                .map_err(|error| self.with_checkpoint(error))?;
            progress.event(&Event::Step(&report));
            if work.epoch_is_over() {
                let metrics = work
                    .end_epoch()
                    .map_err(|error| self.with_checkpoint(error))?;
                self.metrics.append(&metrics)?;
                self.save(work, *progress)?;
                progress.event(&Event::EpochEnded(&metrics));
            } else if self.last_saved.elapsed() >= self.between_checkpoints() {
                self.save(work, *progress)?;
            }
        }
        Ok(None)
    }

    /// What is known about the run, with its time up to now counted to `phase`.
    pub(crate) fn records(&mut self, phase: Phase) -> &Records {
        let now = Instant::now();
        let seconds = match phase {
            Phase::Search => &mut self.records.search_seconds,
            Phase::Train => &mut self.records.train_seconds,
        };
        *seconds += now.duration_since(self.last_counted).as_secs_f64();
        self.last_counted = now;
        self.records.metrics_bytes = self.metrics.length();
        self.records.peak_resident_bytes =
            self.records.peak_resident_bytes.max(peak_resident_bytes());
        &self.records
    }

    /// Writes everything down as it is between two steps.
    fn save(&mut self, work: &mut dyn Work, progress: &mut dyn Progress) -> Result<PathBuf> {
        work.settle().map_err(|error| self.with_checkpoint(error))?;
        work.write_files(self.folder)?;
        let records = self.records(work.plan().phase).clone();
        let checkpoint = Checkpoint {
            records,
            phase: work.state(),
            tensors: work.tensors()?,
        };
        let path = checkpoint.save(self.folder, self.config)?;
        self.last_checkpoint = Some(path.clone());
        self.last_saved = Instant::now();
        progress.event(&Event::CheckpointSaved(&path));
        Ok(path)
    }

    fn between_checkpoints(&self) -> Duration {
        // More than any run lasts stands for "never".
        Duration::try_from_secs_f64(self.config.checkpoint_seconds).unwrap_or(Duration::MAX)
    }

    /// Tells in an error which checkpoint is the last good one.
    fn with_checkpoint(&self, mut error: Error) -> Error {
        if let Error::NotFinite { checkpoint, .. } = &mut error {
            checkpoint.clone_from(&self.last_checkpoint);
        }
        error
    }
}

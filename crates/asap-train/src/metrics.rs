//! What is written down about every epoch: `metrics.jsonl`, one JSON object on a line each.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use asap_genotype::{CellKind, Edge, OpWeights, Operation, Topology};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::progress::Phase;

/// Op weights of one kind of cell: by edge (`"0->2"`), then by operation.
pub type CellOpWeights = BTreeMap<String, BTreeMap<Operation, f64>>;

/// One line of `metrics.jsonl`. What a phase does not have is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Search or training.
    pub phase: Phase,
    /// The epoch that ended, from 1.
    pub epoch: usize,
    /// Epochs that are planned.
    pub epochs: usize,
    /// Weight steps done in the epoch.
    pub steps: usize,
    /// Mean loss over the images that trained the weights, with all that the recipe adds to it: label smoothing and
    /// the auxiliary head.
    pub weight_loss: f64,
    /// Share of those images that were classified rightly, 0 to 1.
    pub weight_accuracy: f64,
    /// Mean cross-entropy over the validation images, in eval mode.
    pub val_loss: Option<f64>,
    /// Share of the validation images that were classified rightly, 0 to 1.
    pub val_accuracy: Option<f64>,
    /// Mean cross-entropy of the averaged weights over the validation images.
    pub ema_val_loss: Option<f64>,
    /// Share of the validation images that the averaged weights classify rightly.
    pub ema_val_accuracy: Option<f64>,
    /// Mean cross-entropy over the images that trained the alphas.
    pub alpha_loss: Option<f64>,
    /// Temperature of the last step.
    pub temperature: Option<f64>,
    /// Operations alive in both kinds of cell when the epoch ended.
    pub operations_alive: Option<usize>,
    /// Edges alive in both kinds of cell when the epoch ended.
    pub edges_alive: Option<usize>,
    /// Median seconds of a weight step.
    pub weight_step_seconds: f64,
    /// Median seconds of an alpha step.
    pub alpha_step_seconds: Option<f64>,
    /// Images that went through the network in a second, in weight and alpha steps.
    pub images_per_second: f64,
    /// Memory the process held when the epoch ended, in MiB.
    pub rss_mib: Option<f64>,
    /// Learning rate of the weights in the last step.
    pub learning_rate: f64,
    /// Op weights when the epoch ended, for `normal` and `reduction` cells.
    pub op_weights: Option<BTreeMap<CellKind, CellOpWeights>>,
}

/// `weights` by the names of edges and operations.
pub(crate) fn named_op_weights(
    topology: &Topology,
    weights: &OpWeights,
) -> BTreeMap<CellKind, CellOpWeights> {
    let of_edge = |kind: CellKind, edge: Edge| -> BTreeMap<Operation, f64> {
        let operations = topology.cell(kind).alive(edge);
        operations
            .iter()
            .copied()
            .zip(weights.edge(kind, edge).iter().copied())
            .collect()
    };
    let of_kind = |kind: CellKind| -> CellOpWeights {
        Edge::all()
            .filter(|edge| !topology.cell(kind).alive(*edge).is_empty())
            .map(|edge| (edge.to_string(), of_edge(kind, edge)))
            .collect()
    };
    CellKind::ALL
        .into_iter()
        .map(|kind| (kind, of_kind(kind)))
        .collect()
}

/// The open `metrics.jsonl` of a run: lines are added, never changed.
#[derive(Debug)]
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: File,
    length: u64,
}

impl MetricsFile {
    /// Opens `path` and cuts it to `length` bytes: what came after the checkpoint is done anew.
    pub(crate) fn open(path: &Path, length: u64) -> Result<Self> {
        let io = |source| Error::io("open", path, source);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(io)?;
        let found = file.metadata().map_err(io)?.len();
        if found < length {
            let message = format!("has {found} bytes, its checkpoint expects at least {length}");
            return Err(Error::malformed(path, message));
        }
        file.set_len(length).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
        })
    }

    /// Bytes of the lines written so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Adds a line and waits until the disk has it: the next checkpoint counts on it.
    pub(crate) fn append(&mut self, metrics: &EpochMetrics) -> Result<()> {
        let mut line = serde_json::to_vec(metrics)
            .map_err(|error| Error::malformed(&self.path, error.to_string()))?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| Error::io("write", &self.path, source))?;
        self.length += line.len() as u64;
        Ok(())
    }
}

/// The lines of the `metrics.jsonl` at `path`, in the order of the epochs.
///
/// A last line without an end is one that a killed process was writing; it is left out.
///
/// # Errors
/// The file cannot be read, or a line is not as expected; the error names both.
pub fn read_metrics(path: &Path) -> Result<Vec<EpochMetrics>> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::io("read", path, source))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| Error::malformed(path, format!("line {}: {error}", index + 1)))
    };
    whole.lines().enumerate().map(parse).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::testing::TemporaryFolder;

    fn line(epoch: usize) -> EpochMetrics {
        EpochMetrics {
            phase: Phase::Train,
            epoch,
            epochs: 3,
            steps: 10,
            weight_loss: 0.1 + 0.2,
            weight_accuracy: 2.0 / 3.0,
            val_loss: None,
            val_accuracy: None,
            ema_val_loss: None,
            ema_val_accuracy: None,
            alpha_loss: None,
            temperature: None,
            operations_alive: None,
            edges_alive: None,
            weight_step_seconds: 0.01,
            alpha_step_seconds: None,
            images_per_second: 1000.0,
            rss_mib: Some(12.5),
            learning_rate: 0.025,
            op_weights: None,
        }
    }

    #[test]
    fn lines_come_back_as_they_were_written() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("metrics.jsonl");
        let mut file = MetricsFile::open(&path, 0).unwrap();
        file.append(&line(1)).unwrap();
        file.append(&line(2)).unwrap();
        assert_eq!(read_metrics(&path).unwrap(), [line(1), line(2)]);
    }

    #[test]
    fn what_came_after_the_checkpoint_is_cut_off() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("metrics.jsonl");
        let mut file = MetricsFile::open(&path, 0).unwrap();
        file.append(&line(1)).unwrap();
        let length = file.length();
        file.append(&line(2)).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"phase\":\"tra")
            .unwrap();
        assert_eq!(
            read_metrics(&path).unwrap().len(),
            2,
            "the half line is left out"
        );
        let mut file = MetricsFile::open(&path, length).unwrap();
        file.append(&line(2)).unwrap();
        assert_eq!(read_metrics(&path).unwrap(), [line(1), line(2)]);
    }

    #[test]
    fn a_file_shorter_than_its_checkpoint_says_so() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("metrics.jsonl");
        let error = MetricsFile::open(&path, 10).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl: has 0 bytes"), "{error}");
        assert!(error.contains("at least 10"), "{error}");
    }

    #[test]
    fn absent_figures_are_null() {
        let text = serde_json::to_string(&line(1)).unwrap();
        assert!(text.contains("\"phase\":\"train\"") && text.contains("\"val_loss\":null"));
    }
}

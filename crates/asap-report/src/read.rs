//! The files of a run's folder, as far as the report needs them; any field may be absent.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use asap_genotype::{CellKind, Edge, Operation};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The two long parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Search,
    Train,
}

/// A line of `metrics.jsonl`: one epoch, counted from 1.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Epoch {
    pub(crate) phase: Phase,
    pub(crate) epoch: usize,
    pub(crate) epochs: Option<usize>,
    pub(crate) weight_loss: Option<f64>,
    pub(crate) weight_accuracy: Option<f64>,
    pub(crate) val_loss: Option<f64>,
    pub(crate) val_accuracy: Option<f64>,
    pub(crate) ema_val_loss: Option<f64>,
    pub(crate) ema_val_accuracy: Option<f64>,
    pub(crate) alpha_loss: Option<f64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) operations_alive: Option<usize>,
    pub(crate) edges_alive: Option<usize>,
    pub(crate) weight_step_seconds: Option<f64>,
    pub(crate) alpha_step_seconds: Option<f64>,
    pub(crate) rss_mib: Option<f64>,
    pub(crate) learning_rate: Option<f64>,
    pub(crate) op_weights: Option<BTreeMap<CellKind, CellOpWeights>>,
}

/// Op weights of a cell: by edge, as in `0->2`, then by operation.
pub(crate) type CellOpWeights = BTreeMap<String, BTreeMap<Operation, f64>>;

/// A line of `ledger.jsonl`: one removal, its epoch counted from 0.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Removal {
    pub(crate) epoch: usize,
    pub(crate) step: Option<usize>,
    pub(crate) cell: CellKind,
    pub(crate) edge: Edge,
    /// Nothing when the edge went with all its operations.
    pub(crate) operation: Option<Operation>,
    pub(crate) rival: Option<Operation>,
    pub(crate) rival_edge: Option<Edge>,
    #[serde(default)]
    pub(crate) forced: bool,
    pub(crate) phi: Option<f64>,
    pub(crate) threshold: Option<f64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) alpha_gap: Option<f64>,
    pub(crate) net_displacement: Option<f64>,
    pub(crate) path_length: Option<f64>,
    pub(crate) alpha_steps: Option<usize>,
}

/// `summary.json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) seed: Option<u64>,
    pub(crate) preset: Option<String>,
    pub(crate) recipe: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) train_images: Option<u64>,
    pub(crate) search_seconds: Option<f64>,
    pub(crate) train_seconds: Option<f64>,
    pub(crate) search_val_accuracy: Option<f64>,
    pub(crate) search_val_images: Option<u64>,
    pub(crate) discretisation_gap: Option<f64>,
    pub(crate) discretisation_accuracy_change: Option<f64>,
    pub(crate) derivation_difference: Option<f64>,
    pub(crate) first_weight_step_seconds: Option<f64>,
    pub(crate) last_weight_step_seconds: Option<f64>,
    pub(crate) test_accuracy: Option<f64>,
    #[serde(flatten)]
    pub(crate) costs: Costs,
    pub(crate) peak_rss_mib: Option<f64>,
    pub(crate) test: Option<Test>,
    pub(crate) test_ema: Option<Test>,
    pub(crate) threads: Option<u64>,
    pub(crate) simd: Option<String>,
    pub(crate) version: Option<String>,
    #[serde(default)]
    pub(crate) command: Vec<String>,
}

/// What a network costs, and the images it is for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Costs {
    pub(crate) parameters: Option<u64>,
    pub(crate) macs: Option<u64>,
    pub(crate) channels: Option<u64>,
    pub(crate) classes: Option<u64>,
    pub(crate) height: Option<u64>,
    pub(crate) width: Option<u64>,
    pub(crate) batch: Option<u64>,
    pub(crate) training_activation_bytes: Option<u64>,
    pub(crate) inference_activation_bytes: Option<u64>,
    pub(crate) disk_f32_bytes: Option<u64>,
    pub(crate) disk_f16_bytes: Option<u64>,
}

/// `transfer.json`: the run that the cells came from.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) run: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) recipe: Option<String>,
    pub(crate) test_accuracy: Option<f64>,
    #[serde(flatten)]
    pub(crate) costs: Costs,
}

/// The test in detail.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Test {
    pub(crate) images: Option<u64>,
    pub(crate) accuracy: Option<f64>,
    pub(crate) top5: Option<f64>,
    pub(crate) calibration_error: Option<f64>,
    pub(crate) images_per_second: Option<f64>,
    #[serde(default)]
    pub(crate) classes: Vec<Class>,
    /// How often an image of class `row` was taken for class `column`.
    #[serde(default)]
    pub(crate) confusion: Vec<Vec<u64>>,
}

/// The test images of one class.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) images: Option<u64>,
    pub(crate) precision: Option<f64>,
    pub(crate) recall: Option<f64>,
}

/// The text of a file; nothing when there is no such file.
pub(crate) fn text(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io("read", path, source)),
    }
}

/// The value in a JSON file; nothing when there is no such file.
pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let parse =
        |text: String| serde_json::from_str(&text).map_err(|error| Error::malformed(path, error));
    text(path)?.map(parse).transpose()
}

/// The lines of a JSON-lines file; none when there is no such file. A last line without an end is
/// one that a killed process was writing; it is left out.
pub(crate) fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = text(path)?.unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| Error::malformed(path, format!("line {}: {error}", index + 1)))
    };
    whole.lines().enumerate().map(parse).collect()
}

//! The results of a finished run: `summary.json`.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};

use crate::atomic::write_atomically;
use crate::computed_on::ComputedOn;
use crate::config::Task;
use crate::costs::Costs;
use crate::error::{Error, Result};
use crate::evaluate::Evaluation;
use crate::presets::Preset;
use crate::recipes::Recipe;

/// What the search found, and how sure it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchResult {
    /// Share of the validation images that the search form classifies rightly, 0 to 1.
    pub search_val_accuracy: f64,
    /// How many validation images there are.
    pub search_val_images: usize,
    /// Largest absolute difference of a logit between the supernet just before any forced decision and
    /// the search form of the found network, in eval mode.
    #[serde(deserialize_with = "null_is_no_number")]
    pub discretisation_gap: f64,
    /// Accuracy of the search form less that of the supernet just before any forced decision.
    pub discretisation_accuracy_change: f64,
    /// Largest absolute difference of a logit between the supernet after all decisions and the search
    /// form, built anew from the genotype.
    #[serde(deserialize_with = "null_is_no_number")]
    pub derivation_difference: f64,
    /// Validation images that the two differences were measured on.
    pub compared_images: usize,
    /// Lines of the ledger: how many removals it took.
    pub decisions: usize,
    /// How many of them were forced because the plan was over.
    pub forced_decisions: usize,
    /// How many of the others noise alone would explain, see [`explained_by_noise`](asap_anneal::LedgerLine::explained_by_noise).
    pub decisions_explained_by_noise: usize,
    /// Epochs that were begun.
    pub search_epochs: usize,
    /// Weight steps done.
    pub weight_steps: usize,
    /// Alpha steps done.
    pub alpha_steps: usize,
    /// Median seconds of the first 20 weight steps.
    pub first_weight_step_seconds: f64,
    /// Median seconds of the last 20 weight steps.
    pub last_weight_step_seconds: f64,
}

/// JSON has no word for what a forced decision can make of a logit; it is written as null.
fn null_is_no_number<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

/// `summary.json`. Accuracies are shares from 0 to 1; what a run did not do is `null` or absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What the run did.
    pub task: Task,
    /// Seed of all chance.
    pub seed: u64,
    /// The preset the settings started from.
    pub preset: Preset,
    /// The recipe the settings of the training started from.
    pub recipe: Recipe,
    /// Name of the data.
    pub data: String,
    /// Images that the found network was trained on.
    pub train_images: usize,
    /// Seconds of the search, over all processes that worked on it.
    pub search_seconds: Option<f64>,
    /// Seconds of the training, over all processes that worked on it.
    pub train_seconds: f64,
    /// Seconds of the evaluation on the test images.
    pub test_seconds: f64,
    /// What the search found; its fields stand beside the others, and are absent without a search.
    #[serde(flatten)]
    pub search: Option<SearchResult>,
    /// Share of the test images that the trained network classifies rightly, 0 to 1.
    pub test_accuracy: f64,
    /// What the trained network costs; its fields stand beside the others.
    #[serde(flatten)]
    pub costs: Costs,
    /// The most memory a process of the run held, in MiB.
    pub peak_rss_mib: Option<f64>,
    /// The test in detail.
    pub test: Evaluation,
    /// The test of the averaged weights, where weights were averaged.
    pub test_ema: Option<Evaluation>,
    /// What computed, in this order.
    #[serde(default)]
    pub computed_on: Vec<ComputedOn>,
    /// Threads that computed.
    pub threads: usize,
    /// The vector instructions that computed.
    pub simd: String,
    /// Version of asap.
    pub version: String,
    /// The command line that started the run.
    pub command: Vec<String>,
}

impl Summary {
    /// The summary at `path`.
    ///
    /// # Errors
    /// The file cannot be read or is not as expected.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::io("read", path, source))?;
        serde_json::from_str(&text).map_err(|error| Error::malformed(path, error.to_string()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::malformed(path, error.to_string()))?;
        text.push('\n');
        write_atomically(path, text.as_bytes())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_is_no_number_is_written_and_read_back() {
        let result = SearchResult {
            search_val_accuracy: 0.5,
            search_val_images: 256,
            discretisation_gap: f64::NAN,
            discretisation_accuracy_change: -0.25,
            derivation_difference: 0.0,
            compared_images: 256,
            decisions: 20,
            forced_decisions: 3,
            decisions_explained_by_noise: 1,
            search_epochs: 2,
            weight_steps: 40,
            alpha_steps: 30,
            first_weight_step_seconds: 0.2,
            last_weight_step_seconds: 0.1,
        };
        let text = serde_json::to_string(&result).unwrap();
        let back: SearchResult = serde_json::from_str(&text).unwrap();
        assert!(back.discretisation_gap.is_nan());
        assert_eq!(back.derivation_difference, 0.0);
        let without = text.replace("\"discretisation_gap\":null,", "");
        assert!(serde_json::from_str::<SearchResult>(&without).is_err());
    }
}

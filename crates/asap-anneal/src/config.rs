//! The settings of the annealing, checked once at the door.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How the temperature falls over a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// Once per epoch (paper): all steps of an epoch have one temperature.
    Epoch {
        /// Epochs of the whole search.
        epochs: usize,
    },
    /// At every step (ours), for plans with too few epochs to fall in steps.
    Step,
}

/// Which number of operations the pruning threshold `factor / N` divides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdBase {
    /// The operations the edge started with (as UniNAS sets it).
    Initial,
    /// The operations alive on the edge (ours): the fewer are left, the sooner the next one goes.
    Alive,
}

/// How a node comes to its two inputs. The paper does not say; both rules are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeRule {
    /// Edges have logits of their own, anneal like operations, and the weakest is removed until two live.
    Anneal,
    /// Every edge weighs 1 to the end; then the two edges of a node whose best operation led its
    /// runner-up by most, when that was removed, stay. The cut is forced and can cost a gap.
    FirstDecided,
}

/// When weights are held against the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// At every call, so after every alpha step (ours).
    Step,
    /// At the first call of each epoch (as UniNAS sets it).
    Epoch,
}

/// The settings of the annealing as a person writes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnnealConfig {
    /// Temperature at the start: 1.6 (as UniNAS sets it).
    pub initial_temperature: f64,
    /// Factor on the temperature per virtual epoch, above 0 and below 1: 0.95 (as UniNAS sets it).
    pub decay: f64,
    /// How many times the decay applies over the whole search, however many epochs it has: 50, the
    /// length of the paper's search.
    pub virtual_epochs: usize,
    /// While the temperature is at least this, only the weights train: 1.0 (as UniNAS sets it).
    pub grace_temperature: f64,
    /// The threshold times N, above 0 and below 1: 0.4 (as UniNAS sets it).
    pub threshold_factor: f64,
    /// The N of the threshold.
    pub threshold_base: ThresholdBase,
    /// How a node comes to its two inputs.
    pub edge_rule: EdgeRule,
    /// When weights are held against the threshold.
    pub check: Check,
    /// How the temperature falls.
    pub granularity: Granularity,
}

impl Default for AnnealConfig {
    fn default() -> Self {
        Self {
            initial_temperature: 1.6,
            decay: 0.95,
            virtual_epochs: 50,
            grace_temperature: 1.0,
            threshold_factor: 0.4,
            threshold_base: ThresholdBase::Initial,
            edge_rule: EdgeRule::Anneal,
            check: Check::Step,
            granularity: Granularity::Step,
        }
    }
}

impl AnnealConfig {
    /// These settings as parameters that need no further check.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first setting that is out of its range.
    pub fn checked(self) -> Result<AnnealParams> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let share = |value: f64| value > 0.0 && value < 1.0;
        let rules: [(&'static str, &'static str, bool, String); 6] = [
            (
                "initial_temperature",
                "a number above 0",
                positive(self.initial_temperature),
                self.initial_temperature.to_string(),
            ),
            (
                "decay",
                "a number above 0 and below 1",
                share(self.decay),
                self.decay.to_string(),
            ),
            (
                "virtual_epochs",
                "at least 1, and a last temperature above 1e-9",
                self.virtual_epochs > 0 && self.last_temperature() > 1e-9,
                self.virtual_epochs.to_string(),
            ),
            (
                "grace_temperature",
                "a number above 0",
                positive(self.grace_temperature),
                self.grace_temperature.to_string(),
            ),
            (
                "threshold_factor",
                "a number above 0 and below 1",
                share(self.threshold_factor),
                self.threshold_factor.to_string(),
            ),
            (
                "granularity",
                "at least 1 epoch",
                self.granularity != Granularity::Epoch { epochs: 0 },
                "0 epochs".to_owned(),
            ),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((setting, expected, _, found)) => Err(Error::Setting {
                setting,
                expected,
                found,
            }),
            None => Ok(AnnealParams(self)),
        }
    }

    fn last_temperature(&self) -> f64 {
        self.initial_temperature * self.decay.powf(self.virtual_epochs as f64)
    }
}

/// Settings that have been checked: every schedule and threshold is a pure function of them.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnealParams(AnnealConfig);

impl AnnealParams {
    /// The settings as they were written.
    #[must_use]
    pub fn config(&self) -> &AnnealConfig {
        &self.0
    }
}

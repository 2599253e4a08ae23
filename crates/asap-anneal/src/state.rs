//! An annealer as it is saved in a checkpoint.

use asap_genotype::{OpSet, Topology};
use serde::{Deserialize, Serialize};

use crate::annealer::{Annealer, check_finite};
use crate::config::AnnealConfig;
use crate::error::{Error, Result};
use crate::layout::parameter_count;
use crate::ledger::{LedgerLine, replay};

/// Everything an [`Annealer`] holds: written and read back it goes on with the same bits.
///
/// A JSON writer and reader must keep every f64, as `serde_json` does with its feature `float_roundtrip`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnnealerState {
    config: AnnealConfig,
    op_set: OpSet,
    topology: Topology,
    parameters: Vec<f64>,
    start: Vec<f64>,
    path: Vec<f64>,
    alpha_steps: usize,
    checked_epoch: Option<usize>,
    ledger: Vec<LedgerLine>,
}

impl Annealer {
    /// A copy of everything this annealer holds.
    #[must_use]
    pub fn state(&self) -> AnnealerState {
        AnnealerState {
            config: self.params.config().clone(),
            op_set: self.op_set.clone(),
            topology: self.topology.clone(),
            parameters: self.parameters.clone(),
            start: self.start.clone(),
            path: self.path.clone(),
            alpha_steps: self.alpha_steps,
            checked_epoch: self.checked_epoch,
            ledger: self.ledger.clone(),
        }
    }

    /// The annealer that was saved.
    ///
    /// # Errors
    /// When the state contradicts itself: a setting out of range, numbers missing or not finite, or a
    /// ledger that does not replay to the topology.
    pub fn from_state(state: AnnealerState) -> Result<Self> {
        let params = state.config.checked()?;
        if replay(&state.op_set, &state.ledger)? != state.topology {
            return Err(Error::State {
                expected: "the topology that its ledger replays to".to_owned(),
                found: format!("{} operations alive", state.topology.operations_alive()),
            });
        }
        let expected = parameter_count(&state.topology, params.config().edge_rule);
        for (name, list) in [
            ("parameters", &state.parameters),
            ("start", &state.start),
            ("path", &state.path),
        ] {
            if list.len() != expected {
                return Err(Error::State {
                    expected: format!("{expected} numbers in `{name}`"),
                    found: list.len().to_string(),
                });
            }
            check_finite(list)?;
        }
        Ok(Self {
            params,
            op_set: state.op_set,
            topology: state.topology,
            parameters: state.parameters,
            start: state.start,
            path: state.path,
            alpha_steps: state.alpha_steps,
            checked_epoch: state.checked_epoch,
            ledger: state.ledger,
        })
    }
}

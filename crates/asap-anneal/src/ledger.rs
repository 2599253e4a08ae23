//! The ledger: one line for every removal, from which the topology can be built again.

use asap_genotype::{CellKind, Edge, OpSet, Operation, Topology};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Where a search stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Step of the whole search, from 0.
    pub step: usize,
}

/// Which rule removed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// An operation's weight fell under the threshold.
    Threshold,
    /// A rule about edges: the edge's weight fell under its threshold, or `none` is all that was left
    /// of it; or `none` may not win, because this is the node's last edge.
    Edge,
    /// The search ended before annealing had decided.
    Forced,
}

/// One removal: a decision of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerLine {
    /// Epoch of the removal, from 0.
    pub epoch: usize,
    /// Step of the whole search, from 0.
    pub step: usize,
    /// The kind of cell.
    pub cell: CellKind,
    /// The edge.
    pub edge: Edge,
    /// The operation removed; `null` when the edge went with all its operations.
    pub operation: Option<Operation>,
    /// Which rule removed it.
    pub reason: Reason,
    /// Whether the end of the search forced it.
    pub forced: bool,
    /// Its weight right before: the operation's `phi` on its edge, or the edge's weight.
    pub phi: f64,
    /// The threshold that this weight was held against.
    pub threshold: f64,
    /// The temperature.
    pub temperature: f64,
    /// How far the rival leads: rival's alpha (or edge logit) minus the removed one's. Under the edge rule
    /// first-decided, the difference of the two edges' leads.
    pub alpha_gap: f64,
    /// The best operation that stays on the edge; `none` when the edge goes because `none` won it.
    pub rival: Option<Operation>,
    /// When a node's edges competed: the weakest edge that would stay if the search ended here.
    pub rival_edge: Option<Edge>,
    /// How far `alpha_gap` has moved since the start of the search.
    pub net_displacement: f64,
    /// The lengths of the paths that the two alphas took, added up: `|net_displacement|` at least.
    pub path_length: f64,
    /// Alpha steps so far.
    pub alpha_steps: usize,
}

/// A gap that has moved less than this many times what one step moves it, times the root of the steps, is noise.
const NOISE_SPAN: f64 = 4.0;

impl LedgerLine {
    /// Whether noise alone would explain this removal (ours).
    ///
    /// After `n` steps of a random walk the two alphas are about `path_length / sqrt(n)` apart, because
    /// `path_length / n` is what one step moves them; a steady gradient takes the gap all of
    /// `path_length`. Noise is taken to explain a gap that has moved at most 4 times the former: with the
    /// momentum of Adam (`beta1 = 0.5`) that is about two standard deviations where the alphas walk in
    /// opposite directions, which two last rivals do.
    #[must_use]
    pub fn explained_by_noise(&self) -> bool {
        let walked = self.path_length / (self.alpha_steps.max(1) as f64).sqrt();
        self.net_displacement <= NOISE_SPAN * walked
    }
}

/// How many decisions a ledger holds: one per line, so an edge that goes with all its operations is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decisions {
    /// All lines.
    pub decisions: usize,
    /// Lines that the end of the search forced.
    pub forced: usize,
    /// Lines that annealing decided but noise alone would explain, see [`LedgerLine::explained_by_noise`].
    pub explained_by_noise: usize,
}

impl Decisions {
    /// Counts the lines of a ledger.
    #[must_use]
    pub fn count(ledger: &[LedgerLine]) -> Self {
        let count =
            |holds: fn(&LedgerLine) -> bool| ledger.iter().filter(|line| holds(line)).count();
        Self {
            decisions: ledger.len(),
            forced: count(|line| line.forced),
            explained_by_noise: count(|line| !line.forced && line.explained_by_noise()),
        }
    }
}

/// The topology that is left of a full one when every line of the ledger has removed what it names.
///
/// # Errors
/// [`Error::Ledger`] at the first line that removes what is not alive.
pub fn replay(op_set: &OpSet, ledger: &[LedgerLine]) -> Result<Topology> {
    let mut topology = Topology::full(op_set);
    for (index, line) in ledger.iter().enumerate() {
        apply(&mut topology, line).map_err(|source| Error::Ledger {
            line: index + 1,
            source,
        })?;
    }
    Ok(topology)
}

/// Removes from the topology what one line names.
pub(crate) fn apply(topology: &mut Topology, line: &LedgerLine) -> asap_genotype::Result<()> {
    let cell = topology.cell_mut(line.cell);
    match line.operation {
        Some(operation) => cell.remove_operation(line.edge, operation),
        None => cell.remove_edge(line.edge),
    }
}

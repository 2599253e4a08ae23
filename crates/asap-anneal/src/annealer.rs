//! The annealer: the alphas and edge logits of a search, what is still alive, and the ledger of what is not.

use asap_genotype::{CellKind, Edge, Genotype, OpSet, Topology};

use crate::config::{AnnealConfig, AnnealParams, EdgeRule};
use crate::error::{Error, Result};
use crate::layout::{Span, parameter_count, spans};
use crate::ledger::LedgerLine;
use crate::random::Normals;

/// Alphas start as this times a standard normal number (as UniNAS sets it).
const ALPHA_SPREAD: f64 = 1e-3;

/// What anneals: one alpha per operation alive and, under the edge rule `anneal`, one logit per edge alive.
///
/// It knows nothing of how losses come about. A search asks it for op weights, hands it the gradient of
/// the loss in them, moves the parameters with an optimizer of its own, and lets it prune.
#[derive(Debug, Clone, PartialEq)]
pub struct Annealer {
    pub(crate) params: AnnealParams,
    pub(crate) op_set: OpSet,
    pub(crate) topology: Topology,
    /// Alphas, then edge logits: see `layout`.
    pub(crate) parameters: Vec<f64>,
    /// What every parameter was at the start.
    pub(crate) start: Vec<f64>,
    /// The length of the path that every parameter took since.
    pub(crate) path: Vec<f64>,
    pub(crate) alpha_steps: usize,
    /// The epoch in which weights were last held against the threshold.
    pub(crate) checked_epoch: Option<usize>,
    pub(crate) ledger: Vec<LedgerLine>,
}

impl Annealer {
    /// An annealer with everything alive: alphas at 1e-3 times a normal number drawn from the seed, edge logits at 0.
    ///
    /// # Errors
    /// [`Error::Setting`] when a setting is out of its range.
    pub fn new(config: AnnealConfig, op_set: &OpSet, seed: u64) -> Result<Self> {
        let params = config.checked()?;
        let topology = Topology::full(op_set);
        let mut normals = Normals::new(seed);
        let mut parameters = vec![0.0; parameter_count(&topology, params.config().edge_rule)];
        for alpha in &mut parameters[..topology.operations_alive()] {
            *alpha = ALPHA_SPREAD * normals.sample();
        }
        Ok(Self {
            params,
            op_set: op_set.clone(),
            topology,
            start: parameters.clone(),
            path: vec![0.0; parameters.len()],
            parameters,
            alpha_steps: 0,
            checked_epoch: None,
            ledger: Vec::new(),
        })
    }

    /// The settings, with their schedules.
    #[must_use]
    pub fn params(&self) -> &AnnealParams {
        &self.params
    }

    /// The operations that the search chooses from.
    #[must_use]
    pub fn op_set(&self) -> &OpSet {
        &self.op_set
    }

    /// What is alive.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The temperature after a share of the plan, see [`AnnealParams::temperature`].
    #[must_use]
    pub fn temperature(&self, progress: f64) -> f64 {
        self.params.temperature(progress)
    }

    /// Whether only the weights train at this temperature.
    #[must_use]
    pub fn in_grace(&self, temperature: f64) -> bool {
        self.params.in_grace(temperature)
    }

    /// The parameters: the alphas of every living edge (normal before reduction, edges in order,
    /// operations in the order alive), then, under the edge rule `anneal`, the logits of the edges.
    #[must_use]
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    /// Takes the parameters as an optimizer moved them: one alpha step.
    ///
    /// # Errors
    /// When there are more or fewer than [`Annealer::parameters`] has, or one is not a finite number;
    /// nothing changes then.
    pub fn set_parameters(&mut self, parameters: &[f64]) -> Result<()> {
        let (expected, found) = (self.parameters.len(), parameters.len());
        if expected != found {
            return Err(Error::ParameterCount { expected, found });
        }
        check_finite(parameters)?;
        for ((path, old), new) in self.path.iter_mut().zip(&self.parameters).zip(parameters) {
            *path += (new - old).abs();
        }
        self.parameters.copy_from_slice(parameters);
        self.alpha_steps += 1;
        Ok(())
    }

    /// How often the parameters have been moved.
    #[must_use]
    pub fn alpha_steps(&self) -> usize {
        self.alpha_steps
    }

    /// The alphas of an edge, in the order of the operations alive; empty where the edge is removed.
    #[must_use]
    pub fn alphas(&self, kind: CellKind, edge: Edge) -> &[f64] {
        let span = self
            .spans_of(kind)
            .into_iter()
            .find(|span| span.edge == edge);
        span.map_or(&[], |span| &self.parameters[span.alphas])
    }

    /// Whether annealing has nothing left to decide: one operation on every edge and two edges into every
    /// node (fewer only where `none` won). Under the edge rule `first-decided` the cut to two edges is
    /// forced, so there only the operations count. Either way [`Annealer::force`] then makes it discrete.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match self.params.config().edge_rule {
            EdgeRule::Anneal => self.topology.is_discrete(),
            EdgeRule::FirstDecided => {
                self.topology.operations_alive() == self.topology.edges_alive()
            }
        }
    }

    /// Every removal so far.
    #[must_use]
    pub fn ledger(&self) -> &[LedgerLine] {
        &self.ledger
    }

    /// The genotype that the search has come to.
    ///
    /// # Errors
    /// While something is open; the message lists it.
    pub fn genotype(&self) -> Result<Genotype> {
        Ok(self.topology.to_genotype(&self.op_set)?)
    }

    /// Where the living edges of one kind of cell have their parameters.
    pub(crate) fn spans_of(&self, kind: CellKind) -> Vec<Span> {
        let mut spans = spans(&self.topology, self.params.config().edge_rule);
        spans.retain(|span| span.kind == kind);
        spans
    }
}

/// # Errors
/// Names the first value that is not finite.
pub(crate) fn check_finite(values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(position) => Err(Error::NotFinite {
            position,
            found: values[position],
        }),
        None => Ok(()),
    }
}

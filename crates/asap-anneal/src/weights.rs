//! From parameters to op weights, and from the gradient in these back to the parameters.
//!
//! An operation weighs `w_e * phi_o`. With `g_o` the gradient of the loss in that, the gradient in `phi_o`
//! is `w_e * g_o` and in `w_e` the sum of `phi_o * g_o`; the two normalisations carry them on.

use asap_genotype::{CellKind, EDGES, INPUT_NODES, NODES, OpWeights};

use crate::annealer::Annealer;
use crate::edge_weights::{edge_weights, logit_gradient};
use crate::layout::{Span, into_node};
use crate::operation_weights::{alpha_gradient, operation_weights};

impl Annealer {
    /// The weight of every operation alive: its edge's weight times its `phi` on the edge.
    #[must_use]
    pub fn op_weights(&self, temperature: f64) -> OpWeights {
        let mut weights = OpWeights::zeros(&self.topology);
        for kind in CellKind::ALL {
            let edges = self.edge_weights(kind, temperature);
            for span in self.spans_of(kind) {
                let mut phi = operation_weights(&self.parameters[span.alphas], temperature);
                phi.iter_mut()
                    .for_each(|phi| *phi *= edges[span.edge.index()]);
                weights.cell_mut(kind)[span.edge.index()] = phi;
            }
        }
        weights
    }

    /// The weight of every edge of a cell, by edge index; 0 where an edge is removed.
    #[must_use]
    pub fn edge_weights(&self, kind: CellKind, temperature: f64) -> [f64; EDGES] {
        let mut weights = [0.0; EDGES];
        let spans = self.spans_of(kind);
        for node in INPUT_NODES..NODES {
            let into = into_node(&spans, node);
            for (span, weight) in into.iter().zip(self.weights_into(into, temperature)) {
                weights[span.edge.index()] = weight;
            }
        }
        weights
    }

    /// The gradient of the loss in the parameters, from its gradient in the op weights at the same
    /// temperature; in the order of [`Annealer::parameters`].
    ///
    /// # Panics
    /// When `op_weight_gradients` does not match the topology.
    #[must_use]
    pub fn gradient(&self, temperature: f64, op_weight_gradients: &OpWeights) -> Vec<f64> {
        assert!(
            op_weight_gradients.matches(&self.topology),
            "gradients of op weights belong to another topology than the annealer's"
        );
        let mut gradient = vec![0.0; self.parameters.len()];
        for kind in CellKind::ALL {
            let spans = self.spans_of(kind);
            for node in INPUT_NODES..NODES {
                let into = into_node(&spans, node);
                let weights = self.weights_into(into, temperature);
                let mut in_edges = Vec::with_capacity(into.len());
                for (span, weight) in into.iter().zip(weights) {
                    let phi = operation_weights(&self.parameters[span.alphas.clone()], temperature);
                    let in_weights = op_weight_gradients.edge(kind, span.edge);
                    in_edges.push(phi.iter().zip(in_weights).map(|(phi, d)| phi * d).sum());
                    let in_phi: Vec<f64> = in_weights.iter().map(|d| weight * d).collect();
                    gradient[span.alphas.clone()].copy_from_slice(&alpha_gradient(
                        &phi,
                        &in_phi,
                        temperature,
                    ));
                }
                if let Some(logits) = self.logits_into(into) {
                    let in_logits = logit_gradient(&logits, &in_edges, temperature);
                    for (span, d) in into.iter().zip(in_logits) {
                        if let Some(logit) = span.logit {
                            gradient[logit] = d;
                        }
                    }
                }
            }
        }
        gradient
    }

    /// The weights of the living edges into a node.
    pub(crate) fn weights_into(&self, into: &[Span], temperature: f64) -> Vec<f64> {
        match self.logits_into(into) {
            Some(logits) => edge_weights(&logits, temperature),
            None => vec![1.0; into.len()],
        }
    }

    /// The logits of the living edges into a node, where edges anneal.
    pub(crate) fn logits_into(&self, into: &[Span]) -> Option<Vec<f64>> {
        into.iter()
            .map(|span| span.logit.map(|logit| self.parameters[logit]))
            .collect()
    }
}

//! Nodes: the weighted sum of their terms, and the sums that their gradients give.

use super::Lowering;
use super::places::value_bytes;
use crate::device::abi;
use crate::plan::{Node, NodeTerm};

impl Lowering<'_> {
    pub(super) fn node(&mut self, index: usize) {
        let node = &self.plan.nodes[index];
        let channels = node.size.channels;
        let terms = node.terms.iter().map(|term| {
            let view = self.view(term.y);
            abi::Term {
                factor: self.op_weight(term.weight),
                ..self.term_of(term, view.y, view.a, view.b)
            }
        });
        let terms: Vec<_> = terms.collect();
        let half = terms
            .iter()
            .filter(|term| value_bytes(&term.y) < 4.0)
            .count();
        let job = abi::Mix {
            terms: self.tables.push(&terms),
            out: self.tensor(node.value),
            count: terms.len() as u32,
            add: 0,
            pixels: node.size.pixels() as u32,
            channels: channels as u32,
        };
        self.mix(&[job], node.size, half);
    }

    pub(super) fn node_sums(&mut self, node: &Node) {
        let read: Vec<&NodeTerm> = node.terms.iter().filter(|t| self.is_summed(t)).collect();
        let terms: Vec<abi::Term> = read
            .iter()
            .map(|term| self.term_of(term, self.tensor(term.y.place), 0, 0))
            .collect();
        let sums = self.products(node.size, self.tensor(node.gradient), &terms);
        self.sums.insert(node.sum, sums[0]);
        for (i, term) in read.iter().enumerate() {
            if let Some(path) = term.drop_path {
                self.sums.insert(path.sum, sums[1 + 2 * i]);
            }
            self.sums.insert(term.products, sums[2 + 2 * i]);
        }
    }

    /// Whether somebody reads the sums of a term.
    fn is_summed(&self, term: &NodeTerm) -> bool {
        term.normalised || self.goal.op_weights()
    }

    /// What a term hands back, as far as it is a matter of sums.
    pub(super) fn contribution(&self, node: &Node, term: &NodeTerm) -> abi::Contribution {
        let sums = |at: usize| self.sums.get(&at).copied().unwrap_or_default();
        if !self.is_summed(term) {
            // That it may be lost is still to be seen: no parts, but a place.
            let kept = abi::Sums {
                at: term.drop_path.map_or(0, |_| self.bases.sums),
                ..Default::default()
            };
            return abi::Contribution {
                kept,
                ..Default::default()
            };
        }
        abi::Contribution {
            sum: sums(node.sum),
            kept: term
                .drop_path
                .map_or_else(Default::default, |path| sums(path.sum)),
            product: sums(term.products),
            op_weight: self.op_weight(term.weight),
            ..Default::default()
        }
    }

    pub(super) fn node_coefficients(&mut self, node: &Node) {
        for term in &node.terms {
            let channels = node.size.channels as u32;
            let mut contribution = self.contribution(node, term);
            contribution.op_weight = self.op_weight(term.weight);
            let mut norm = self.forward_norm(term.y.norm);
            let back = self.vector(term.back_vector);
            if self.goal.op_weights() {
                contribution.op_weight_gradient =
                    self.bases.op_weight_gradients + 8 * term.weight as u64;
            }
            // A skip is read through its source's normalisation, but hands its gradient to what comes out of it.
            let through = term.normalised || norm.a == 0;
            if through {
                contribution.back = back;
            } else {
                let plain = abi::Contribution {
                    op_weight: contribution.op_weight,
                    kept: contribution.kept,
                    back,
                    ..Default::default()
                };
                let contributions = self.tables.push(&[plain]);
                self.norms_back.push(abi::NormBackward {
                    norm: abi::Norm::default(),
                    contributions,
                    count: 1,
                    channels,
                });
            }
            if let (Some(index), true) = (term.y.norm, term.normalised && !term.shared) {
                norm = self.whole_norm(index);
            }
            if through || contribution.op_weight_gradient != 0 {
                let contributions = self.tables.push(&[contribution]);
                self.norms_back.push(abi::NormBackward {
                    norm,
                    contributions,
                    count: 1,
                    channels,
                });
            }
        }
    }
}

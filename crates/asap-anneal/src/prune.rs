//! Pruning: what falls under its threshold is removed, and at the end what is still open is forced.
//!
//! Both are one loop over one question, "what goes next in this node?", which answers with the ledger
//! line of a single removal. Weights are computed anew after every removal, so each one is judged among
//! the survivors, the weakest first, and when the loop ends nothing is left under a threshold.

use asap_genotype::{CellKind, INPUT_NODES, NODES};

use crate::annealer::Annealer;
use crate::config::Check;
use crate::ledger::{LedgerLine, Moment, apply};
use crate::removal::Sweep;

/// What one call removed.
#[derive(Debug, Clone, PartialEq)]
pub struct Pruned {
    /// The new lines of the ledger, in the order of the removals.
    pub removals: Vec<LedgerLine>,
    /// For each parameter that is left, its index before the call: what an optimizer keeps per parameter
    /// is compacted with it.
    pub kept: Vec<usize>,
}

impl Annealer {
    /// Removes every operation and edge whose weight is under its threshold. Nothing happens in grace,
    /// nor, with [`Check::Epoch`], at a further call in the same epoch.
    ///
    /// Within a node edges come before operations, the weakest first, and weights are computed anew
    /// after each removal; so a second call at the same temperature removes nothing. No removal makes
    /// another weight jump by more than the threshold, with two exceptions that only an op set with
    /// `none` knows: an edge that `none` has won is removed at once with the weight it has, and `none`
    /// is removed from the last edge of a node, since a node without inputs would cut the network (ours).
    pub fn prune(&mut self, at: Moment, temperature: f64) -> Pruned {
        let checked =
            self.params.config().check == Check::Epoch && self.checked_epoch == Some(at.epoch);
        if checked || self.in_grace(temperature) {
            return Pruned {
                removals: Vec::new(),
                kept: (0..self.parameters.len()).collect(),
            };
        }
        self.checked_epoch = Some(at.epoch);
        self.sweep(Sweep {
            at,
            temperature,
            forced: false,
        })
    }

    /// Decides what is still open by the largest weight, and returns the ledger lines of these forced
    /// decisions: none when annealing had decided everything. The topology is discrete afterwards.
    ///
    /// Edges come before operations; what goes, goes weakest first.
    pub fn force(&mut self, at: Moment, temperature: f64) -> Vec<LedgerLine> {
        self.sweep(Sweep {
            at,
            temperature,
            forced: true,
        })
        .removals
    }

    fn sweep(&mut self, sweep: Sweep) -> Pruned {
        let first = self.ledger.len();
        let mut kept: Vec<usize> = (0..self.parameters.len()).collect();
        for kind in CellKind::ALL {
            for node in INPUT_NODES..NODES {
                while let Some(line) = self.next_removal(kind, node, sweep) {
                    self.remove(line, &mut kept);
                }
            }
        }
        Pruned {
            removals: self.ledger[first..].to_vec(),
            kept,
        }
    }

    /// Writes the line and removes what it names, with its parameters.
    fn remove(&mut self, line: LedgerLine, kept: &mut Vec<usize>) {
        let spans = self.spans_of(line.cell);
        let alive = self.topology.cell(line.cell).alive(line.edge);
        let mut gone: Vec<usize> = Vec::new();
        for span in spans.into_iter().filter(|span| span.edge == line.edge) {
            match line.operation {
                Some(removed) => gone.extend(
                    span.alphas
                        .zip(alive)
                        .filter(|(_, one)| **one == removed)
                        .map(|(index, _)| index),
                ),
                None => gone.extend(span.alphas.chain(span.logit)),
            }
        }
        for list in [&mut self.parameters, &mut self.start, &mut self.path] {
            drop_at(list, &gone);
        }
        drop_at(kept, &gone);
        apply(&mut self.topology, &line).expect("a new line names what is alive");
        self.ledger.push(line);
    }
}

fn drop_at<T>(list: &mut Vec<T>, gone: &[usize]) {
    let mut index = 0..;
    list.retain(|_| index.next().is_some_and(|index| !gone.contains(&index)));
}

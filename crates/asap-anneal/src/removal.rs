//! What goes next in a node, and why: the line of the ledger, written before anything is removed.

use asap_genotype::{CellKind, Operation};

use crate::annealer::Annealer;
use crate::config::EdgeRule;
use crate::edge_weights::EDGES_KEPT;
use crate::layout::{Span, into_node};
use crate::ledger::{LedgerLine, Moment, Reason};
use crate::operation_weights::operation_weights;

/// When, how hot, and whether the end of the search forces what is open.
#[derive(Clone, Copy)]
pub(crate) struct Sweep {
    pub(crate) at: Moment,
    pub(crate) temperature: f64,
    pub(crate) forced: bool,
}

/// What edges of a node are ranked by, and how it came about since the start.
#[derive(Clone, Copy, Default)]
struct Strength {
    value: f64,
    net_displacement: f64,
    path_length: f64,
}

impl Annealer {
    /// The next removal among the edges into a node and their operations, if there is one.
    pub(crate) fn next_removal(
        &self,
        kind: CellKind,
        node: usize,
        sweep: Sweep,
    ) -> Option<LedgerLine> {
        let spans = self.spans_of(kind);
        let into = into_node(&spans, node);
        self.edge_won_by_none(into, sweep)
            .or_else(|| self.weakest_edge(into, sweep))
            .or_else(|| self.none_on_last_edge(into, sweep))
            .or_else(|| {
                into.iter()
                    .find_map(|span| self.weakest_operation(span, sweep))
            })
    }

    /// An edge on which only `none` is left is an edge removed, unless it is the node's last.
    fn edge_won_by_none(&self, into: &[Span], sweep: Sweep) -> Option<LedgerLine> {
        let won = into
            .iter()
            .position(|span| self.alive(span) == [Operation::None])?;
        if into.len() == 1 {
            return None;
        }
        let span = &into[won];
        let lead = self.lead(span);
        Some(LedgerLine {
            phi: self.weights_into(into, sweep.temperature)[won],
            threshold: self.params.edge_threshold(span.edge.to()),
            alpha_gap: lead.value,
            rival: Some(Operation::None),
            net_displacement: lead.net_displacement,
            path_length: lead.path_length,
            ..self.blank_line(span, Reason::Edge, sweep)
        })
    }

    /// The weakest edge, while more than two live: under the edge rule `anneal` once its weight is under
    /// the threshold; under `first-decided` only when the end forces it.
    fn weakest_edge(&self, into: &[Span], sweep: Sweep) -> Option<LedgerLine> {
        if into.len() <= EDGES_KEPT {
            return None;
        }
        let strengths: Vec<Strength> = into.iter().map(|span| self.strength(span)).collect();
        let values: Vec<f64> = strengths.iter().map(|strength| strength.value).collect();
        let order = ascending(&values);
        let (weakest, rival) = (order[0], order[into.len() - EDGES_KEPT]);
        let span = &into[weakest];
        let phi = self.weights_into(into, sweep.temperature)[weakest];
        // A node starts with an edge from every node before it: as many as its own number.
        let threshold = self.params.edge_threshold(span.edge.to());
        let anneals = self.params.config().edge_rule == EdgeRule::Anneal;
        if !(sweep.forced || anneals && phi < threshold) {
            return None;
        }
        let (leads, trails) = (strengths[rival], strengths[weakest]);
        Some(LedgerLine {
            phi,
            threshold,
            alpha_gap: leads.value - trails.value,
            rival_edge: Some(into[rival].edge),
            net_displacement: leads.net_displacement - trails.net_displacement,
            path_length: leads.path_length + trails.path_length,
            ..self.blank_line(span, Reason::Edge, sweep)
        })
    }

    /// `none` cannot win the last edge of a node.
    fn none_on_last_edge(&self, into: &[Span], sweep: Sweep) -> Option<LedgerLine> {
        let [span] = into else { return None };
        let position = self
            .alive(span)
            .iter()
            .position(|one| *one == Operation::None)?;
        self.line_for_operation(span, position, Reason::Edge, sweep)
    }

    /// The weakest operation of an edge, if its weight is under the threshold or the end forces it.
    fn weakest_operation(&self, span: &Span, sweep: Sweep) -> Option<LedgerLine> {
        let weakest = ascending(&self.parameters[span.alphas.clone()])[0];
        let line = self.line_for_operation(span, weakest, Reason::Threshold, sweep)?;
        (sweep.forced || line.phi < line.threshold).then_some(line)
    }

    /// The line that removes the operation at a position of its edge; nothing when it is the last.
    fn line_for_operation(
        &self,
        span: &Span,
        position: usize,
        reason: Reason,
        sweep: Sweep,
    ) -> Option<LedgerLine> {
        let alive = self.alive(span);
        let alphas = &self.parameters[span.alphas.clone()];
        let rival = ascending(alphas)
            .into_iter()
            .rev()
            .find(|other| *other != position)?;
        let gap = self.gap(span.alphas.start + rival, span.alphas.start + position);
        Some(LedgerLine {
            operation: Some(alive[position]),
            phi: operation_weights(alphas, sweep.temperature)[position],
            threshold: self
                .params
                .operation_threshold(self.op_set.len(), alive.len()),
            alpha_gap: gap.value,
            rival: Some(alive[rival]),
            net_displacement: gap.net_displacement,
            path_length: gap.path_length,
            ..self.blank_line(span, reason, sweep)
        })
    }

    /// What an edge is ranked by: its logit where edges anneal, else its best operation's lead.
    fn strength(&self, span: &Span) -> Strength {
        match span.logit {
            Some(logit) => Strength {
                value: self.parameters[logit],
                net_displacement: self.parameters[logit] - self.start[logit],
                path_length: self.path[logit],
            },
            None => self.lead(span),
        }
    }

    /// How far an edge's best operation leads, or led when its runner-up was removed.
    fn lead(&self, span: &Span) -> Strength {
        let first = span.alphas.start;
        match ascending(&self.parameters[span.alphas.clone()])[..] {
            [.., runner_up, best] if self.alive(span)[best] == Operation::None => {
                // Seen from the best operation that passes anything, an edge that `none` leads is behind.
                self.gap(first + runner_up, first + best)
            }
            [.., runner_up, best] => self.gap(first + best, first + runner_up),
            _ => self.decided_lead(span),
        }
    }

    /// The lead that an edge with one operation was decided by: the last line about it says so.
    fn decided_lead(&self, span: &Span) -> Strength {
        let mut lines = self.ledger.iter().rev();
        let last = lines.find(|line| line.cell == span.kind && line.edge == span.edge);
        last.map_or(Strength::default(), |line| Strength {
            value: line.alpha_gap,
            net_displacement: line.net_displacement,
            path_length: line.path_length,
        })
    }

    /// How far one parameter is ahead of another, how that moved since the start, and along what path.
    fn gap(&self, ahead: usize, behind: usize) -> Strength {
        let net = |index: usize| self.parameters[index] - self.start[index];
        Strength {
            value: self.parameters[ahead] - self.parameters[behind],
            net_displacement: net(ahead) - net(behind),
            path_length: self.path[ahead] + self.path[behind],
        }
    }

    fn alive(&self, span: &Span) -> &[Operation] {
        self.topology.cell(span.kind).alive(span.edge)
    }

    /// What all lines of a sweep have in common; the rest is still to be filled in.
    fn blank_line(&self, span: &Span, reason: Reason, sweep: Sweep) -> LedgerLine {
        LedgerLine {
            epoch: sweep.at.epoch,
            step: sweep.at.step,
            cell: span.kind,
            edge: span.edge,
            operation: None,
            reason: if sweep.forced { Reason::Forced } else { reason },
            forced: sweep.forced,
            phi: 0.0,
            threshold: 0.0,
            temperature: sweep.temperature,
            alpha_gap: 0.0,
            rival: None,
            rival_edge: None,
            net_displacement: 0.0,
            path_length: 0.0,
            alpha_steps: self.alpha_steps,
        }
    }
}

/// Positions from the smallest value to the largest; the earlier of two equal ones comes first.
fn ascending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    order
}

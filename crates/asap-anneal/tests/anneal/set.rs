//! Annealers whose alphas and edge logits are set by hand.

use asap_anneal::{AnnealConfig, Annealer, EdgeRule, Moment};
use asap_genotype::{CellKind, Edge, OpSet, Operation};

pub(crate) const AT: Moment = Moment {
    epoch: 20,
    step: 700,
};
pub(crate) const NORMAL: CellKind = CellKind::Normal;

pub(crate) fn edge(from: usize, to: usize) -> Edge {
    Edge::new(from, to).unwrap()
}

pub(crate) fn annealer(config: AnnealConfig) -> Annealer {
    Annealer::new(config, &OpSet::darts7(), 1).unwrap()
}

pub(crate) fn first_decided() -> AnnealConfig {
    AnnealConfig {
        edge_rule: EdgeRule::FirstDecided,
        ..AnnealConfig::default()
    }
}

/// All parameters at 0 but those given: alphas by edge and operation, in the normal cell.
pub(crate) fn set_alphas(annealer: &mut Annealer, given: &[(Edge, Operation, f64)]) {
    let mut parameters = vec![0.0; annealer.parameters().len()];
    let mut index = 0;
    for (edge, alive) in annealer.topology().normal.edges() {
        for operation in alive {
            let wanted = given
                .iter()
                .find(|(at, of, _)| *at == edge && of == operation);
            parameters[index] = wanted.map_or(0.0, |(_, _, alpha)| *alpha);
            index += 1;
        }
    }
    annealer.set_parameters(&parameters).unwrap();
}

/// All parameters at 0 but the logits given, of edges of the normal cell.
pub(crate) fn set_logits(annealer: &mut Annealer, given: &[(Edge, f64)]) {
    let mut parameters = vec![0.0; annealer.parameters().len()];
    let alphas = annealer.topology().operations_alive();
    for (index, (edge, _)) in annealer.topology().normal.edges().enumerate() {
        let wanted = given.iter().find(|(at, _)| *at == edge);
        parameters[alphas + index] = wanted.map_or(0.0, |(_, logit)| *logit);
    }
    annealer.set_parameters(&parameters).unwrap();
}

//! A planned search played through in a moment: the annealer itself, moved by Adam over gradients that
//! are part steady and part noise.
//!
//! Noise enters in the op weights, as it does in a search, and passes the chain rule: the last two rivals
//! of an edge then move in opposite directions, and noise decides more than if it entered in the alphas.

use asap_genotype::{CellKind, EDGES, OpSet, OpWeights, Topology};

use crate::annealer::Annealer;
use crate::config::{AnnealConfig, Granularity};
use crate::error::Result;
use crate::ledger::{Decisions, Moment};
use crate::random::Normals;

/// A longer plan is played in this many steps, each standing for several: a search of 15,640 alpha steps
/// is then as quick to play as one of 400.
const MOST_STEPS: usize = 400;
/// Adam's decay of the squared gradient (as UniNAS sets it).
const SQUARE_DECAY: f64 = 0.999;
/// Adam's guard against dividing by 0, far below the gradients here, which are of order 0.1.
const ADAM_EPSILON: f64 = 1e-12;

/// How the alphas of a simulated search are moved.
pub(crate) struct Dynamics {
    pub(crate) alpha_steps: usize,
    pub(crate) learning_rate: f64,
    /// Standard deviation, among operations, of the steady part of the gradient in an op weight; that
    /// of the noise is 1.
    pub(crate) signal: f64,
}

/// How one simulated search ended.
pub(crate) struct Outcome {
    pub(crate) decisions: Decisions,
    /// The share of all edges that annealing brought down to one operation, before anything was forced.
    pub(crate) edges_decided: f64,
}

/// Plays one search.
///
/// One step here stands for `k` steps of the plan, so the mean of `k` gradients has noise of
/// `1 / sqrt(k)`. The chain rule is linear, so steady part and noise pass it apart; that way the
/// squared gradient of single steps, which Adam divides by, is known although only their mean is drawn.
/// Adam's momentum shifts a step by about one step and is left out.
pub(crate) fn simulate(
    config: &AnnealConfig,
    op_set: &OpSet,
    dynamics: &Dynamics,
    seed: u64,
) -> Result<Outcome> {
    let mut annealer = Annealer::new(config.clone(), op_set, seed)?;
    let mut normals = Normals::new(seed.wrapping_add(1));
    let mut steady = drawn(annealer.topology(), dynamics.signal, &mut normals);
    let mut squares = vec![0.0; annealer.parameters().len()];

    let steps = dynamics.alpha_steps.min(MOST_STEPS);
    let merged = dynamics.alpha_steps as f64 / steps.max(1) as f64;
    let square_decay = SQUARE_DECAY.powf(merged);
    let grace = annealer.params().grace_share();
    let epochs = match config.granularity {
        Granularity::Epoch { epochs } => epochs,
        Granularity::Step => config.virtual_epochs,
    };
    let mut temperature = annealer.temperature(1.0);
    for step in 0..steps {
        let progress = grace + (1.0 - grace) * (step + 1) as f64 / steps as f64;
        temperature = annealer.temperature(progress);
        let noise = drawn(annealer.topology(), merged.sqrt().recip(), &mut normals);
        let from_steady = annealer.gradient(temperature, &steady);
        let from_noise = annealer.gradient(temperature, &noise);
        // Early squares are an average over few steps, not over the decay's whole memory.
        let correction = 1.0 - square_decay.powi(step as i32 + 1);
        let mut parameters = annealer.parameters().to_vec();
        let through = squares.iter_mut().zip(from_steady.iter().zip(&from_noise));
        for (parameter, (square, (steady, noise))) in parameters.iter_mut().zip(through) {
            let single = steady * steady + merged * noise * noise;
            *square = square_decay * *square + (1.0 - square_decay) * single;
            let scale = (*square / correction).sqrt() + ADAM_EPSILON;
            *parameter -= dynamics.learning_rate * merged * (steady + noise) / scale;
        }
        annealer.set_parameters(&parameters)?;

        let before = annealer.topology().clone();
        let epoch = (progress * epochs as f64) as usize;
        let pruned = annealer.prune(Moment { epoch, step }, temperature);
        if !pruned.removals.is_empty() {
            squares = pruned.kept.iter().map(|index| squares[*index]).collect();
            steady = restricted(&steady, &before, annealer.topology());
            if annealer.is_finished() {
                break;
            }
        }
    }
    let edges = (CellKind::ALL.len() * EDGES) as f64;
    let decided = CellKind::ALL
        .into_iter()
        .flat_map(|kind| annealer.topology().cell(kind).edges());
    let edges_decided = decided.filter(|(_, alive)| alive.len() == 1).count() as f64 / edges;
    annealer.force(
        Moment {
            epoch: epochs,
            step: steps,
        },
        temperature,
    );
    Ok(Outcome {
        decisions: Decisions::count(annealer.ledger()),
        edges_decided,
    })
}

/// One normal number of the given spread for every operation alive.
fn drawn(topology: &Topology, spread: f64, normals: &mut Normals) -> OpWeights {
    let mut drawn = OpWeights::zeros(topology);
    for kind in CellKind::ALL {
        for number in drawn.cell_mut(kind).iter_mut().flatten() {
            *number = spread * normals.sample();
        }
    }
    drawn
}

/// The numbers of the operations that are still alive.
fn restricted(numbers: &OpWeights, before: &Topology, after: &Topology) -> OpWeights {
    let mut restricted = OpWeights::zeros(after);
    for kind in CellKind::ALL {
        for (edge, alive) in after.cell(kind).edges() {
            let old = before
                .cell(kind)
                .alive(edge)
                .iter()
                .zip(numbers.edge(kind, edge));
            restricted.cell_mut(kind)[edge.index()] = old
                .filter(|(one, _)| alive.contains(one))
                .map(|(_, number)| *number)
                .collect();
        }
    }
    restricted
}

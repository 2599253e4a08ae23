//! Searches without a network: annealers that are moved by seeded noise, or along a drift of their own.

use asap_anneal::{Annealer, Moment, Pruned};
use asap_genotype::{CellKind, OpWeights, Topology};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of numbers of roughly normal shape: mean 0, variance 1.
pub(crate) struct Noise(ChaCha8Rng);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn sample(&mut self) -> f64 {
        let uniform = |rng: &mut ChaCha8Rng| f64::from(rng.next_u32()) / f64::from(u32::MAX);
        (0..12).map(|_| uniform(&mut self.0)).sum::<f64>() - 6.0
    }

    /// One number per operation alive.
    pub(crate) fn op_weights(&mut self, topology: &Topology) -> OpWeights {
        let mut drawn = OpWeights::zeros(topology);
        for kind in CellKind::ALL {
            for number in drawn.cell_mut(kind).iter_mut().flatten() {
                *number = self.sample();
            }
        }
        drawn
    }
}

/// Adam with betas 0.5 and 0.999, as a search uses it, whose state shrinks with the parameters.
pub(crate) struct Adam {
    rate: f64,
    steps: i32,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Adam {
    pub(crate) fn new(rate: f64, parameters: usize) -> Self {
        Self {
            rate,
            steps: 0,
            mean: vec![0.0; parameters],
            square: vec![0.0; parameters],
        }
    }

    pub(crate) fn moved(&mut self, parameters: &[f64], gradient: &[f64]) -> Vec<f64> {
        self.steps += 1;
        let (first, second) = (
            1.0 - 0.5_f64.powi(self.steps),
            1.0 - 0.999_f64.powi(self.steps),
        );
        let mut moved = parameters.to_vec();
        for (index, gradient) in gradient.iter().enumerate() {
            self.mean[index] = 0.5 * self.mean[index] + 0.5 * gradient;
            self.square[index] = 0.999 * self.square[index] + 0.001 * gradient * gradient;
            let scale = (self.square[index] / second).sqrt() + 1e-12;
            moved[index] -= self.rate * self.mean[index] / first / scale;
        }
        moved
    }

    pub(crate) fn keep(&mut self, pruned: &Pruned) {
        self.mean = pruned.kept.iter().map(|index| self.mean[*index]).collect();
        self.square = pruned
            .kept
            .iter()
            .map(|index| self.square[*index])
            .collect();
    }
}

/// Runs the alpha steps after grace with Adam at the given travel; `gradient` is asked at every step.
pub(crate) fn search(
    annealer: &mut Annealer,
    alpha_steps: usize,
    travel: f64,
    mut gradient: impl FnMut(&Annealer, f64) -> Vec<f64>,
) {
    let grace = annealer.params().grace_share();
    let mut adam = Adam::new(travel / alpha_steps as f64, annealer.parameters().len());
    for step in 0..alpha_steps {
        let progress = grace + (1.0 - grace) * (step + 1) as f64 / alpha_steps as f64;
        let temperature = annealer.temperature(progress);
        let gradient = gradient(annealer, temperature);
        let moved = adam.moved(annealer.parameters(), &gradient);
        annealer.set_parameters(&moved).unwrap();
        let pruned = annealer.prune(Moment { epoch: 0, step }, temperature);
        if !pruned.removals.is_empty() {
            adam.keep(&pruned);
        }
    }
}

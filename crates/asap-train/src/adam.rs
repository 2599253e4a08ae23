//! Adam on the alphas, in f64, step by step as PyTorch's `Adam` does it with L2 decay.
//!
//! ```text
//! g <- g + weight_decay * a
//! m <- beta1 * m + (1 - beta1) * g         v <- beta2 * v + (1 - beta2) * g^2
//! a <- a - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + 1e-8)
//! ```
//!
//! (Kingma and Ba, arXiv:1412.6980.) When alphas are removed, their moments go with them and the
//! others keep theirs, as does the count of steps `t`.

use asap_space::{AlphaDescent, Alphas};
use serde::{Deserialize, Serialize};

/// Keeps the division finite where nothing has moved yet; PyTorch's default.
const EPSILON: f64 = 1e-8;

/// Settings of [`Adam`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// About how far an alpha moves in one step. As UniNAS sets it for 50 epochs: 3e-4.
    pub learning_rate: f64,
    /// Decay of the mean of gradients, from 0 to below 1. As UniNAS sets it: 0.5.
    pub beta1: f64,
    /// Decay of the mean of squared gradients, from 0 to below 1. As UniNAS sets it: 0.999.
    pub beta2: f64,
    /// Factor of the alphas that is added to their gradients (L2). As UniNAS sets it: 1e-3.
    pub weight_decay: f64,
}

/// The optimizer of the alphas: two moments for each of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    config: AdamConfig,
    steps: u32,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Adam {
    /// An optimizer at rest for `parameters` numbers.
    pub fn new(config: AdamConfig, parameters: usize) -> Self {
        Self {
            config,
            steps: 0,
            mean: vec![0.0; parameters],
            square: vec![0.0; parameters],
        }
    }

    /// How many parameters it moves.
    pub fn parameters(&self) -> usize {
        self.mean.len()
    }

    /// Moves `parameters` once against `gradients`, both as long as the optimizer was made for.
    pub fn step(&mut self, parameters: &mut [f64], gradients: &[f64]) {
        assert_eq!(
            parameters.len(),
            self.mean.len(),
            "moments for every parameter"
        );
        assert_eq!(
            gradients.len(),
            self.mean.len(),
            "a gradient for every parameter"
        );
        let AdamConfig {
            learning_rate,
            beta1,
            beta2,
            weight_decay,
        } = self.config;
        self.steps += 1;
        let mean_scale = 1.0 - beta1.powf(f64::from(self.steps));
        let square_scale = (1.0 - beta2.powf(f64::from(self.steps))).sqrt();
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((parameter, &gradient), (mean, square)) in
            parameters.iter_mut().zip(gradients).zip(moments)
        {
            let gradient = gradient + weight_decay * *parameter;
            *mean = beta1 * *mean + (1.0 - beta1) * gradient;
            *square = beta2 * *square + (1.0 - beta2) * gradient * gradient;
            let size = square.sqrt() / square_scale + EPSILON;
            *parameter -= learning_rate / mean_scale * *mean / size;
        }
    }

    /// The step that comes next, for a device that takes it, at this temperature; gradients longer than `clip` are cut to it.
    pub fn descent(&self, temperature: f64, clip: f64) -> AlphaDescent {
        let AdamConfig {
            learning_rate,
            beta1,
            beta2,
            weight_decay,
        } = self.config;
        AlphaDescent {
            temperature,
            learning_rate,
            beta1,
            beta2,
            weight_decay,
            clip,
            step: self.steps + 1,
        }
    }

    /// These parameters and their moments, for a device.
    pub fn alphas(&self, parameters: &[f64]) -> Alphas {
        Alphas {
            parameters: parameters.to_vec(),
            mean: self.mean.clone(),
            square: self.square.clone(),
        }
    }

    /// Takes over the moments that a device came to with [`Self::descent`].
    pub fn follow(&mut self, moved: &Alphas) {
        self.steps += 1;
        self.mean.clone_from(&moved.mean);
        self.square.clone_from(&moved.square);
    }

    /// Drops the moments of removed parameters: `kept[i]` is the old index of the new parameter `i`.
    pub fn keep(&mut self, kept: &[usize]) {
        self.mean = kept.iter().map(|&old| self.mean[old]).collect();
        self.square = kept.iter().map(|&old| self.square[old]).collect();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const PAPER: AdamConfig = AdamConfig {
        learning_rate: 3e-4,
        beta1: 0.5,
        beta2: 0.999,
        weight_decay: 1e-3,
    };
    const GRADIENTS: [[f64; 3]; 3] = [[0.01, -0.02, 0.0], [0.02, 0.03, 1e-5], [-0.05, 0.001, 2.0]];

    /// From PyTorch 2.15: `torch.optim.Adam(lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)` in f64.
    #[test]
    fn three_steps_have_the_values_of_pytorch() {
        let expected = [
            [
                0.000_700_000_299_969_703,
                -0.001_700_000_149_984_926_5,
                0.000_205_882_352_941_176_5,
            ],
            [
                0.000_383_820_177_914_309_5,
                -0.001_856_858_058_930_887_8,
                -8.306_982_444_950_185e-5,
            ],
            [
                0.000_587_022_419_342_312_2,
                -0.001_947_398_377_128_081,
                -0.000_379_845_144_100_160_16,
            ],
        ];
        let mut alphas = [1e-3, -2e-3, 5e-4];
        let mut adam = Adam::new(PAPER, 3);
        for (gradients, expected) in GRADIENTS.iter().zip(expected) {
            adam.step(&mut alphas, gradients);
            for (found, expected) in alphas.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-15,
                    "{found} is not {expected}"
                );
            }
        }
    }

    #[test]
    fn what_is_kept_moves_as_if_nothing_had_been_removed() {
        let (mut whole, mut part) = ([1e-3, -2e-3, 5e-4], vec![1e-3, -2e-3, 5e-4]);
        let (mut adam, mut pruned) = (Adam::new(PAPER, 3), Adam::new(PAPER, 3));
        adam.step(&mut whole, &GRADIENTS[0]);
        pruned.step(&mut part, &GRADIENTS[0]);
        pruned.keep(&[2, 0]);
        assert_eq!(pruned.parameters(), 2);
        part = vec![part[2], part[0]];
        adam.step(&mut whole, &GRADIENTS[1]);
        pruned.step(&mut part, &[GRADIENTS[1][2], GRADIENTS[1][0]]);
        assert_eq!(part, [whole[2], whole[0]]);
    }

    #[test]
    fn its_state_survives_json_bit_for_bit() {
        let mut alphas = [1e-3, -2e-3, 5e-4];
        let mut adam = Adam::new(PAPER, 3);
        adam.step(&mut alphas, &GRADIENTS[0]);
        adam.step(&mut alphas, &GRADIENTS[2]);
        let text = serde_json::to_string(&adam).unwrap();
        assert_eq!(serde_json::from_str::<Adam>(&text).unwrap(), adam);
    }
}

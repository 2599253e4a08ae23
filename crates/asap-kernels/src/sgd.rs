//! Stochastic gradient descent on the processor, step by step as PyTorch's `SGD` does it: what `kernels/sgd.cu` is on a
//! device.
//!
//! ```text
//! g <- g * min(1, clip / (|g| + 1e-6))     |g| over the whole slab
//! d <- g + weight_decay * w
//! v <- momentum * v + d
//! w <- w - lr * v                          or w - lr * (d + momentum * v), Nesterov's form
//! ```

use crate::device::Descent;

impl Descent {
    /// Moves `weights` once against `gradients`, both as long as `velocity`, which moves too.
    ///
    /// `norm` is the length of the gradients, [`gradient_norm`]: the caller has looked at it before it lets the weights
    /// move.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn step(self, weights: &mut [f32], gradients: &[f32], velocity: &mut [f32], norm: f64) {
        assert_eq!(weights.len(), velocity.len(), "a velocity for every weight");
        assert_eq!(
            gradients.len(),
            velocity.len(),
            "a gradient for every weight"
        );
        let Self {
            learning_rate,
            momentum,
            nesterov,
            weight_decay,
            clip,
        } = self;
        let (momentum, weight_decay) = (momentum as f32, weight_decay as f32);
        let scale = (clip / (norm + 1e-6)).min(1.0) as f32;
        let rate = learning_rate as f32;
        for ((weight, &gradient), velocity) in weights.iter_mut().zip(gradients).zip(velocity) {
            let direction = gradient * scale + weight_decay * *weight;
            *velocity = momentum * *velocity + direction;
            let update = if nesterov {
                direction + momentum * *velocity
            } else {
                *velocity
            };
            *weight -= rate * update;
        }
    }
}

/// The Euclidean length of `gradients`, summed in f64 in a fixed order.
pub fn gradient_norm(gradients: &[f32]) -> f64 {
    // Eight sums side by side: one alone would wait for each addition before the next.
    let mut sums = [0.0_f64; 8];
    let chunks = gradients.chunks_exact(sums.len());
    let rest: f64 = chunks
        .remainder()
        .iter()
        .map(|&g| f64::from(g) * f64::from(g))
        .sum();
    for chunk in chunks {
        for (sum, &gradient) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(gradient) * f64::from(gradient);
        }
    }
    (sums.iter().sum::<f64>() + rest).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRADIENTS: [[f32; 4]; 3] = [
        [0.3, -0.7, 1.1, 0.0],
        [-0.2, 0.4, 3.0, 0.6],
        [4.0, -6.0, 2.5, 1.0],
    ];

    fn after_three_steps(nesterov: bool, clip: f64) -> ([f32; 4], Vec<f32>) {
        let descent = Descent {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov,
            weight_decay: 3e-2,
            clip,
        };
        let mut weights = [0.5, -1.25, 2.0, 0.125];
        let mut velocity = vec![0.0; weights.len()];
        for gradients in GRADIENTS {
            let norm = gradient_norm(&gradients);
            descent.step(&mut weights, &gradients, &mut velocity, norm);
        }
        (weights, velocity)
    }

    fn close(found: &[f32], expected: &[f32]) {
        for (found, expected) in found.iter().zip(expected) {
            let error = (found - expected).abs();
            assert!(
                error <= 1e-6 * expected.abs().max(1.0),
                "{found} is not {expected}"
            );
        }
    }

    /// From PyTorch 2.15: `torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=3e-2)` over the three
    /// gradients above, with `clip_grad_norm_` before each step.
    #[test]
    fn momentum_decay_and_clipping_have_the_values_of_pytorch() {
        let (weights, velocity) = after_three_steps(false, 1e9);
        close(
            &weights,
            &[0.048_588_287, -0.515_993_8, 0.850_479_2, -0.090_918_36],
        );
        close(&velocity, &[4.101_562, -6.303_524, 6.234_687, 1.548_319_8]);
        let (weights, velocity) = after_three_steps(false, 5.0);
        close(
            &weights,
            &[0.188_760_44, -0.726_252, 0.938_086_8, -0.055_875_34],
        );
        close(
            &velocity,
            &[2.699_840_5, -4.200_942, 5.358_610_6, 1.197_889_6],
        );
        let (weights, velocity) = after_three_steps(false, 1.0);
        close(
            &weights,
            &[0.391_400_67, -1.034_417, 1.528_014, 0.073_098_24],
        );
        close(&velocity, &[0.681_857_9, -1.184_042_5, 2.016_098, 0.314_1]);
    }

    /// As above with `nesterov=True`.
    #[test]
    fn nesterovs_form_has_the_values_of_pytorch() {
        let (weights, velocity) = after_three_steps(true, 1e9);
        close(
            &weights,
            &[-0.320_272_6, 0.050_632_47, 0.292_306_57, -0.229_952_95],
        );
        close(&velocity, &[4.100_538, -6.300_936, 6.220_814, 1.546_671_5]);
        let (weights, velocity) = after_three_steps(true, 5.0);
        close(
            &weights,
            &[-0.053_945_627, -0.348_858_1, 0.458_760_95, -0.163_371_18],
        );
        close(
            &velocity,
            &[2.698_816_5, -4.198_354, 5.344_738, 1.196_241_1],
        );
        let (weights, velocity) = after_three_steps(true, 1.0);
        close(
            &weights,
            &[0.330_292_37, -0.928_472_9, 1.348_142_6, 0.044_935_174],
        );
        close(&velocity, &[0.680_835, -1.181_578_6, 2.009_05, 0.313_547_8]);
    }

    #[test]
    fn a_weight_at_zero_without_gradient_stays_at_zero() {
        let descent = Descent {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.1,
            clip: 5.0,
        };
        let mut weights = [1.0, 0.0];
        let mut velocity = [0.0; 2];
        for _ in 0..5 {
            descent.step(&mut weights, &[1.0, 0.0], &mut velocity, 1.0);
        }
        assert_eq!(weights[1], 0.0, "channel padding has to stay 0");
        assert!(weights[0] < 1.0);
    }

    #[test]
    fn the_norm_is_that_of_the_plain_sum() {
        let gradients: Vec<f32> = (0..1003).map(|i| (i as f32 * 0.37).sin()).collect();
        let plain = gradients
            .iter()
            .map(|&g| f64::from(g).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!((gradient_norm(&gradients) - plain).abs() < 1e-12 * plain);
        assert!(!gradient_norm(&[1.0, f32::NAN]).is_finite());
        assert_eq!(gradient_norm(&[]), 0.0);
    }
}

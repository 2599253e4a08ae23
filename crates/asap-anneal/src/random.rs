//! Seeded normal numbers: the start of the alphas, and the noise of a simulated plan.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of standard normal numbers, the same for the same seed.
pub(crate) struct Normals {
    uniform: ChaCha8Rng,
    spare: Option<f64>,
}

impl Normals {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            uniform: ChaCha8Rng::seed_from_u64(seed),
            spare: None,
        }
    }

    /// The next number, by the Box-Muller transform, which makes two at a time.
    pub(crate) fn sample(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // 1 - u is in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.uniform_share()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.uniform_share();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// Uniform in `0..1`, from the 53 bits that an f64 holds.
    fn uniform_share(&mut self) -> f64 {
        (self.uniform.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

//! First values of the weights, as PyTorch draws them by default, from a seed.

use asap_kernels::{Parameter, ParameterKind};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Fills a slab: kernels and classifier uniform in `+-1 / sqrt(fan in)` (Kaiming uniform with `a = sqrt 5`), scales 1,
/// shifts 0. Padding stays 0.
pub(crate) fn initialise(parameters: &[Parameter], slab: &mut [f32], seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut linear_inputs = 1;
    for parameter in parameters {
        let out = &mut slab[parameter.offset..][..parameter.kind.slab_len()];
        let fan_in = match &parameter.kind {
            ParameterKind::Scale { channels } => {
                out[..*channels].fill(1.0);
                continue;
            }
            ParameterKind::Shift { .. } => continue,
            // A bias is drawn with its weight's fan in.
            ParameterKind::Bias { .. } => linear_inputs,
            kind => kind.fan_in(),
        };
        linear_inputs = fan_in;
        let bound = 1.0 / (fan_in as f32).sqrt();
        for place in parameter.kind.places() {
            // 24 bits: every f32 of the grid in 0..1 is as likely.
            let share = (random.next_u32() >> 8) as f32 / (1_u32 << 24) as f32;
            out[place] = (2.0 * share - 1.0) * bound;
        }
    }
}

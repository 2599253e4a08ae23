//! Temperature and thresholds, as pure functions of the plan's progress:
//! `T(t) = T0 * beta^t` with `t` in virtual epochs, `theta = 0.4 / N` (as UniNAS sets them).

use crate::config::{AnnealParams, Granularity, ThresholdBase};

impl AnnealParams {
    /// The temperature after a share of the plan, `progress` in `0..=1` (clamped).
    ///
    /// Per step it is `T0 * beta^(virtual_epochs * progress)`; per epoch, `progress` is first brought
    /// down to the start of its epoch. A plan with fewer epochs than virtual ones falls in larger
    /// steps, so every plan has the same share of grace and the same temperatures to the end.
    #[must_use]
    pub fn temperature(&self, progress: f64) -> f64 {
        let config = self.config();
        let progress = progress.clamp(0.0, 1.0);
        let reached = match config.granularity {
            Granularity::Step => progress,
            Granularity::Epoch { epochs } => {
                // `step / steps` times `epochs` can fall a rounding error short of a whole epoch; no
                // epoch has a thousand million steps, so this never reaches into the next one.
                (progress * epochs as f64 + 1e-9).floor() / epochs as f64
            }
        };
        let exponent = config.virtual_epochs as f64 * reached;
        config.initial_temperature * config.decay.powf(exponent)
    }

    /// Whether only the weights train at this temperature: no alpha step, no pruning.
    #[must_use]
    pub fn in_grace(&self, temperature: f64) -> bool {
        temperature >= self.config().grace_temperature
    }

    /// The share of the plan, in `0..=1`, after which the temperature leaves grace.
    #[must_use]
    pub fn grace_share(&self) -> f64 {
        let config = self.config();
        let ratio = config.grace_temperature / config.initial_temperature;
        let virtual_epoch = ratio.ln() / config.decay.ln();
        let share = (virtual_epoch / config.virtual_epochs as f64).clamp(0.0, 1.0);
        match config.granularity {
            Granularity::Step => share,
            Granularity::Epoch { epochs } => {
                ((share * epochs as f64).ceil() / epochs as f64).min(1.0)
            }
        }
    }

    /// The weight under which an operation is removed, on an edge that started with `initial`
    /// operations and has `alive` of them.
    #[must_use]
    pub fn operation_threshold(&self, initial: usize, alive: usize) -> f64 {
        let operations = match self.config().threshold_base {
            ThresholdBase::Initial => initial,
            ThresholdBase::Alive => alive,
        };
        self.config().threshold_factor / operations as f64
    }

    /// The weight under which an edge is removed, in a node that started with `initial` edges (ours).
    #[must_use]
    pub fn edge_threshold(&self, initial: usize) -> f64 {
        self.config().threshold_factor / initial as f64
    }
}

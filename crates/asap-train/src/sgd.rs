//! Settings of stochastic gradient descent; [`asap_space::Network::descend`] does it.

use asap_space::Descent;
use serde::{Deserialize, Serialize};

/// How the weights descend, the same in all steps of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SgdConfig {
    /// Share of the last update that the next one keeps, from 0 to below 1. Paper: 0.9.
    pub momentum: f64,
    /// Whether the update looks ahead along the momentum (Nesterov).
    pub nesterov: bool,
    /// Factor of the weights that is added to their gradients (L2). Paper: 3e-4.
    pub weight_decay: f64,
    /// Largest norm of all gradients together; longer ones are scaled down to it. Paper: 5.
    pub clip: f64,
}

impl SgdConfig {
    /// The step with this learning rate.
    pub fn descent(self, learning_rate: f64) -> Descent {
        let Self {
            momentum,
            nesterov,
            weight_decay,
            clip,
        } = self;
        Descent {
            learning_rate,
            momentum,
            nesterov,
            weight_decay,
            clip,
        }
    }
}

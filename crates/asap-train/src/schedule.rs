//! Learning rates as pure functions of the progress through a plan.
//!
//! Cosine: `lr(p) = to + (from - to) * (1 + cos(pi * p)) / 2`, `p` in `0..=1` (Loshchilov and
//! Hutter, "SGDR", arXiv:1608.03983, without restarts). The paper's recipe moves it once an epoch;
//! ours moves it every step, which is the same curve and does not jump in a plan of few epochs.

use serde::{Deserialize, Serialize};

/// A learning rate that falls along half a cosine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosine {
    /// Learning rate of the first step, above 0.
    pub from: f64,
    /// Learning rate that the last step comes close to, from 0 to `from`.
    pub to: f64,
}

impl Cosine {
    /// The learning rate of `step` out of `steps`; `to` from the end of the plan on.
    ///
    /// ```
    /// use asap_train::Cosine;
    /// let schedule = Cosine { from: 0.1, to: 0.0 };
    /// assert_eq!(schedule.at(0, 10), 0.1);
    /// assert!((schedule.at(5, 10) - 0.05).abs() < 1e-12);
    /// ```
    pub fn at(&self, step: usize, steps: usize) -> f64 {
        if step >= steps {
            return self.to;
        }
        let progress = step as f64 / steps as f64;
        let share = (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0;
        self.to + (self.from - self.to) * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From PyTorch 2.15: `CosineAnnealingLR(SGD(lr=0.025), T_max=50, eta_min=0.001)`.
    #[test]
    fn the_papers_schedule_has_the_values_of_pytorch() {
        let schedule = Cosine {
            from: 0.025,
            to: 0.001,
        };
        for (epoch, expected) in [
            (0, 0.025),
            (10, 0.022_708_203_932_499_366),
            (25, 0.013),
            (49, 0.001_023_679_258_860_741_2),
            (50, 0.001),
        ] {
            let found = schedule.at(epoch, 50);
            assert!((found - expected).abs() < 1e-15, "epoch {epoch}: {found}");
        }
    }

    #[test]
    fn the_rate_never_rises_and_stays_at_its_end() {
        let schedule = Cosine {
            from: 0.1,
            to: 0.002,
        };
        let rates: Vec<f64> = (0..200).map(|step| schedule.at(step, 150)).collect();
        assert!(rates.windows(2).all(|pair| pair[1] <= pair[0]));
        assert_eq!(rates[199], 0.002);
    }

    #[test]
    fn an_empty_plan_has_the_last_rate() {
        assert_eq!(
            Cosine {
                from: 0.1,
                to: 0.01
            }
            .at(0, 0),
            0.01
        );
    }
}

//! Learning rates, and what else grows with the plan, as pure functions of the progress through it.
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

/// The curve along which a learning rate falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Curve {
    /// Half a cosine in every cycle.
    Cosine,
    /// `lr(p) = from * (to / from)^p`: the same factor in every step.
    Exponential,
}

/// A learning rate over a plan: one fall or several, each from a lower start than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// How it falls.
    pub curve: Curve,
    /// Learning rate of the first step, above 0.
    pub from: f64,
    /// Learning rate that the last step of every cycle comes close to, from 0 to where the cycle starts.
    pub to: f64,
    /// Equally long parts of the plan, each a fall of its own; more than one with a cosine only.
    pub cycles: usize,
    /// Start of a cycle over the start of the one before, above 0 and at most 1.
    pub cycle_factor: f64,
}

impl Schedule {
    /// One fall along half a cosine.
    pub fn cosine(from: f64, to: f64) -> Self {
        Self {
            curve: Curve::Cosine,
            from,
            to,
            cycles: 1,
            cycle_factor: 1.0,
        }
    }

    /// The learning rate of `step` out of `steps`; `to` from the end of the plan on.
    ///
    /// ```
    /// use asap_train::Schedule;
    /// let schedule = Schedule { cycles: 2, cycle_factor: 0.5, ..Schedule::cosine(0.1, 0.0) };
    /// assert_eq!(schedule.at(0, 10), 0.1);
    /// assert_eq!(schedule.at(5, 10), 0.05);
    /// ```
    pub fn at(&self, step: usize, steps: usize) -> f64 {
        if step >= steps {
            return self.to;
        }
        match self.curve {
            Curve::Cosine => {
                // In whole numbers: no rounding can put a step into the wrong cycle.
                let (cycle, within) = (step * self.cycles / steps, step * self.cycles % steps);
                let from = self.cycle_start(cycle);
                Cosine { from, to: self.to }.at(within, steps)
            }
            Curve::Exponential => {
                self.from * (self.to / self.from).powf(step as f64 / steps as f64)
            }
        }
    }

    /// Learning rate of the first step of a cycle, counted from 0.
    pub(crate) fn cycle_start(&self, cycle: usize) -> f64 {
        self.from
            * self
                .cycle_factor
                .powi(i32::try_from(cycle).unwrap_or(i32::MAX))
    }
}

impl From<Cosine> for Schedule {
    fn from(cosine: Cosine) -> Self {
        Self::cosine(cosine.from, cosine.to)
    }
}

/// The probability with which an operation's output is dropped in `epoch` out of `epochs`: it grows linearly and
/// would be `full` after the last epoch. As DARTS has it: once an epoch, from 0.
pub(crate) fn drop_path(full: f64, epoch: usize, epochs: usize) -> f64 {
    full * epoch as f64 / epochs.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(schedule: &Schedule, steps: usize, expected: &[(usize, f64)]) {
        for &(step, expected) in expected {
            let found = schedule.at(step, steps);
            // PyTorch's own values carry the rounding of one recursion per epoch.
            let error = (found - expected).abs();
            assert!(
                error < 1e-15 + 1e-12 * schedule.from,
                "step {step}: {found}"
            );
        }
    }

    /// From PyTorch 2.15: `CosineAnnealingLR(SGD(lr=0.025), T_max=50, eta_min=0.001)`.
    #[test]
    fn the_papers_schedule_has_the_values_of_pytorch() {
        let schedule = Cosine {
            from: 0.025,
            to: 0.001,
        };
        let expected = [
            (0, 0.025),
            (10, 0.022_708_203_932_499_366),
            (25, 0.013),
            (49, 0.001_023_679_258_860_741_2),
            (50, 0.001),
        ];
        for (epoch, expected) in expected {
            let found = schedule.at(epoch, 50);
            assert!((found - expected).abs() < 1e-15, "epoch {epoch}: {found}");
        }
        close(&schedule.into(), 50, &expected);
    }

    /// From PyTorch 2.15: `CosineAnnealingLR(SGD(lr=0.025), T_max=600, eta_min=0)`.
    #[test]
    fn the_schedule_of_darts_has_the_values_of_pytorch() {
        let expected = [
            (0, 0.025),
            (1, 0.024_999_828_653_092_835),
            (150, 0.021_338_834_764_831_84),
            (300, 0.012_499_999_999_999_987),
            (450, 0.003_661_165_235_168_154_6),
            (599, 1.713_469_071_656_924_4e-7),
        ];
        close(&Schedule::cosine(0.025, 0.0), 600, &expected);
    }

    /// From PyTorch 2.15: five times `CosineAnnealingLR(SGD(lr=0.025 * 0.5**cycle), T_max=300, eta_min=0)`.
    #[test]
    fn every_cycle_is_a_cosine_of_pytorch_from_half_the_start_of_the_last() {
        let schedule = Schedule {
            cycles: 5,
            cycle_factor: 0.5,
            ..Schedule::cosine(0.025, 0.0)
        };
        let expected = [
            (0, 0.025),
            (100, 0.018_750_000_000_000_003),
            (150, 0.012_500_000_000_000_002),
            (299, 6.853_829_310_982_101e-7),
            (300, 0.0125),
            (450, 0.006_250_000_000_000_001),
            (700, 0.004_687_500_000_000_001),
            (899, 1.713_457_327_745_525_3e-7),
            (1200, 0.001_562_5),
            (1350, 0.000_781_250_000_000_000_2),
            (1499, 4.283_643_319_363_813_4e-8),
        ];
        close(&schedule, 1500, &expected);
    }

    /// From PyTorch 2.15: `StepLR(SGD(lr=0.1), step_size=1, gamma=0.97)`.
    #[test]
    fn a_fall_by_a_factor_has_the_values_of_pytorch() {
        let schedule = Schedule {
            curve: Curve::Exponential,
            ..Schedule::cosine(0.1, 0.1 * 0.97_f64.powi(250))
        };
        let expected = [
            (0, 0.1),
            (1, 0.097),
            (10, 0.073_742_412_689_492_8),
            (125, 0.002_220_581_837_257_249),
            (249, 5.083_488_346_347_192e-5),
            (250, 4.930_983_695_956_776_5e-5),
        ];
        close(&schedule, 250, &expected);
    }

    #[test]
    fn the_rate_never_rises_within_a_cycle_and_stays_at_its_end() {
        let cosine = Schedule::cosine(0.1, 0.002);
        let exponential = Schedule {
            curve: Curve::Exponential,
            ..cosine
        };
        for schedule in [cosine, exponential] {
            let rates: Vec<f64> = (0..200).map(|step| schedule.at(step, 150)).collect();
            assert!(rates.windows(2).all(|pair| pair[1] <= pair[0]));
            assert_eq!((rates[0], rates[199]), (0.1, 0.002));
        }
    }

    #[test]
    fn an_empty_plan_has_the_last_rate() {
        assert_eq!(Schedule::cosine(0.1, 0.01).at(0, 0), 0.01);
    }

    /// By hand: DARTS sets `drop_path_prob * epoch / epochs` before every epoch.
    #[test]
    fn drop_path_grows_linearly_from_nothing() {
        let at = |epoch| drop_path(0.2, epoch, 600);
        assert_eq!((at(0), at(300)), (0.0, 0.1));
        assert!((at(599) - 0.199_666_666_666_666_67).abs() < 1e-15);
    }
}

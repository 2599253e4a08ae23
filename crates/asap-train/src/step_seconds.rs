//! Sums over an epoch, and how long its steps took.

use std::collections::VecDeque;

use asap_space::StepOutcome;
use serde::{Deserialize, Serialize};

/// Steps at either end of a search whose median time is reported.
const ENDS: usize = 20;

/// Times of the first and the last weight steps of a phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepSeconds {
    count: usize,
    first: Vec<f64>,
    last: VecDeque<f64>,
}

impl StepSeconds {
    pub(crate) fn add(&mut self, seconds: f64) {
        self.count += 1;
        if self.first.len() < ENDS {
            self.first.push(seconds);
        }
        if self.last.len() == ENDS {
            self.last.pop_front();
        }
        self.last.push_back(seconds);
    }

    /// How many steps there were.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Median of the first 20; 0 before the first step.
    pub(crate) fn first_median(&self) -> f64 {
        median(&self.first).unwrap_or(0.0)
    }

    /// Median of the last 20; 0 before the first step.
    pub(crate) fn last_median(&self) -> f64 {
        median(self.last.iter().collect::<Vec<_>>()).unwrap_or(0.0)
    }
}

/// What an epoch has come to so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct EpochSums {
    images: usize,
    loss: f64,
    correct: usize,
    weight_seconds: Vec<f64>,
    alpha_images: usize,
    alpha_loss: f64,
    alpha_seconds: Vec<f64>,
    /// Temperature and learning rate of the last step.
    pub(crate) temperature: Option<f64>,
    pub(crate) learning_rate: f64,
}

impl EpochSums {
    pub(crate) fn add_weight_step(&mut self, images: usize, outcome: StepOutcome, seconds: f64) {
        self.images += images;
        self.loss += outcome.loss * images as f64;
        self.correct += outcome.correct;
        self.weight_seconds.push(seconds);
    }

    pub(crate) fn add_alpha_step(&mut self, images: usize, loss: f64, seconds: f64) {
        self.alpha_images += images;
        self.alpha_loss += loss * images as f64;
        self.alpha_seconds.push(seconds);
    }

    /// Weight steps so far.
    pub(crate) fn steps(&self) -> usize {
        self.weight_seconds.len()
    }

    /// Mean loss over the images that trained the weights.
    pub(crate) fn weight_loss(&self) -> f64 {
        self.loss / self.images.max(1) as f64
    }

    /// Share of those images that were classified rightly.
    pub(crate) fn weight_accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// Mean loss over the images that trained the alphas, if any did.
    pub(crate) fn alpha_loss(&self) -> Option<f64> {
        (self.alpha_images > 0).then(|| self.alpha_loss / self.alpha_images as f64)
    }

    /// Median seconds of a weight step.
    pub(crate) fn weight_step_seconds(&self) -> f64 {
        median(&self.weight_seconds).unwrap_or(0.0)
    }

    /// Median seconds of an alpha step, if there was one.
    pub(crate) fn alpha_step_seconds(&self) -> Option<f64> {
        median(&self.alpha_seconds)
    }

    /// Images of both kinds of step in a second.
    pub(crate) fn images_per_second(&self) -> f64 {
        let seconds: f64 = self.weight_seconds.iter().chain(&self.alpha_seconds).sum();
        (self.images + self.alpha_images) as f64 / seconds.max(f64::MIN_POSITIVE)
    }
}

/// How long steps take lately: a mean that forgets, so that one slow step does not shake the time left.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace(Option<f64>);

impl Pace {
    /// Share of the mean that a new step replaces.
    const SHARE: f64 = 0.1;

    /// Seconds of a step after one that took `seconds`.
    pub(crate) fn after_step(&mut self, seconds: f64) -> f64 {
        let mean = self
            .0
            .map_or(seconds, |mean| mean + Self::SHARE * (seconds - mean));
        self.0 = Some(mean);
        mean
    }
}

/// The middle value; the mean of the two middle ones when their number is even.
pub(crate) fn median<'a>(values: impl IntoIterator<Item = &'a f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn the_ends_are_the_first_and_the_last_twenty_steps() {
        let mut seconds = StepSeconds::default();
        (0..100).for_each(|step| seconds.add(f64::from(step)));
        assert_eq!((seconds.first_median(), seconds.last_median()), (9.5, 89.5));
        assert_eq!(seconds.count(), 100);
    }

    #[test]
    fn the_pace_follows_slowly() {
        let mut pace = Pace::default();
        assert_eq!(pace.after_step(2.0), 2.0);
        assert_eq!(pace.after_step(3.0), 2.1);
        assert!(
            (0..100)
                .map(|_| pace.after_step(3.0))
                .last()
                .is_some_and(|mean| mean > 2.99)
        );
    }

    #[test]
    fn losses_are_weighted_by_images() {
        let mut sums = EpochSums::default();
        sums.add_weight_step(
            30,
            StepOutcome {
                loss: 1.0,
                correct: 15,
            },
            0.5,
        );
        sums.add_weight_step(
            10,
            StepOutcome {
                loss: 2.0,
                correct: 1,
            },
            0.25,
        );
        assert_eq!((sums.weight_loss(), sums.weight_accuracy()), (1.25, 0.4));
        assert_eq!((sums.alpha_loss(), sums.alpha_step_seconds()), (None, None));
        sums.add_alpha_step(10, 3.0, 0.25);
        assert_eq!(
            (sums.alpha_loss(), sums.images_per_second()),
            (Some(3.0), 50.0)
        );
    }
}

//! Steps of an engine: put together from passes, descents and what follows, and handed to the device as one recorded graph.
//!
//! A step begins with its pass and stays open for what belongs to it; it is handed over when the next one begins, or when somebody
//! reads what it changes. Nothing is waited for but what is asked for.

use super::abi;
use super::alphas::{AlphaSet, Alphas, no_alphas};
use super::average::no_average;
use super::engine::DeviceEngine;
use super::launch::{Fetched, Launch, Part};
use super::memory::OUTCOME;
use super::optimizer::Descent;
use super::program::Goal;
use crate::error::{Error, expect_len};
use crate::regularisation::Regularisation;
use crate::run::{Outcome, Wanted};

/// The op weights of a step.
#[derive(Clone, Copy, Debug)]
pub enum StepOpWeights<'a> {
    /// In the order of the plan.
    Given(&'a [f32]),
    /// What [`DeviceEngine::move_alphas`] has made of the alphas.
    Kept,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// What it found.
    pub outcome: Outcome,
    /// Length of its gradients, where it descended.
    pub gradient_norm: f64,
    /// What it took on the device.
    pub seconds: f64,
}

/// What a step does, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stages {
    /// Makes its images out of those that lie on the device.
    images: bool,
    pass: Option<Goal>,
    descent: bool,
    alphas: bool,
    average: bool,
}

impl Stages {
    /// Whether alphas can move in it, and nothing has moved yet.
    fn moves_alphas(&self) -> bool {
        let pass = self.pass.is_some_and(Goal::op_weights);
        pass && !(self.descent || self.alphas || self.average)
    }
}

/// A step that was handed over and that nobody has asked about yet.
pub(super) struct Pending {
    moved_alphas: bool,
    /// The copy of what it came to.
    copy: u64,
    /// Seconds of what was handed over of it before.
    before: f64,
}

impl Pending {
    /// The copy of what it came to.
    pub(super) fn copy(&self) -> u64 {
        self.copy
    }
}

impl DeviceEngine {
    /// One forward and backward pass in training mode over the images loaded last, as [`crate::Engine::step`]; returns before it
    /// is done.
    ///
    /// # Errors
    /// If op weights or the regularisation do not fit, or the device fails.
    pub fn step(
        &mut self,
        op_weights: StepOpWeights<'_>,
        regularisation: Regularisation,
        wanted: Wanted,
    ) -> Result<(), Error> {
        regularisation.check()?;
        self.hand_over()?;
        self.place_op_weights(op_weights)?;
        self.step = abi::Step {
            images: self.step.images,
            train: 1,
            want_weights: u32::from(wanted.weights()),
            want_op_weights: u32::from(wanted.op_weights()),
            label_smoothing: regularisation.label_smoothing,
            auxiliary_weight: regularisation.auxiliary_weight,
            drop_path: regularisation.drop_path,
            kept_scale: regularisation.kept_scale(),
            seed: regularisation.seed,
            ..self.step
        };
        self.open = Some(Stages {
            images: std::mem::take(&mut self.shown),
            pass: Some(Goal::Train(wanted)),
            ..Stages::default()
        });
        Ok(())
    }

    /// Moves the weights against the gradients of the last step, unless its loss or their norm is no number; returns before it
    /// is done.
    ///
    /// # Errors
    /// If the device fails.
    pub fn descend(&mut self, descent: Descent) -> Result<(), Error> {
        let open = self.open_before(|open| open.descent || open.alphas || open.average)?;
        open.descent = true;
        self.step = abi::Step {
            learning_rate: descent.learning_rate as f32,
            momentum: descent.momentum as f32,
            weight_decay: descent.weight_decay as f32,
            clip: descent.clip as f32,
            nesterov: u32::from(descent.nesterov),
            ..self.step
        };
        Ok(())
    }

    /// Moves the alphas against the gradients of the last step, which wanted those of op weights, and makes op weights of them,
    /// for [`StepOpWeights::Kept`]. They stay as they are if its loss or the gradient's norm is no number. Returns before it
    /// is done; what it came to is [`Self::moved_alphas`].
    ///
    /// # Errors
    /// If there are no alphas, or the last thing begun is not such a step.
    pub fn move_alphas(&mut self, descent: super::AlphaDescent) -> Result<(), Error> {
        let open = match &mut self.open {
            Some(open) if self.alphas.is_some() && open.moves_alphas() => open,
            _ => return Err(no_alphas()),
        };
        open.alphas = true;
        self.op_weights_kept = true;
        let steps = f64::from(descent.step);
        self.step = abi::Step {
            clip: descent.clip as f32,
            temperature: descent.temperature,
            alpha_rate: descent.learning_rate / (1.0 - descent.beta1.powf(steps)),
            alpha_decay: descent.weight_decay,
            mean_kept: descent.beta1,
            square_kept: descent.beta2,
            square_scale: (1.0 - descent.beta2.powf(steps)).sqrt(),
            ..self.step
        };
        Ok(())
    }

    /// Moves the average by `share` of the way to what the weights and running statistics are now; returns before it is done.
    ///
    /// # Errors
    /// If there is no average, or the device fails.
    pub fn follow(&mut self, share: f32) -> Result<(), Error> {
        if self.average.is_none() {
            return Err(no_average());
        }
        self.open_before(|open| open.average)?.average = true;
        self.step.share = share;
        Ok(())
    }

    /// The step that is open, a new one if it has come `too_far`.
    fn open_before(&mut self, too_far: impl FnOnce(&Stages) -> bool) -> Result<&mut Stages, Error> {
        if self.open.as_ref().is_some_and(too_far) {
            self.hand_over()?;
        }
        Ok(self.open.get_or_insert_default())
    }

    /// What the steps since the last call came to, oldest first, once they are done; those left out after which the alphas moved.
    ///
    /// # Errors
    /// If the device failed.
    pub fn outcomes(&mut self) -> Result<Vec<Done>, Error> {
        self.outcomes_but(0)
    }

    /// [`Self::outcomes`] of all but the `newest` steps, which nobody waits for.
    ///
    /// # Errors
    /// If the device failed.
    pub fn outcomes_but(&mut self, newest: usize) -> Result<Vec<Done>, Error> {
        self.hand_over()?;
        let steps = self.pending.iter().filter(|step| !step.moved_alphas);
        let mut left = steps.count().saturating_sub(newest);
        let (told, kept) =
            std::mem::take(&mut self.pending)
                .into_iter()
                .partition(|step: &Pending| {
                    let told = !step.moved_alphas && left > 0;
                    left -= usize::from(told);
                    told
                });
        self.pending = kept;
        let told: Vec<Pending> = told;
        told.iter().map(|step| self.outcome(step)).collect()
    }

    fn outcome(&mut self, step: &Pending) -> Result<Done, Error> {
        let (mut done, _) = done(&self.device.fetched(step.copy)?)?;
        done.seconds += step.before;
        Ok(done)
    }

    /// What the oldest step came to after which the alphas moved, and where they moved to; with what the steps before it came to,
    /// oldest first, which are done then. Waits for nothing that was begun after it.
    ///
    /// # Errors
    /// If there is no such step, or the device failed.
    pub fn moved_alphas(&mut self) -> Result<(Vec<Done>, Done, Alphas), Error> {
        self.hand_over()?;
        let at = self.pending.iter().position(|step| step.moved_alphas);
        let at = at.ok_or_else(no_alphas)?;
        let mut steps: Vec<Pending> = self.pending.drain(..=at).collect();
        let moved = steps.pop().ok_or_else(no_alphas)?;
        let earlier = steps.iter().map(|step| self.outcome(step));
        let earlier = earlier.collect::<Result<Vec<Done>, Error>>()?;
        let (done, numbers) = done(&self.device.fetched(moved.copy)?)?;
        let mut parts = numbers
            .chunks((numbers.len() / 3).max(1))
            .map(<[f64]>::to_vec);
        let mut part = || parts.next().unwrap_or_default();
        let alphas = Alphas {
            parameters: part(),
            mean: part(),
            square: part(),
        };
        Ok((earlier, done, alphas))
    }

    /// Gradient of the loss in every op weight, of the last step that wanted them.
    ///
    /// # Errors
    /// If the device failed.
    pub fn op_weight_gradients(&mut self) -> Result<Vec<f64>, Error> {
        self.hand_over()?;
        let mut bytes = vec![0; 8 * self.plan.op_weights];
        let at = self.built.bases.op_weight_gradients;
        self.device.download(at, &mut bytes)?;
        Ok(doubles(&bytes))
    }

    /// Logits `[N, classes]` of images `[N, H, W, C]` in eval mode.
    ///
    /// # Errors
    /// If lengths do not fit the plan, or the device fails.
    pub fn logits(&mut self, pixels: &[f32], op_weights: &[f32]) -> Result<Vec<f32>, Error> {
        let images = self.load_pixels(pixels)?;
        self.place_op_weights(StepOpWeights::Given(op_weights))?;
        self.step = abi::Step {
            images: images as u32,
            ..Default::default()
        };
        self.open = Some(Stages {
            pass: Some(Goal::Logits),
            ..Stages::default()
        });
        self.hand_over()?;
        let classes = self.plan.head().classifier.classes;
        self.floats(self.built.bases.logits, images * classes)
    }

    fn place_op_weights(&mut self, op_weights: StepOpWeights<'_>) -> Result<(), Error> {
        match op_weights {
            StepOpWeights::Given(op_weights) => {
                expect_len("op weights", self.plan.op_weights, op_weights.len())?;
                let at = self.built.bases.op_weights;
                self.op_weights_kept = false;
                self.device.upload(at, abi::bytes(op_weights))
            }
            StepOpWeights::Kept if self.op_weights_kept => Ok(()),
            StepOpWeights::Kept => Err(no_alphas()),
        }
    }

    /// Hands the open step to the device, if there is one; what it comes to is copied home after it.
    pub(super) fn hand_over(&mut self) -> Result<(), Error> {
        let Some(stages) = self.open.take() else {
            return Ok(());
        };
        let at = self.built.bases.step;
        self.device.upload(at, abi::bytes(&[self.step]))?;
        let known = self.built.graphs.iter().find(|(of, _)| *of == stages);
        let graph = match known {
            Some((_, graph)) => *graph,
            None => {
                let graph = self.device.record(&self.launches_of(stages))?;
                self.built.graphs.push((stages, graph));
                graph
            }
        };
        self.device.start_clock()?;
        self.device.replay(graph)?;
        let outcome = Part {
            address: self.built.bases.outcome,
            bytes: 8 * OUTCOME,
        };
        if let Some(Goal::Train(_)) = stages.pass {
            let mut parts = vec![outcome];
            if stages.alphas {
                parts.extend(self.alphas.iter().flat_map(AlphaSet::parts));
            }
            self.pending.push(Pending {
                moved_alphas: stages.alphas,
                copy: self.device.fetch(&parts)?,
                before: 0.0,
            });
        } else if stages.descent
            && let Some(step) = self.pending.last_mut().filter(|step| !step.moved_alphas)
        {
            // Somebody has read in between what the pass found: now the norm of its gradients is known, too.
            let after = self.device.fetch(&[outcome])?;
            let copy = std::mem::replace(&mut step.copy, after);
            step.before += self.device.fetched(copy)?.seconds;
        }
        Ok(())
    }

    fn launches_of(&self, stages: Stages) -> Vec<Launch> {
        let images = self.images.as_ref().and_then(|images| images.launch);
        let mut launches: Vec<Launch> = images.filter(|_| stages.images).into_iter().collect();
        if let Some(goal) = stages.pass {
            launches.extend(self.built.pass(goal));
        }
        if stages.descent {
            launches.extend(&self.built.descent);
        }
        let alphas = self.alphas.as_ref().map(|alphas| alphas.launch);
        launches.extend(alphas.filter(|_| stages.alphas));
        let average = self.average.as_ref().map(|average| average.launch);
        launches.extend(average.filter(|_| stages.average));
        launches
    }

    /// The launches of a step that wants gradients of weights and descends.
    pub fn weight_step(&self) -> Vec<Launch> {
        self.launches_of(Stages {
            images: self.images.is_some(),
            pass: Some(Goal::Train(Wanted::Weights)),
            descent: true,
            ..Stages::default()
        })
    }

    /// The launches of a step that wants gradients of op weights, and of what moves alphas, where there are any.
    pub fn alpha_step(&self) -> Vec<Launch> {
        self.launches_of(Stages {
            images: self.images.is_some(),
            pass: Some(Goal::Train(Wanted::OpWeights)),
            alphas: true,
            ..Stages::default()
        })
    }
}

/// What a step came to, and the numbers that came home with it.
fn done(fetched: &Fetched) -> Result<(Done, Vec<f64>), Error> {
    let mut numbers = doubles(&fetched.bytes);
    expect_len("an outcome", OUTCOME, numbers.len().min(OUTCOME))?;
    let rest = numbers.split_off(OUTCOME);
    let outcome = Outcome {
        loss: numbers[0],
        correct: numbers[1] as usize,
    };
    let done = Done {
        outcome,
        gradient_norm: numbers[2],
        seconds: fetched.seconds,
    };
    Ok((done, rest))
}

fn doubles(bytes: &[u8]) -> Vec<f64> {
    let (values, _) = bytes.as_chunks();
    values
        .iter()
        .map(|value| f64::from_ne_bytes(*value))
        .collect()
}

//! A network on the processor: what is started is done.

use std::borrow::Cow;

use asap_kernels::device::{AlphaDescent, Alphas, Descent, DeviceEngine, Slab, StepOpWeights};
use asap_kernels::{Engine, Level, Pass, Plan, gradient_norm};

use super::backend::{Backend, Step, StepImages};
use super::{Finished, StepOutcome};
use crate::error::{Error, Result};

/// A plan on the processor, with its slabs.
pub(super) struct Processor {
    level: Level,
    threads: usize,
    engine: Engine,
    weights: Vec<f32>,
    gradients: Vec<f32>,
    velocity: Vec<f32>,
    statistics: Vec<f32>,
    /// Of weights and of statistics; empty where nobody keeps one.
    average: [Vec<f32>; 2],
    /// Of the last step; no number before the first.
    loss: f64,
    finished: Vec<Finished>,
}

impl Processor {
    pub(super) fn new(plan: Plan, level: Level, threads: usize) -> Result<Self> {
        let slab = || vec![0.0; plan.slab_len()];
        Ok(Self {
            level,
            threads,
            weights: slab(),
            gradients: slab(),
            velocity: slab(),
            statistics: vec![0.0; plan.statistics_len()],
            average: Default::default(),
            loss: f64::NAN,
            finished: Vec::new(),
            engine: Engine::new(plan, level, threads)?,
        })
    }

    fn slab(&mut self, slab: Slab) -> &mut Vec<f32> {
        match slab {
            Slab::Weights => &mut self.weights,
            Slab::Gradients => &mut self.gradients,
            Slab::Velocity => &mut self.velocity,
            Slab::Statistics => &mut self.statistics,
            Slab::AverageWeights => &mut self.average[0],
            Slab::AverageStatistics => &mut self.average[1],
        }
    }
}

impl Backend for Processor {
    fn plan(&self) -> &Plan {
        self.engine.plan()
    }

    fn replace(&mut self, plan: Plan) -> Result<()> {
        for slab in [Slab::Weights, Slab::Gradients, Slab::Velocity] {
            *self.slab(slab) = vec![0.0; plan.slab_len()];
        }
        self.statistics = vec![0.0; plan.statistics_len()];
        self.average = Default::default();
        Ok(self.engine.replace(plan)?)
    }

    fn another(&self, plan: Plan) -> Result<Box<dyn Backend>> {
        Ok(Box::new(Self::new(plan, self.level, self.threads)?))
    }

    fn read(&self, slab: Slab) -> Result<Cow<'_, [f32]>> {
        Ok(Cow::Borrowed(match slab {
            Slab::Weights => &self.weights,
            Slab::Gradients => &self.gradients,
            Slab::Velocity => &self.velocity,
            Slab::Statistics => &self.statistics,
            Slab::AverageWeights => &self.average[0],
            Slab::AverageStatistics => &self.average[1],
        }))
    }

    fn write(&mut self, slab: Slab, values: Vec<f32>) -> Result<()> {
        let place = self.slab(slab);
        if place.len() != values.len() {
            return Err(Error::Kernels(asap_kernels::Error::Length {
                what: "slab",
                expected: place.len(),
                found: values.len(),
            }));
        }
        *place = values;
        Ok(())
    }

    fn start(&mut self, step: Step<'_>) -> Result<()> {
        let StepImages::Given(images) = step.images else {
            return Err(only_on_a_device("a set of images"));
        };
        let StepOpWeights::Given(op_weights) = step.op_weights else {
            return Err(only_on_a_device(ALPHAS));
        };
        let pass = Pass {
            pixels: images.pixels,
            parameters: &self.weights,
            op_weights,
            regularisation: step.regularisation,
        };
        let (statistics, gradients) = (&mut self.statistics, &mut self.gradients);
        let outcome = self
            .engine
            .step(pass, images.labels, statistics, gradients, step.wanted)?;
        self.loss = outcome.loss;
        self.finished.push(Finished {
            outcome: StepOutcome::from(outcome),
            gradient_norm: None,
            seconds: None,
        });
        Ok(())
    }

    fn descend(&mut self, descent: Descent) -> Result<()> {
        let norm = gradient_norm(&self.gradients);
        if let Some(last) = self.finished.last_mut() {
            last.gradient_norm = Some(norm);
        }
        if self.loss.is_finite() && norm.is_finite() {
            let (weights, velocity) = (&mut self.weights, &mut self.velocity);
            descent.step(weights, &self.gradients, velocity, norm);
        }
        Ok(())
    }

    fn keep_average(&mut self) -> Result<()> {
        self.average = [&self.weights, &self.statistics].map(|slab| vec![0.0; slab.len()]);
        Ok(())
    }

    fn exchange_with_average(&mut self) -> Result<()> {
        let pairs = [&mut self.weights, &mut self.statistics].into_iter();
        for (own, average) in pairs.zip(&mut self.average) {
            if own.len() != average.len() {
                return Err(Error::Kernels(asap_kernels::Error::Length {
                    what: "average",
                    expected: own.len(),
                    found: average.len(),
                }));
            }
            std::mem::swap(own, average);
        }
        Ok(())
    }

    fn follow(&mut self, share: f32) -> Result<()> {
        for (average, values) in self
            .average
            .iter_mut()
            .zip([&self.weights, &self.statistics])
        {
            for (average, value) in average.iter_mut().zip(values) {
                *average += share * (value - *average);
            }
        }
        Ok(())
    }

    fn set_alphas(&mut self, _nodes: &[Vec<usize>], _alphas: &Alphas) -> Result<()> {
        Err(only_on_a_device(ALPHAS))
    }

    fn move_alphas(&mut self, _descent: AlphaDescent) -> Result<()> {
        Err(only_on_a_device(ALPHAS))
    }

    fn moved_alphas(&mut self) -> Result<(Vec<Finished>, Finished, Alphas)> {
        Err(only_on_a_device(ALPHAS))
    }

    fn outcomes_but(&mut self, newest: usize) -> Result<Vec<Finished>> {
        let told = self.finished.len().saturating_sub(newest);
        Ok(self.finished.drain(..told).collect())
    }

    fn op_weight_gradients(&self) -> Result<Vec<f64>> {
        Ok(self.engine.op_weight_gradients().to_vec())
    }

    fn logits(&mut self, pixels: &[f32], op_weights: &[f32]) -> Result<Vec<f32>> {
        let pass = Pass {
            pixels,
            parameters: &self.weights,
            op_weights,
            regularisation: Default::default(),
        };
        Ok(self.engine.logits(pass, &self.statistics)?.to_vec())
    }

    fn keep_images(&mut self, _set: &[u8], _tables: &[[f32; 256]]) -> Result<()> {
        Err(only_on_a_device("a set of images"))
    }

    fn engine(&mut self) -> Option<&mut DeviceEngine> {
        None
    }
}

const ALPHAS: &str = "alphas beside the network";

fn only_on_a_device(what: &str) -> Error {
    Error::Kernels(asap_kernels::Error::Device {
        what: what.to_owned(),
        problem: "only a device keeps that, and this network runs on the processor".to_owned(),
    })
}

//! A network on a device: slabs lie there, steps run on while the processor does something else.

use std::borrow::Cow;
use std::cell::RefCell;

use asap_kernels::Plan;
use asap_kernels::device::{AlphaDescent, Alphas, Descent, DeviceEngine, Done, Slab};

use super::backend::{Backend, Step, StepImages};
use super::{Finished, StepOutcome};
use crate::error::Result;
use crate::place::Accelerator;

/// A plan on a device.
pub(super) struct OnDevice {
    accelerator: Accelerator,
    plan: Plan,
    /// To read from a device is to wait for it, which changes nothing that anybody sees.
    engine: RefCell<DeviceEngine>,
    /// For each step whose outcome is still there, whether the weights descended after it.
    descended: Vec<bool>,
}

impl OnDevice {
    pub(super) fn new(plan: Plan, accelerator: &Accelerator) -> Result<Self> {
        let device = accelerator.open()?;
        let engine = DeviceEngine::new(device, plan.clone(), accelerator.precision())?;
        Ok(Self {
            accelerator: accelerator.clone(),
            plan,
            engine: RefCell::new(engine),
            descended: Vec::new(),
        })
    }
}

impl Backend for OnDevice {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn replace(&mut self, plan: Plan) -> Result<()> {
        self.plan = plan.clone();
        self.descended.clear();
        Ok(self.engine.get_mut().replace(plan)?)
    }

    fn another(&self, plan: Plan) -> Result<Box<dyn Backend>> {
        Ok(Box::new(Self::new(plan, &self.accelerator)?))
    }

    fn read(&self, slab: Slab) -> Result<Cow<'_, [f32]>> {
        Ok(Cow::Owned(self.engine.borrow_mut().read(slab)?))
    }

    fn write(&mut self, slab: Slab, values: Vec<f32>) -> Result<()> {
        Ok(self.engine.get_mut().write(slab, &values)?)
    }

    fn start(&mut self, step: Step<'_>) -> Result<()> {
        let engine = self.engine.get_mut();
        match step.images {
            StepImages::Given(images) => engine.load(images.pixels, images.labels)?,
            StepImages::Kept(kept) => engine.show(kept)?,
        }
        engine.step(step.op_weights, step.regularisation, step.wanted)?;
        self.descended.push(false);
        Ok(())
    }

    fn keep_average(&mut self) -> Result<()> {
        Ok(self.engine.get_mut().keep_average()?)
    }

    fn exchange_with_average(&mut self) -> Result<()> {
        let engine = self.engine.get_mut();
        for (own, average) in [
            (Slab::Weights, Slab::AverageWeights),
            (Slab::Statistics, Slab::AverageStatistics),
        ] {
            let [values, averaged] = [engine.read(own)?, engine.read(average)?];
            engine.write(own, &averaged)?;
            engine.write(average, &values)?;
        }
        Ok(())
    }

    fn follow(&mut self, share: f32) -> Result<()> {
        Ok(self.engine.get_mut().follow(share)?)
    }

    fn set_alphas(&mut self, nodes: &[Vec<usize>], alphas: &Alphas) -> Result<()> {
        Ok(self.engine.get_mut().set_alphas(nodes, alphas)?)
    }

    fn move_alphas(&mut self, descent: AlphaDescent) -> Result<()> {
        self.engine.get_mut().move_alphas(descent)?;
        self.descended.pop();
        Ok(())
    }

    fn moved_alphas(&mut self) -> Result<(Vec<Finished>, Finished, Alphas)> {
        let (earlier, done, alphas) = self.engine.get_mut().moved_alphas()?;
        let descended = self.descended.drain(..earlier.len());
        let both = earlier.iter().zip(descended);
        let earlier = both.map(|(done, descended)| finished(done, descended));
        Ok((earlier.collect(), finished(&done, true), alphas))
    }

    fn descend(&mut self, descent: Descent) -> Result<()> {
        if let Some(last) = self.descended.last_mut() {
            *last = true;
        }
        Ok(self.engine.get_mut().descend(descent)?)
    }

    fn outcomes_but(&mut self, newest: usize) -> Result<Vec<Finished>> {
        let outcomes = self.engine.get_mut().outcomes_but(newest)?;
        let descended = self.descended.drain(..outcomes.len());
        let both = outcomes.iter().zip(descended);
        Ok(both
            .map(|(done, descended)| finished(done, descended))
            .collect())
    }

    fn op_weight_gradients(&self) -> Result<Vec<f64>> {
        Ok(self.engine.borrow_mut().op_weight_gradients()?)
    }

    fn logits(&mut self, pixels: &[f32], op_weights: &[f32]) -> Result<Vec<f32>> {
        Ok(self.engine.get_mut().logits(pixels, op_weights)?)
    }

    fn keep_images(&mut self, set: &[u8], tables: &[[f32; 256]]) -> Result<()> {
        Ok(self.engine.get_mut().keep_images(set, tables)?)
    }

    fn engine(&mut self) -> Option<&mut DeviceEngine> {
        Some(self.engine.get_mut())
    }
}

fn finished(done: &Done, moved: bool) -> Finished {
    Finished {
        outcome: StepOutcome::from(done.outcome),
        gradient_norm: moved.then_some(done.gradient_norm),
        seconds: Some(done.seconds),
    }
}

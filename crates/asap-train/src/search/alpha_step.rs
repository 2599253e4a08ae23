//! The steps of the alphas, and the weight step that follows one.
//!
//! On the processor one comes after the other. A device goes from the alphas' gradients to the weights' next step by itself, and
//! what the alphas have come to is looked at meanwhile: what falls under its threshold still takes part in the weight step under
//! way, and is removed after it.

use std::time::Instant;

use asap_anneal::Moment;
use asap_space::Regularisation;

use super::Search;
use crate::error::Result;
use crate::learner::{WeightStep, Whereabouts};
use crate::progress::{Event, Progress};

/// What one alpha step saw.
#[derive(Clone, Copy)]
pub(super) struct AlphaStep {
    pub(super) loss: f64,
    pub(super) images: usize,
    pub(super) seconds: f64,
}

impl Search {
    /// An alpha step, what it removes, and a weight step.
    pub(super) fn both_steps(
        &mut self,
        temperature: f64,
        progress: &mut dyn Progress,
    ) -> Result<(AlphaStep, WeightStep)> {
        let moment = self.moment();
        let regularisation = Regularisation::default();
        if self.learner.network.device().is_none() {
            let alpha = self.alpha_step(temperature)?;
            self.prune(moment, temperature, progress)?;
            let op_weights = self.annealer.op_weights(temperature);
            let weight = self
                .learner
                .weight_step(Some(&op_weights), regularisation)?;
            return Ok((alpha, weight));
        }
        let begun = self.learner.here();
        let images = self.start_alpha_step(temperature)?;
        // The first weight step of a process is looked at here: if both go wrong in it, it is the weights' loss that is told.
        let weight = self.learner.weight_step(None, regularisation)?;
        let alpha = self.follow_alphas(begun, images)?;
        self.prune(moment, temperature, progress)?;
        Ok((alpha, weight))
    }

    /// Trains the alphas on the next batch of the second half; the weights stay as they are.
    fn alpha_step(&mut self, temperature: f64) -> Result<AlphaStep> {
        let batch = self.alpha_images.next()?;
        let start = Instant::now();
        let op_weights = self.annealer.op_weights(temperature);
        let outcome = self.learner.alpha_step(&batch, &op_weights)?;
        let here = self.learner.here();
        self.learner
            .require_finite_at(here, "the loss of the alphas", outcome.loss)?;
        let gradients = self
            .annealer
            .gradient(temperature, &self.learner.network.op_weight_gradients()?);
        let size = gradients.iter().map(|gradient| gradient.abs()).sum();
        self.learner
            .require_finite_at(here, "the gradient of the alphas", size)?;
        let mut parameters = self.annealer.parameters().to_vec();
        self.adam.step(&mut parameters, &gradients);
        self.annealer.set_parameters(&parameters)?;
        let seconds = start.elapsed().as_secs_f64();
        Ok(self.alphas_moved(outcome.loss, batch.len(), seconds))
    }

    /// Begins the same on a device; how many images it sees.
    fn start_alpha_step(&mut self, temperature: f64) -> Result<usize> {
        let network = &mut self.learner.network;
        if !self.alphas_on_device {
            let alphas = self.adam.alphas(self.annealer.parameters());
            network.set_alphas(&alphas)?;
            self.alphas_on_device = true;
        }
        let batch = self.alpha_images.next()?;
        let op_weights = self.annealer.op_weights(temperature);
        self.learner.start_alpha_step(&batch, &op_weights)?;
        let descent = self.adam.descent(temperature, f64::INFINITY);
        self.learner.network.move_alphas(descent)?;
        Ok(batch.len())
    }

    /// Takes over what a device's alphas have come to in the step begun there.
    fn follow_alphas(&mut self, begun: Whereabouts, images: usize) -> Result<AlphaStep> {
        let (finished, moved) = self.learner.network.moved_alphas()?;
        // The weight step before it is done, too, and comes first if anything has gone wrong.
        self.learner.settle_so_far()?;
        let loss = finished.outcome.loss;
        let norm = finished.gradient_norm.unwrap_or(f64::NAN);
        self.learner
            .require_finite_at(begun, "the loss of the alphas", loss)?;
        self.learner
            .require_finite_at(begun, "the gradient of the alphas", norm)?;
        self.annealer.set_parameters(&moved.parameters)?;
        self.adam.follow(&moved);
        let seconds = finished.seconds.unwrap_or_default();
        Ok(self.alphas_moved(loss, images, seconds))
    }

    fn alphas_moved(&mut self, loss: f64, images: usize, seconds: f64) -> AlphaStep {
        self.alpha_steps += 1;
        self.learner
            .state
            .sums
            .add_alpha_step(images, loss, seconds);
        AlphaStep {
            loss,
            images,
            seconds,
        }
    }

    /// Removes what weighs too little: from the network, and with its optimizer state.
    fn prune(
        &mut self,
        moment: Moment,
        temperature: f64,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let pruned = self.annealer.prune(moment, temperature);
        if pruned.removals.is_empty() {
            return Ok(());
        }
        self.adam.keep(&pruned.kept);
        self.learner
            .network
            .prune(self.annealer.topology().clone())?;
        self.alphas_on_device = false;
        progress.event(&Event::Removed(&pruned.removals));
        Ok(())
    }
}

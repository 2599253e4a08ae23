//! What a network holds, read and written: as slabs, and as tensors by name.

use std::borrow::Cow;

use asap_kernels::device::Slab;

use super::Network;
use crate::error::Result;
use crate::tensors::{self, NamedTensor, Taken};

impl Network {
    /// All weights: channels padded to a multiple of 8, padding 0.
    ///
    /// # Errors
    /// If a device fails; the processor never does, here and below.
    pub fn weights(&self) -> Result<Cow<'_, [f32]>> {
        self.backend.read(Slab::Weights)
    }

    /// Other weights; padding must be 0.
    ///
    /// # Errors
    /// If there are more or fewer, or a device fails.
    pub fn set_weights(&mut self, weights: Vec<f32>) -> Result<()> {
        self.backend.write(Slab::Weights, weights)
    }

    /// Running means and variances of all normalisations, padded like the weights.
    ///
    /// # Errors
    /// If a device fails.
    pub fn statistics(&self) -> Result<Cow<'_, [f32]>> {
        self.backend.read(Slab::Statistics)
    }

    /// Other running statistics; padding must be 0.
    ///
    /// # Errors
    /// If there are more or fewer, or a device fails.
    pub fn set_statistics(&mut self, statistics: Vec<f32>) -> Result<()> {
        self.backend.write(Slab::Statistics, statistics)
    }

    /// Gradients of the last step that wanted them, laid out like the weights.
    ///
    /// # Errors
    /// If a device fails.
    pub fn gradients(&self) -> Result<Cow<'_, [f32]>> {
        self.backend.read(Slab::Gradients)
    }

    /// The velocity of every weight that [`Self::descend`] has come to, laid out like the weights.
    ///
    /// # Errors
    /// If a device fails.
    pub fn velocity(&self) -> Result<Cow<'_, [f32]>> {
        self.backend.read(Slab::Velocity)
    }

    /// Another velocity; padding must be 0.
    ///
    /// # Errors
    /// If there are more or fewer numbers than weights, or a device fails.
    pub fn set_velocity(&mut self, velocity: Vec<f32>) -> Result<()> {
        self.backend.write(Slab::Velocity, velocity)
    }

    /// Weights and running statistics by name, sorted.
    ///
    /// # Errors
    /// If a device fails.
    pub fn tensors(&self) -> Result<Vec<NamedTensor>> {
        let mut tensors = self.slab_tensors(&self.weights()?);
        let statistics = self.statistics()?;
        tensors.extend(tensors::from_statistics(self.backend.plan(), &statistics));
        Ok(tensors::sorted(tensors))
    }

    /// Takes over weights and running statistics.
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or of another network; nothing has changed then. If a device fails.
    pub fn load_tensors(&mut self, tensors: &[NamedTensor]) -> Result<()> {
        let mut taken = Taken::new(tensors);
        let weights = taken.slab(self.backend.plan())?;
        let statistics = taken.statistics(self.backend.plan())?;
        taken.finish()?;
        self.set_weights(weights)?;
        self.set_statistics(statistics)
    }

    /// Any slab laid out like the weights, by parameter name.
    pub fn slab_tensors(&self, slab: &[f32]) -> Vec<NamedTensor> {
        tensors::from_slab(self.backend.plan(), slab)
    }

    /// The inverse of [`Self::slab_tensors`].
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or of another network.
    pub fn slab_from_tensors(&self, tensors: &[NamedTensor]) -> Result<Vec<f32>> {
        let mut taken = Taken::new(tensors);
        let slab = taken.slab(self.backend.plan())?;
        taken.finish()?;
        Ok(slab)
    }
}

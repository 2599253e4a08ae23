//! An average of a network's weights and running statistics, where they lie.

use asap_kernels::device::Slab;

use super::Network;
use crate::error::Result;

impl Network {
    /// Keeps an average from now on, in the place of another, that begins with what the network is now. A pruning loses it.
    ///
    /// # Errors
    /// If a device fails or has not the memory.
    pub fn keep_average(&mut self) -> Result<()> {
        let (weights, statistics) = (
            self.weights()?.into_owned(),
            self.statistics()?.into_owned(),
        );
        self.backend.keep_average()?;
        self.backend.write(Slab::AverageWeights, weights)?;
        self.backend.write(Slab::AverageStatistics, statistics)
    }

    /// Moves the average by `share` of the way to what the network is now; may still run when this returns.
    ///
    /// # Errors
    /// If a device has no average, or fails.
    pub fn follow(&mut self, share: f32) -> Result<()> {
        self.backend.follow(share)
    }

    /// Puts the average in the place of the network's own weights and statistics, and these in its place.
    ///
    /// # Errors
    /// If there is no average, or a device fails.
    pub fn exchange_with_average(&mut self) -> Result<()> {
        self.backend.exchange_with_average()
    }
}

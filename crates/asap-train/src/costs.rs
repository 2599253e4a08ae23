//! What a network costs: parameters, arithmetic, memory and disk.

use asap_genotype::Topology;
use asap_space::{
    Execution, NetworkConfig, inference_activations, macs_per_image, parameter_count,
    stored_values, training_memory,
};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// What a network costs, and the images it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// Trainable values; those of an auxiliary head, which only training needs, are left out.
    pub parameters: usize,
    /// Multiply-accumulates of the forward pass of one image, the auxiliary head left out.
    pub macs: u64,
    /// Channels of the first cells.
    pub channels: usize,
    /// Cells.
    pub cells: usize,
    /// Classes that it tells apart.
    pub classes: usize,
    /// Channels of an image.
    pub image_channels: usize,
    /// Height of an image in pixels.
    pub height: usize,
    /// Width of an image in pixels.
    pub width: usize,
    /// Images of a training step.
    pub batch: usize,
    /// Bytes of activations and their gradients in a training step.
    pub training_activation_bytes: u64,
    /// Bytes of activations when one image is classified.
    pub inference_activation_bytes: u64,
    /// Bytes of all values of the saved network as f32: parameters, those of an auxiliary head too, and running
    /// statistics.
    pub disk_f32_bytes: u64,
    /// The same as f16.
    pub disk_f16_bytes: u64,
}

impl Costs {
    /// What the network of `config` and `topology` costs that is run as `execution` says.
    ///
    /// # Errors
    /// The configuration makes no network.
    pub fn of(config: &NetworkConfig, topology: &Topology, execution: Execution) -> Result<Self> {
        let in_use = NetworkConfig {
            auxiliary: false,
            ..config.clone()
        };
        let values = stored_values(config, topology)? as u64;
        Ok(Self {
            parameters: parameter_count(&in_use, topology)?,
            macs: macs_per_image(&in_use, topology)?,
            channels: config.channels,
            cells: config.cells,
            classes: config.classes,
            image_channels: config.image_channels,
            height: config.height,
            width: config.width,
            batch: execution.batch,
            training_activation_bytes: training_memory(config, topology, execution)?.activations,
            inference_activation_bytes: inference_activations(&in_use, topology, 1)?,
            disk_f32_bytes: 4 * values,
            disk_f16_bytes: 2 * values,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use asap_genotype::ASAP;
    use asap_space::{Form, Network, StemForm};

    use super::*;

    #[test]
    fn the_disk_holds_all_values_and_activations_grow_with_the_batch() {
        let config = NetworkConfig {
            channels: 4,
            cells: 3,
            classes: 3,
            image_channels: 1,
            height: 12,
            width: 12,
            form: Form::Final,
            stem: StemForm::Cifar,
            auxiliary: false,
        };
        let (topology, threads) = (Topology::from_genotype(&ASAP), 1);
        let execution = Execution { batch: 8, threads };
        let costs = Costs::of(&config, &topology, execution).unwrap();
        let network = Network::new(config, topology, execution, 0).unwrap();
        let values: usize = network
            .tensors()
            .unwrap()
            .iter()
            .map(|t| t.values.len())
            .sum();
        assert_eq!(costs.disk_f32_bytes, 4 * values as u64);
        assert_eq!(costs.disk_f16_bytes, 2 * values as u64);
        assert!(values > costs.parameters);
        assert!(costs.training_activation_bytes > 7 * costs.inference_activation_bytes);
        assert!(costs.inference_activation_bytes > 0);
    }
}

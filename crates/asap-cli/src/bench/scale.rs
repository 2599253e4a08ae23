//! How large a network and its batches are.

use asap_space::{Form, NetworkConfig, StemForm};

/// Classes of every benchmark.
pub(super) const CLASSES: usize = 10;

/// Flags of the size; without them that of the paper's search.
#[derive(clap::Args)]
pub(super) struct Scale {
    /// Channels of the first cells
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(super) channels: usize,
    /// Cells of the network
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(super) cells: usize,
    /// Height and width of an image, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 32)]
    pub(super) size: usize,
    /// Images of a step
    #[arg(long, value_name = "IMAGES", default_value_t = 64)]
    pub(super) batch: usize,
}

impl Scale {
    pub(super) fn network(&self, image_channels: usize, form: Form) -> NetworkConfig {
        NetworkConfig {
            channels: self.channels,
            cells: self.cells,
            classes: CLASSES,
            image_channels,
            height: self.size,
            width: self.size,
            form,
            stem: StemForm::Cifar,
            auxiliary: false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use asap_genotype::{ASAP, OpSet, Topology};
    use asap_space::{macs_per_image, parameter_count};

    fn sizes(scale: &Scale, form: Form, topology: &Topology) -> (usize, u64) {
        let config = scale.network(3, form);
        (
            parameter_count(&config, topology).unwrap(),
            macs_per_image(&config, topology).unwrap(),
        )
    }

    fn scale(channels: usize, cells: usize, size: usize) -> Scale {
        let batch = 1;
        Scale {
            channels,
            cells,
            size,
            batch,
        }
    }

    /// From the PyTorch programs: their own parameters, and multiply-accumulates counted by hooks.
    #[test]
    fn networks_have_the_weights_and_macs_of_the_peer() {
        let supernet = Topology::full(&OpSet::darts7());
        for (scale, expected) in [
            (scale(8, 5, 28), (394_210, 47_185_536)),
            (scale(16, 8, 32), (1_930_618, 300_255_744)),
        ] {
            assert_eq!(sizes(&scale, Form::Search, &supernet), expected);
        }
        let derived = Topology::from_genotype(&ASAP);
        let found = sizes(&scale(36, 20, 32), Form::Final, &derived);
        assert_eq!(found, (2_538_046, 400_652_928));
    }
}

//! Averaged weights: an exponential moving average of a network's weights and running statistics.
//!
//! ```text
//! d <- min(decay, (1 + t) / (10 + t))      t weight steps done
//! a <- d * a + (1 - d) * w
//! ```
//!
//! The smaller share at the start forgets the random weights that the average begins with (as
//! TensorFlow's average does it, from memory). Running statistics are averaged too, so that the averaged
//! network can be used as it is (ours).

use asap_space::{NamedTensor, Network};

use crate::error::Result;

/// How a network's average follows it; the network holds it.
#[derive(Clone, Copy)]
pub(crate) struct Averaged {
    decay: f64,
}

impl Averaged {
    /// An average that begins with what `network` is now.
    pub(crate) fn new(decay: f64, network: &mut Network) -> Result<Self> {
        network.keep_average()?;
        Ok(Self { decay })
    }

    /// An average that goes on with the tensors of a checkpoint; `network` stays as it is.
    pub(crate) fn restored(
        decay: f64,
        network: &mut Network,
        tensors: &[NamedTensor],
    ) -> Result<Self> {
        let now = network.tensors()?;
        network.load_tensors(tensors)?;
        let averaged = Self::new(decay, network)?;
        network.load_tensors(&now)?;
        Ok(averaged)
    }

    /// Moves the average towards `network`, which has done `steps` weight steps. A device does so after the last of them.
    pub(crate) fn follow(self, network: &mut Network, steps: usize) -> Result<()> {
        Ok(network.follow((1.0 - decay_after(self.decay, steps)) as f32)?)
    }

    /// What `look` says about `network` with the average in the place of its own weights, which it gets back.
    pub(crate) fn in_place_of<T>(
        self,
        network: &mut Network,
        look: impl FnOnce(&mut Network) -> Result<T>,
    ) -> Result<T> {
        network.exchange_with_average()?;
        let answer = look(network);
        network.exchange_with_average()?;
        answer
    }
}

/// Share of the average that stays after `steps` steps.
fn decay_after(decay: f64, steps: usize) -> f64 {
    let steps = steps as f64;
    decay.min((1.0 + steps) / (10.0 + steps))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use asap_genotype::{ASAP, Topology};
    use asap_space::{Execution, Form, NetworkConfig, StemForm};

    use super::*;

    fn network() -> Network {
        let config = NetworkConfig {
            channels: 2,
            cells: 3,
            classes: 3,
            image_channels: 1,
            height: 8,
            width: 8,
            form: Form::Final,
            stem: StemForm::Cifar,
            auxiliary: false,
        };
        let execution = Execution {
            batch: 2,
            threads: 1,
        };
        Network::new(config, Topology::from_genotype(&ASAP), execution, 1).unwrap()
    }

    /// By hand: the decays are 2/11, 3/12, 4/13 and at last 0.5, the limit that was asked for.
    #[test]
    fn the_average_has_the_values_computed_by_hand() {
        let mut network = network();
        let [weights, statistics] =
            [network.weights(), network.statistics()].map(|slab| slab.unwrap().len());
        network.set_weights(vec![0.0; weights]).unwrap();
        network.set_statistics(vec![1.0; statistics]).unwrap();
        let averaged = Averaged::new(0.5, &mut network).unwrap();
        let mut expected: f64 = 0.0;
        for (steps, decay) in [(1, 2.0 / 11.0), (2, 0.25), (3, 4.0 / 13.0), (20, 0.5)] {
            network.set_weights(vec![steps as f32; weights]).unwrap();
            averaged.follow(&mut network, steps).unwrap();
            expected = decay * expected + (1.0 - decay) * steps as f64;
        }
        network.exchange_with_average().unwrap();
        let weights = network.weights().unwrap();
        let near = |found: &f32| (f64::from(*found) - expected).abs() < 1e-6 * expected;
        assert!(weights.iter().all(near));
        assert!(network.statistics().unwrap().iter().all(|&v| v == 1.0));
    }

    #[test]
    fn the_network_gets_its_own_weights_back() {
        let mut network = network();
        let own = network.tensors().unwrap();
        let averaged = Averaged::new(0.9, &mut network).unwrap();
        let quarter = |network: &mut Network| {
            let len = network.weights()?.len();
            Ok(network.set_weights(vec![0.25; len])?)
        };
        averaged.in_place_of(&mut network, quarter).unwrap();
        let tensors = averaged.in_place_of(&mut network, |network| {
            assert!(network.weights()?.iter().all(|&weight| weight == 0.25));
            Ok((network.tensors()?, network.statistics()?.into_owned()))
        });
        let (tensors, statistics) = tensors.unwrap();
        assert_eq!(network.tensors().unwrap(), own);
        // Padding of channels has no tensor and comes back as 0.
        Averaged::restored(0.9, &mut network, &tensors).unwrap();
        assert_eq!(network.tensors().unwrap(), own);
        network.exchange_with_average().unwrap();
        assert_eq!(network.statistics().unwrap(), statistics);
        let restored = network.weights().unwrap();
        let places = restored.iter().filter(|&&weight| weight != 0.0);
        assert_eq!(
            places.count(),
            tensors
                .iter()
                .filter(|t| !t.name.ends_with(".mean") && !t.name.ends_with(".variance"))
                .map(|t| t.values.len())
                .sum::<usize>()
        );
    }
}

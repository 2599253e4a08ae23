//! Holds a network to its plain form: one training step, then evaluation.

use std::collections::BTreeMap;

use asap_genotype::{CellKind, Edge, OpWeights, Topology};
use asap_space::{
    Execution, Images, Level, NamedTensor, Network, NetworkConfig, Regularisation, StepOutcome,
    Wanted,
};

use super::network::{Outcome, ReferenceNetwork};
use super::random::Random;

// Tolerances. The network computes in f32, the plain form in f64 from the same f32 numbers. A value of a layer
// is a sum of some hundred products, off by a few units of 6e-8; the error grows by about as much again in each of
// the 20 to 60 layers of these networks, so values of size 1 are off by up to 1e-5 (PyTorch in f32 is off by
// 1e-5 in the same networks, measured). Near a kink that would be amplified without bound: `Ready` keeps the
// data away from them.
//
// A tensor of gradients is compared as a whole, by norm. Where batch norm makes the loss blind to a
// weight's scale (one channel: to the weight), the true gradient is 0 and what is left is rounding of its
// summands: the floor stands for their size. By this measure PyTorch in f32 stays within 3e-5, so 1e-4 leaves
// room for another order of summation, and any wrong term is far outside.

/// Distance to the next kink: more than rounding moves most values, and as much as random data allow.
const MARGIN: f64 = 5e-6;
/// Relative to a tensor's norm plus the floor.
const GRADIENT: f64 = 1e-4;
/// The floor of a tensor's norm, relative to the root mean square of the norms of all gradient tensors.
const FLOOR: f64 = 3e-2;
/// Gradients of op weights, relative to the norm of those of one cell kind.
const OP_WEIGHT_GRADIENT: f64 = 2e-5;
/// Absolute: the loss and the logits are of size 1.
const LOSS: f64 = 1e-5;
const LOGIT: f64 = 2e-5;
/// Means and variances, relative to 1 plus their size.
const RUNNING: f64 = 1e-5;

/// A network to be held to its plain form.
pub(crate) struct Case {
    pub(crate) config: NetworkConfig,
    pub(crate) topology: Topology,
    pub(crate) execution: Execution,
    /// Images in the batch, as many as `execution.batch` or fewer.
    pub(crate) images: usize,
    pub(crate) draw: Draw,
    pub(crate) regularisation: Regularisation,
}

/// How so many pixels are drawn.
pub(crate) type Draw = fn(&mut Random, usize) -> Vec<f32>;

/// A network with a batch that keeps its distance from kinks, and what a step must find there.
pub(crate) struct Ready {
    pub(crate) network: Network,
    level: Level,
    pixels: Vec<f32>,
    labels: Vec<u32>,
    op_weights: OpWeights,
    regularisation: Regularisation,
    expected: Outcome,
}

impl Case {
    /// One step and one evaluation agree with the plain form in everything, with every instruction set that
    /// the processor has.
    pub(crate) fn assert_agrees(&self) {
        let mut ready = self.ready();
        let tensors = ready.network.tensors().unwrap();
        for level in Level::available() {
            ready.network = self.network(level);
            ready.level = level;
            ready.network.load_tensors(&tensors).unwrap();
            ready.assert_agrees();
        }
    }

    /// The network with random statistics and affines.
    pub(crate) fn ready(&self) -> Ready {
        let mut network = self.network(Level::detect());
        let mut tensors = network.tensors().unwrap();
        randomise(&mut tensors, &mut Random(11));
        network.load_tensors(&tensors).unwrap();
        Ready::regularised(network, self.images, self.draw, self.regularisation)
    }

    pub(crate) fn network(&self, level: Level) -> Network {
        let (config, topology) = (self.config.clone(), self.topology.clone());
        Network::with_level(config, topology, self.execution, 7, level).unwrap()
    }
}

impl Ready {
    /// A network as it stands, with a batch of so many images.
    pub(crate) fn new(network: Network, images: usize, draw: Draw) -> Self {
        Self::regularised(network, images, draw, Regularisation::default())
    }

    fn regularised(
        network: Network,
        images: usize,
        draw: Draw,
        regularisation: Regularisation,
    ) -> Self {
        let (config, topology) = (network.config(), network.topology());
        let mut random = Random(13);
        let op_weights = if topology.is_discrete() {
            OpWeights::ones(topology)
        } else {
            random.op_weights(topology)
        };
        let labels = random.labels(images, config.classes);
        let reference = ReferenceNetwork::new(config, topology, &network.tensors().unwrap());
        let values = images * config.height * config.width * config.image_channels;
        let pixels = std::iter::repeat_with(|| draw(&mut random, values))
            .take(100)
            .find(|pixels| reference.margin(pixels, &op_weights, regularisation) > MARGIN)
            .expect("one batch in 100 keeps its distance from kinks");
        let expected = reference.step(&pixels, &labels, &op_weights, regularisation);
        Self {
            network,
            level: Level::detect(),
            pixels,
            labels,
            op_weights,
            regularisation,
            expected,
        }
    }

    /// One step and one evaluation agree with the plain form in everything.
    pub(crate) fn assert_agrees(&mut self) {
        self.step(Wanted::Both);
        self.assert_gradients_agree();
        self.assert_op_weight_gradients_agree();
        self.assert_running_statistics_agree();
        self.assert_evaluation_agrees();
    }

    /// One step, which must find the expected loss.
    pub(crate) fn step(&mut self, wanted: Wanted) {
        let found = self.try_step(wanted).unwrap();
        let expected = &self.expected;
        assert!(
            (found.loss - expected.loss).abs() <= LOSS,
            "{}, loss: found {}, expected {}",
            self.level,
            found.loss,
            expected.loss
        );
        assert_eq!(found.correct, expected.correct);
    }

    /// The loss of a weight step.
    pub(crate) fn loss(&mut self, regularisation: Regularisation) -> f64 {
        self.regularisation = regularisation;
        self.try_step(Wanted::Weights).unwrap().loss
    }

    /// Logits of the batch.
    pub(crate) fn logits(&mut self) -> Vec<f32> {
        self.network.logits(&self.pixels, &self.op_weights).unwrap()
    }

    /// Why a weight step is refused.
    pub(crate) fn refusal(&mut self, regularisation: Regularisation) -> String {
        self.regularisation = regularisation;
        self.try_step(Wanted::Weights).unwrap_err().to_string()
    }

    fn try_step(&mut self, wanted: Wanted) -> asap_space::Result<StepOutcome> {
        let images = Images {
            pixels: &self.pixels,
            labels: &self.labels,
        };
        self.network
            .step_with(images, &self.op_weights, wanted, self.regularisation)
    }

    pub(crate) fn assert_gradients_agree(&self) {
        let found = self
            .network
            .slab_tensors(&self.network.gradients().unwrap());
        let names: Vec<&str> = found.iter().map(|tensor| tensor.name.as_str()).collect();
        for name in self.expected.gradients.keys() {
            assert!(names.contains(&name.as_str()), "no gradient of {name}");
        }

        let squares: f64 = self
            .expected
            .gradients
            .values()
            .flatten()
            .map(|v| v * v)
            .sum();
        let floor = FLOOR * (squares / self.expected.gradients.len() as f64).sqrt();
        for tensor in &found {
            let zeros = vec![0.0; tensor.values.len()];
            // A parameter that no operation alive depends on has no gradient in the plain form.
            let expected = self.expected.gradients.get(&tensor.name).unwrap_or(&zeros);
            let error = distance(&tensor.values, expected);
            let allowed = GRADIENT * (norm(expected) + floor);
            assert!(
                error <= allowed,
                "{}, gradient of {}: off by {error:e}, allowed {allowed:e}, its norm is {:e}",
                self.level,
                tensor.name,
                norm(expected)
            );
        }
    }

    pub(crate) fn assert_op_weight_gradients_agree(&self) {
        let found = self.network.op_weight_gradients().unwrap();
        for kind in CellKind::ALL {
            let expected = self.expected.op_weight_gradients.cell(kind);
            let all: Vec<f64> = expected.iter().flatten().copied().collect();
            for edge in Edge::all() {
                let (found, expected) = (found.edge(kind, edge), &expected[edge.index()]);
                assert_eq!(found.len(), expected.len(), "{kind} {edge}");
                for (found, expected) in found.iter().zip(expected) {
                    assert!(
                        (found - expected).abs() <= OP_WEIGHT_GRADIENT * norm(&all),
                        "{}, op weight gradients of {kind} {edge}: found {found}, expected {expected}",
                        self.level
                    );
                }
            }
        }
    }

    fn assert_running_statistics_agree(&self) {
        let tensors = self.network.tensors().unwrap();
        let found: BTreeMap<_, _> = tensors
            .iter()
            .map(|tensor| (tensor.name.as_str(), &tensor.values))
            .collect();
        assert!(!self.expected.running.is_empty());
        for (name, expected) in &self.expected.running {
            let what = format!("{}, {name}", self.level);
            assert_near(&what, found[name.as_str()], expected, RUNNING);
        }
    }

    fn assert_evaluation_agrees(&mut self) {
        let (config, topology) = (
            self.network.config().clone(),
            self.network.topology().clone(),
        );
        let reference = ReferenceNetwork::new(&config, &topology, &self.network.tensors().unwrap());
        let expected = reference.evaluate(&self.pixels, &self.op_weights);
        let found = self.network.logits(&self.pixels, &self.op_weights).unwrap();
        assert_near(&format!("{}, logits", self.level), &found, &expected, LOGIT);
    }
}

/// Values near each other, relative to 1 plus the size of the expected one.
pub(crate) fn assert_near(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*found) - expected).abs() <= tolerance * (1.0 + expected.abs()),
            "{what}[{i}]: found {found}, expected {expected}"
        );
    }
}

fn randomise(tensors: &mut [NamedTensor], random: &mut Random) {
    for tensor in tensors {
        let (low, high) = match tensor.name.rsplit('.').next() {
            Some("mean" | "shift") => (-0.4, 0.4),
            Some("variance" | "scale") => (0.5, 1.5),
            _ => continue,
        };
        tensor.values.fill_with(|| random.between(low, high));
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn distance(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let differences: Vec<f64> = found
        .iter()
        .zip(expected)
        .map(|(a, b)| f64::from(*a) - b)
        .collect();
    norm(&differences)
}

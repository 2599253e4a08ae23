//! Golden networks: what PyTorch computes, the network and its plain form compute too.
//!
//! `tests/golden/README.md` says where the values come from.

use std::collections::BTreeMap;

use asap_genotype::{CellKind, Genotype, OpSet, OpWeights, Topology};
use asap_space::{Descent, Form, NamedTensor, NetworkConfig, Regularisation, StemForm, Wanted};

use super::agreement::assert_near;
use super::golden_file::Golden;
use super::network::ReferenceNetwork;

/// The plain form computes in f64 as the golden values were; those are stored in f32.
const PLAIN: f64 = 1e-7;
/// The network computes in f32: see `agreement.rs`.
const NETWORK: f64 = 1e-5;
/// Five steps of training carry rounding errors on and enlarge them; a wrong term would be far outside.
const AFTER_TRAINING: f64 = 3e-4;

#[test]
fn the_plain_form_of_a_supernet_agrees_with_pytorch() {
    supernet().assert_plain_form_agrees();
}

#[test]
fn the_plain_form_of_a_final_network_agrees_with_pytorch() {
    final_network().assert_plain_form_agrees();
}

#[test]
fn a_supernet_agrees_with_pytorch() {
    supernet().assert_network_agrees();
}

#[test]
fn a_final_network_agrees_with_pytorch() {
    final_network().assert_network_agrees();
}

#[test]
fn training_a_supernet_gives_the_losses_of_pytorch() {
    supernet().assert_losses_agree();
}

#[test]
fn training_a_final_network_gives_the_losses_of_pytorch() {
    final_network().assert_losses_agree();
}

#[test]
fn the_plain_form_of_a_regularised_network_agrees_with_pytorch() {
    regularised().assert_plain_form_agrees();
}

#[test]
fn the_plain_form_of_the_stem_of_imagenet_agrees_with_pytorch() {
    image_stem().assert_plain_form_agrees();
}

#[test]
fn a_regularised_network_agrees_with_pytorch() {
    regularised().assert_network_agrees();
}

#[test]
fn a_network_with_the_stem_of_imagenet_agrees_with_pytorch() {
    image_stem().assert_network_agrees();
}

#[test]
fn training_a_regularised_network_gives_the_losses_of_pytorch() {
    regularised().assert_losses_agree();
}

#[test]
fn training_with_the_stem_of_imagenet_gives_the_losses_of_pytorch() {
    image_stem().assert_losses_agree();
}

fn supernet() -> Golden {
    let config = NetworkConfig {
        channels: 3,
        cells: 4,
        classes: 10,
        image_channels: 3,
        height: 11,
        width: 11,
        form: Form::Search,
        stem: StemForm::Cifar,
        auxiliary: false,
    };
    let mut golden = Golden::read("supernet", config, Topology::full(&OpSet::darts7()));
    for kind in CellKind::ALL {
        let weights = golden.by_edge(&format!("op_weights.{kind}"));
        *golden.op_weights.cell_mut(kind) = weights;
    }
    golden
}

fn final_network() -> Golden {
    let config = NetworkConfig {
        channels: 4,
        cells: 5,
        classes: 3,
        image_channels: 1,
        height: 10,
        width: 10,
        form: Form::Final,
        stem: StemForm::Cifar,
        auxiliary: false,
    };
    let genotype = Genotype::named("DARTS_V2").unwrap();
    Golden::read("final", config, Topology::from_genotype(genotype))
}

fn regularised() -> Golden {
    let config = NetworkConfig {
        channels: 2,
        cells: 4,
        classes: 10,
        image_channels: 3,
        height: 41,
        width: 41,
        form: Form::Final,
        stem: StemForm::Cifar,
        auxiliary: true,
    };
    let genotype = Genotype::named("DARTS_V2").unwrap();
    let mut golden = Golden::read("regularised", config, Topology::from_genotype(genotype));
    golden.regularisation = Regularisation {
        label_smoothing: 0.1,
        auxiliary_weight: 0.4,
        drop_path: 0.3,
        seed: 5,
    };
    golden
}

fn image_stem() -> Golden {
    let config = NetworkConfig {
        channels: 5,
        cells: 3,
        classes: 7,
        image_channels: 3,
        height: 35,
        width: 35,
        form: Form::Final,
        stem: StemForm::ImageNet,
        auxiliary: false,
    };
    let genotype = Genotype::named("ASAP").unwrap();
    Golden::read("image_stem", config, Topology::from_genotype(genotype))
}

impl Golden {
    fn assert_plain_form_agrees(&self) {
        // Evaluation needs the running statistics: those of the network's names at their start.
        let mut tensors = self.network(1).tensors().unwrap();
        let plain = ReferenceNetwork::new(&self.config, &self.topology, &tensors);
        let pixels = self.values("pixels");
        let outcome = plain.step(pixels, &self.labels, &self.op_weights, self.regularisation);
        assert_near("loss", &[outcome.loss as f32], &self.wide("loss"), PLAIN);
        for (name, golden) in self.group("gradient") {
            let plain = &outcome.gradients[name][..golden.values.len()];
            assert_near(name, &golden.values, plain, PLAIN);
        }
        for (name, golden) in self.group("after") {
            assert_near(name, &golden.values, &outcome.running[name], PLAIN);
        }
        self.assert_op_weight_gradients_near(&outcome.op_weight_gradients, PLAIN);

        for tensor in &mut tensors {
            if let Some(running) = outcome.running.get(&tensor.name) {
                tensor.values = running.iter().map(|value| *value as f32).collect();
            }
        }
        let plain = ReferenceNetwork::new(&self.config, &self.topology, &tensors);
        let logits = plain.evaluate(self.values("pixels"), &self.op_weights);
        // The running statistics went through f32.
        assert_near("logits", self.values("logits"), &logits, 10.0 * PLAIN);
    }

    fn assert_network_agrees(&self) {
        let mut network = self.network(2);
        let outcome = network
            .step_with(
                self.images(),
                &self.op_weights,
                Wanted::Both,
                self.regularisation,
            )
            .unwrap();
        assert_near("loss", &[outcome.loss as f32], &self.wide("loss"), NETWORK);
        let gradients = by_name(network.slab_tensors(&network.gradients().unwrap()));
        for (name, golden) in self.group("gradient") {
            let found = &gradients[name][..golden.values.len()];
            assert_near(name, found, &wide(&golden.values), NETWORK);
        }
        let tensors = by_name(network.tensors().unwrap());
        for (name, golden) in self.group("after") {
            assert_near(name, &tensors[name], &wide(&golden.values), NETWORK);
        }
        self.assert_op_weight_gradients_near(&network.op_weight_gradients().unwrap(), NETWORK);
        let logits = network
            .logits(self.values("pixels"), &self.op_weights)
            .unwrap();
        assert_near("logits", &logits, &self.wide("logits"), NETWORK);
    }

    fn assert_op_weight_gradients_near(&self, found: &OpWeights, tolerance: f64) {
        for kind in CellKind::ALL {
            let name = format!("op_weights.{kind}.gradient");
            if self.tensors.contains_key(&name) {
                let found: Vec<f32> = found
                    .cell(kind)
                    .iter()
                    .flatten()
                    .map(|value| *value as f32)
                    .collect();
                assert_near(&name, &found, &self.wide(&name), tolerance);
            }
        }
    }

    /// SGD as the search sets it: 0.025, momentum 0.9, weight decay 3e-4, norm clipped to 5.
    fn assert_losses_agree(&self) {
        let mut network = self.network(2);
        let descent = Descent {
            learning_rate: 0.025,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 3e-4,
            clip: 5.0,
        };
        let mut losses = Vec::new();
        for _ in self.values("losses") {
            let outcome = network
                .step_with(
                    self.images(),
                    &self.op_weights,
                    Wanted::Weights,
                    self.regularisation,
                )
                .unwrap();
            losses.push(outcome.loss as f32);
            network.descend(descent).unwrap();
        }
        assert_near("losses", &losses, &self.wide("losses"), AFTER_TRAINING);
    }
}

fn by_name(tensors: Vec<NamedTensor>) -> BTreeMap<String, Vec<f32>> {
    tensors
        .into_iter()
        .map(|tensor| (tensor.name, tensor.values))
        .collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

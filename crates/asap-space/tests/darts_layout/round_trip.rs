//! What is written is what was read.

use std::collections::BTreeMap;

use asap_genotype::{CellKind, Genotype, Listing, OpSet, OpWeights, Topology};
use asap_space::{
    DartsLayout, DartsNetwork, Execution, Form, NamedTensor, Network, NetworkConfig, StemForm,
};

use super::golden::{Golden, derived, search};

fn by_key(tensors: &[NamedTensor]) -> BTreeMap<&str, (&[usize], Vec<u32>)> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    tensors
        .iter()
        .map(|tensor| {
            (
                tensor.name.as_str(),
                (tensor.shape.as_slice(), bits(&tensor.values)),
            )
        })
        .collect()
}

#[test]
fn a_state_dict_of_pytorch_is_written_as_it_was_read() {
    for (file, genotype) in [
        ("asap", "ASAP"),
        ("darts_v2", "DARTS_V2"),
        ("xnas", "XNAS"),
        ("imagenet", "ASAP"),
    ] {
        let golden = Golden::read(file);
        let layout = derived(&golden, genotype);
        let written = layout.state_dict(&golden.network(&layout).tensors().unwrap());
        assert_eq!(by_key(&written), by_key(&golden.state_dict));
    }
    let golden = Golden::read("search");
    let layout = search(&golden);
    let written = layout.state_dict(&golden.network(&layout).tensors().unwrap());
    assert_eq!(by_key(&written), by_key(&golden.state_dict));
}

fn config(form: Form) -> NetworkConfig {
    NetworkConfig {
        channels: 4,
        cells: 5,
        classes: 3,
        image_channels: 1,
        height: 8,
        width: 8,
        form,
        stem: StemForm::Cifar,
        auxiliary: false,
    }
}

const EXECUTION: Execution = Execution {
    batch: 2,
    threads: 1,
};

#[test]
fn every_tensor_of_a_derived_network_comes_back_by_its_operation_and_source() {
    // Another order than by source, in which two operations of a node have the same shapes.
    let listing = Listing::named("XNAS").unwrap();
    let topology = Topology::from_genotype(listing.genotype());
    let network = Network::new(config(Form::Final), topology, EXECUTION, 5).unwrap();
    let layout = DartsLayout::new(config(Form::Final), DartsNetwork::Derived(listing)).unwrap();
    let state_dict = layout.state_dict(&network.tensors().unwrap());
    let read = DartsLayout::of_state_dict(&state_dict, DartsNetwork::Derived(listing), [8, 8]);
    let tensors = read.unwrap().tensors(&state_dict).unwrap();
    assert_eq!(tensors, network.tensors().unwrap());
    // Node 4 of the normal cell reads node 3 first.
    let ours = network.tensors().unwrap();
    let find = |tensors: &[NamedTensor], name: &str| {
        let found = tensors.iter().find(|tensor| tensor.name == name);
        found.unwrap().values.clone()
    };
    assert_eq!(
        find(&state_dict, "cells.0._ops.4.op.1.weight"),
        find(&ours, "cells.0.edges.3-4.sep_conv_3x3.depthwise1")
    );
    assert_eq!(layout.counters().len(), normalisations(&state_dict));
}

fn normalisations(state_dict: &[NamedTensor]) -> usize {
    let means = state_dict
        .iter()
        .filter(|tensor| tensor.name.ends_with("running_mean"));
    means.count()
}

#[test]
fn a_state_dict_tells_which_of_two_different_operations_came_first() {
    let golden = Golden::read("darts_v2");
    let by_source = Genotype::named("DARTS_V2").unwrap().to_darts();
    let listing = Listing::from_darts(&by_source).unwrap();
    assert_ne!(
        listing.inputs(CellKind::Normal),
        Listing::named("DARTS_V2").unwrap().inputs(CellKind::Normal)
    );
    let network = DartsNetwork::Derived(&listing);
    let layout = DartsLayout::of_state_dict(&golden.state_dict, network, golden.image()).unwrap();
    let expected = derived(&golden, "DARTS_V2")
        .tensors(&golden.state_dict)
        .unwrap();
    assert_eq!(layout.tensors(&golden.state_dict).unwrap(), expected);
}

#[test]
fn statistics_of_a_shared_pool_are_written_to_every_edge_and_read_back_as_one() {
    let topology = Topology::full(&OpSet::darts8());
    let mut network = Network::new(config(Form::Search), topology, EXECUTION, 5).unwrap();
    // Statistics other than those that every network starts with.
    let mut tensors = network.tensors().unwrap();
    for (number, tensor) in tensors.iter_mut().enumerate() {
        let values = tensor.values.iter_mut();
        values.for_each(|value| *value += 0.01 * (number % 17) as f32);
    }
    network.load_tensors(&tensors).unwrap();
    let layout = DartsLayout::new(config(Form::Search), DartsNetwork::Search).unwrap();
    let state_dict = layout.state_dict(&network.tensors().unwrap());
    let read = DartsLayout::of_state_dict(&state_dict, DartsNetwork::Search, [8, 8]).unwrap();
    assert_eq!(read.config().form, Form::Search);
    assert_eq!(
        read.tensors(&state_dict).unwrap(),
        network.tensors().unwrap()
    );
    // Two pools on each of 14 edges in each of 5 cells have a name of their own there.
    assert_eq!(layout.counters().len(), normalisations(&state_dict));
    let pools = state_dict.iter().filter(|tensor| {
        tensor.name.ends_with("._ops.1.1.running_mean")
            || tensor.name.ends_with("._ops.2.1.running_mean")
    });
    assert_eq!(pools.count(), 2 * 14 * 5);

    // Kept by edge, they are the same network.
    let by_edge = config(Form::SearchByEdge);
    let layout = DartsLayout::new(by_edge, DartsNetwork::Search).unwrap();
    let mut apart = layout.network(&state_dict, EXECUTION).unwrap();
    let pixels: Vec<f32> = (0..2 * 64).map(|i| (i as f32).sin()).collect();
    let op_weights = OpWeights::uniform(network.topology());
    let (one, other) = (
        network.logits(&pixels, &op_weights).unwrap(),
        apart.logits(&pixels, &op_weights).unwrap(),
    );
    for (one, other) in one.iter().zip(&other) {
        assert!((one - other).abs() <= 1e-5, "{one} {other}");
    }
}

//! A network computes what its plain form computes: loss, every gradient, running statistics, evaluation.
//!
//! The plain form (`tests/reference_network/`) is assembled in f64 from `asap_kernels::reference` and knows the
//! network only by its config, its topology and its named tensors.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "reference_network/mod.rs"]
mod plain;

use asap_genotype::{CellKind, Edge, Genotype, OpSet, Operation, Topology};
use asap_space::{
    Execution, Form, Level, NamedTensor, NetworkConfig, Regularisation, StemForm, Wanted,
    parameter_count,
};
use plain::agreement::{Case, Ready};
use plain::random::Random;

#[test]
fn a_supernet_of_seven_operations_agrees() {
    for (channels, cells, size) in [(3, 4, 13), (8, 3, 9), (2, 6, 9)] {
        case(channels, cells, size, Topology::full(&OpSet::darts7())).assert_agrees();
    }
}

#[test]
fn a_supernet_of_eight_operations_agrees() {
    case(5, 3, 9, Topology::full(&OpSet::darts8())).assert_agrees();
}

#[test]
fn a_supernet_of_one_channel_agrees() {
    case(1, 3, 13, Topology::full(&OpSet::darts7())).assert_agrees();
}

#[test]
fn a_supernet_of_many_channels_agrees() {
    case(20, 3, 9, Topology::full(&OpSet::darts7())).assert_agrees();
}

#[test]
fn a_supernet_of_large_images_agrees() {
    case(2, 3, 28, Topology::full(&OpSet::darts7())).assert_agrees();
}

#[test]
fn a_supernet_of_images_with_flat_ground_agrees() {
    let mut case = case(3, 3, 13, Topology::full(&OpSet::darts7()));
    case.draw = Random::pixels_on_flat_ground;
    case.assert_agrees();
}

#[test]
fn a_supernet_of_oblong_grey_images_agrees() {
    let mut case = case(4, 3, 9, Topology::full(&OpSet::darts7()));
    case.config.width = 14;
    case.config.image_channels = 1;
    case.config.classes = 3;
    case.assert_agrees();
}

#[test]
fn a_pruned_supernet_agrees() {
    for seed in 0..8 {
        let op_set = if seed % 2 == 0 {
            OpSet::darts7()
        } else {
            OpSet::darts8()
        };
        let mut topology = Topology::full(&op_set);
        Random(seed).prune(&mut topology);
        case(1 + seed as usize, 3 + seed as usize % 3, 9, topology).assert_agrees();
    }
}

#[test]
fn a_cell_that_reads_one_input_only_agrees() {
    let mut topology = Topology::full(&OpSet::darts7());
    for (kind, unread) in [(CellKind::Normal, 0), (CellKind::Reduction, 1)] {
        for edge in Edge::all().filter(|edge| edge.from() == unread) {
            topology.cell_mut(kind).remove_edge(edge).unwrap();
        }
    }
    case(3, 4, 9, topology).assert_agrees();
}

#[test]
fn an_edge_left_with_none_passes_nothing() {
    let mut topology = Topology::full(&OpSet::darts8());
    for kind in CellKind::ALL {
        for edge in [
            Edge::new(0, 2).unwrap(),
            Edge::new(1, 2).unwrap(),
            Edge::new(2, 5).unwrap(),
        ] {
            topology
                .cell_mut(kind)
                .keep_only(edge, Operation::None)
                .unwrap();
        }
    }
    case(3, 3, 9, topology).assert_agrees();
}

#[test]
fn derived_networks_in_search_form_agree() {
    for (genotype, channels, cells, size) in [
        ("ASAP", 4, 6, 13),
        ("DARTS_V2", 7, 5, 9),
        ("XNAS", 3, 3, 28),
        ("PC_DARTS", 64, 3, 5),
    ] {
        case(channels, cells, size, published(genotype)).assert_agrees();
    }
}

#[test]
fn derived_networks_in_final_form_agree() {
    for (genotype, channels, cells, size) in [
        ("ASAP", 9, 5, 9),
        ("DARTS_V1", 4, 8, 13),
        ("DARTS_V2", 6, 3, 28),
        ("PC_DARTS", 2, 4, 9),
        ("ASAP", 33, 3, 7),
    ] {
        let mut case = case(channels, cells, size, published(genotype));
        case.config.form = Form::Final;
        case.assert_agrees();
    }
}

#[test]
fn more_threads_than_the_batch_divides_into_agree() {
    for (threads, capacity, images) in [(1, 5, 5), (3, 5, 5), (3, 8, 2)] {
        let mut case = case(3, 3, 9, Topology::full(&OpSet::darts7()));
        case.execution = Execution {
            batch: capacity,
            threads,
        };
        case.images = images;
        case.assert_agrees();
    }
}

#[test]
fn smoothed_labels_agree() {
    for label_smoothing in [0.1, 0.6, 1.0] {
        let mut case = case(3, 3, 9, Topology::full(&OpSet::darts7()));
        case.regularisation.label_smoothing = label_smoothing;
        case.assert_agrees();
    }
}

#[test]
fn a_supernet_that_drops_paths_agrees() {
    for (channels, cells, size, drop_path) in [(3, 4, 13, 0.3), (8, 3, 9, 0.9), (2, 6, 9, 0.1)] {
        let mut case = case(channels, cells, size, Topology::full(&OpSet::darts8()));
        case.regularisation = dropping(drop_path, cells as u64);
        case.assert_agrees();
    }
}

#[test]
fn derived_networks_that_drop_paths_agree() {
    for (genotype, form, channels, threads) in [
        ("ASAP", Form::Final, 9, 1),
        ("DARTS_V2", Form::Final, 4, 2),
        ("XNAS", Form::Final, 5, 3),
        ("PC_DARTS", Form::Search, 16, 3),
    ] {
        let mut case = case(channels, 5, 9, published(genotype));
        case.config.form = form;
        case.execution.threads = threads;
        case.images = 4;
        case.regularisation = dropping(0.4, 3);
        case.assert_agrees();
    }
}

#[test]
fn networks_with_an_auxiliary_head_agree() {
    for (genotype, channels, cells, [height, width], threads) in [
        // The last cell is the one it reads.
        ("ASAP", 3, 3, [32, 32], 1),
        ("DARTS_V2", 2, 4, [41, 29], 2),
        ("XNAS", 1, 6, [30, 34], 3),
    ] {
        let mut case = with_auxiliary(case(channels, cells, height, published(genotype)));
        case.config.form = Form::Final;
        case.config.width = width;
        case.execution.threads = threads;
        case.assert_agrees();
    }
}

#[test]
fn networks_with_the_stem_of_imagenet_agree() {
    for (genotype, channels, cells, [height, width], threads) in [
        ("ASAP", 2, 3, [32, 32], 1),
        ("DARTS_V2", 5, 4, [37, 51], 2),
        ("XNAS", 9, 5, [42, 34], 3),
    ] {
        let mut case = case(channels, cells, height, published(genotype));
        case.config.form = Form::Final;
        case.config.stem = StemForm::ImageNet;
        case.config.width = width;
        case.execution = Execution { batch: 6, threads };
        case.images = 5;
        case.assert_agrees();
    }
}

#[test]
fn a_supernet_with_the_stem_of_imagenet_agrees() {
    let mut case = case(4, 3, 35, Topology::full(&OpSet::darts7()));
    case.config.stem = StemForm::ImageNet;
    case.execution.batch = 6;
    case.images = 6;
    case.assert_agrees();
}

#[test]
fn a_first_cell_that_reads_one_convolution_of_the_stem_agrees() {
    for unread in [0, 1] {
        let mut topology = Topology::full(&OpSet::darts7());
        for kind in CellKind::ALL {
            for edge in Edge::all().filter(|edge| edge.from() == unread) {
                topology.cell_mut(kind).remove_edge(edge).unwrap();
            }
        }
        let mut case = case(3, 3, 33, topology);
        case.config.stem = StemForm::ImageNet;
        case.images = 4;
        case.assert_agrees();
    }
}

#[test]
fn the_auxiliary_head_of_imagenet_agrees() {
    let mut case = with_auxiliary(case(2, 3, 193, published("ASAP")));
    case.config.form = Form::Final;
    case.config.stem = StemForm::ImageNet;
    case.images = 3;
    case.assert_agrees();
}

#[test]
fn images_too_small_for_the_stem_of_imagenet_are_refused() {
    let mut config = case(4, 3, 31, published("ASAP")).config;
    config.stem = StemForm::ImageNet;
    let error = parameter_count(&config, &published("ASAP")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "height: expected 32 pixels or more, found 31"
    );
}

#[test]
fn a_supernet_with_everything_against_overfitting_agrees() {
    let mut case = with_auxiliary(case(1, 3, 32, Topology::full(&OpSet::darts7())));
    case.regularisation = Regularisation {
        label_smoothing: 0.1,
        auxiliary_weight: 0.7,
        ..dropping(0.3, 5)
    };
    case.assert_agrees();
}

#[test]
fn an_auxiliary_head_is_absent_from_logits_and_from_a_loss_without_its_weight() {
    let mut case = case(4, 4, 32, published("ASAP"));
    let mut without = case.ready();
    case.config.auxiliary = true;
    let mut with = case.ready();
    let mut tensors = with.network.tensors().unwrap();
    tensors.retain(|tensor| !tensor.name.starts_with("auxiliary."));
    without.network.load_tensors(&tensors).unwrap();
    let none = Regularisation {
        auxiliary_weight: 0.0,
        ..Regularisation::default()
    };
    assert_eq!(with.logits(), without.logits());
    assert_eq!(with.loss(none), without.loss(none));
    let gradients = |ready: &Ready| {
        let mut tensors = ready
            .network
            .slab_tensors(&ready.network.gradients().unwrap());
        tensors.retain(|tensor| !tensor.name.starts_with("auxiliary."));
        tensors
    };
    assert_eq!(gradients(&with), gradients(&without));
    assert!(with.loss(Regularisation::default()) > without.loss(none));
}

#[test]
fn a_seed_draws_the_same_weights_with_and_without_an_auxiliary_head() {
    let mut case = case(4, 4, 32, published("ASAP"));
    let without = case.network(Level::detect()).tensors().unwrap();
    case.config.auxiliary = true;
    let mut with = case.network(Level::detect()).tensors().unwrap();
    with.retain(|tensor| !tensor.name.starts_with("auxiliary."));
    assert_eq!(with, without);
}

#[test]
fn images_too_small_for_the_auxiliary_head_are_refused() {
    let mut config = case(4, 4, 32, published("ASAP")).config;
    config.auxiliary = true;
    config.width = 28;
    let error = parameter_count(&config, &published("ASAP")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "width: expected 29 pixels or more for the auxiliary head \
         (--size 32 enlarges images, auxiliary_weight = 0 in a configuration leaves the head out), found 28"
    );
}

#[test]
fn a_pruned_network_keeps_its_auxiliary_head() {
    let start = with_auxiliary(case(1, 3, 29, Topology::full(&OpSet::darts7())));
    let mut network = start.ready().network;
    let mut topology = network.topology().clone();
    Random(1).prune(&mut topology);
    let before = network.tensors().unwrap();
    network.prune(topology).unwrap();
    let after = network.tensors().unwrap();
    let auxiliary = |t: &&NamedTensor| t.name.starts_with("auxiliary.");
    assert_eq!(after.iter().filter(auxiliary).count(), 12);
    for tensor in &after {
        assert!(before.contains(tensor), "{} changed", tensor.name);
    }
    Ready::new(network, start.images, start.draw).assert_agrees();
}

#[test]
fn steps_for_one_kind_of_gradient_drop_the_same_paths() {
    for wanted in [Wanted::Weights, Wanted::OpWeights] {
        let mut case = case(5, 4, 9, Topology::full(&OpSet::darts7()));
        case.regularisation = dropping(0.3, 1);
        let mut ready = case.ready();
        ready.step(wanted);
        match wanted {
            Wanted::Weights => ready.assert_gradients_agree(),
            _ => ready.assert_op_weight_gradients_agree(),
        }
    }
}

#[test]
fn other_seeds_drop_other_paths_and_drop_path_zero_drops_none() {
    let case = case(3, 3, 9, published("ASAP"));
    let loss = |drop_path, seed| case.ready().loss(dropping(drop_path, seed));
    assert_ne!(loss(0.4, 1), loss(0.4, 2));
    assert_eq!(loss(0.4, 1), loss(0.4, 1));
    assert_eq!(loss(0.0, 1), loss(0.0, 2));
}

#[test]
fn a_regularisation_that_is_none_is_refused() {
    let plain = Regularisation::default();
    for (regularisation, field) in [
        (
            Regularisation {
                label_smoothing: 1.1,
                ..plain
            },
            "label smoothing",
        ),
        (
            Regularisation {
                auxiliary_weight: -0.1,
                ..plain
            },
            "auxiliary weight",
        ),
        (dropping(1.0, 0), "drop-path"),
        (dropping(f32::NAN, 0), "drop-path"),
    ] {
        let mut ready = case(2, 3, 9, published("ASAP")).ready();
        let error = ready.refusal(regularisation);
        assert!(error.starts_with(field), "{error}");
    }
}

#[test]
fn a_weight_step_finds_the_same_gradients() {
    let mut ready = case(5, 4, 9, Topology::full(&OpSet::darts7())).ready();
    ready.step(Wanted::Weights);
    ready.assert_gradients_agree();
}

#[test]
fn an_op_weight_step_finds_the_same_gradients_and_leaves_statistics_alone() {
    let mut ready = case(5, 4, 9, Topology::full(&OpSet::darts7())).ready();
    let before = ready.network.tensors().unwrap();
    ready.step(Wanted::OpWeights);
    ready.assert_op_weight_gradients_agree();
    for (before, after) in before.iter().zip(ready.network.tensors().unwrap()) {
        assert_eq!(before.values, after.values, "{}", before.name);
    }
}

#[test]
fn a_step_repeated_on_three_threads_gives_the_same_bits() {
    let mut case = case(3, 3, 9, Topology::full(&OpSet::darts7()));
    case.execution.threads = 3;
    let step = || {
        let mut ready = case.ready();
        ready.step(Wanted::Both);
        let op_weight_gradients = ready.network.op_weight_gradients().unwrap();
        (
            ready.network.gradients().unwrap().to_vec(),
            op_weight_gradients,
            ready.network.tensors().unwrap(),
        )
    };
    assert_eq!(step(), step());
}

#[test]
fn a_network_pruned_step_by_step_keeps_what_survives_and_agrees() {
    let start = case(3, 4, 9, Topology::full(&OpSet::darts7()));
    let mut network = start.ready().network;
    for seed in 0..3 {
        let mut topology = network.topology().clone();
        Random(seed).prune(&mut topology);
        let before = network.tensors().unwrap();
        let weights = network.weights().unwrap().to_vec();
        network.set_velocity(weights).unwrap();
        network.prune(topology).unwrap();
        for tensor in network.tensors().unwrap() {
            assert!(before.contains(&tensor), "{} changed", tensor.name);
        }
        assert_eq!(network.velocity().unwrap(), network.weights().unwrap());
        let mut ready = Ready::new(network, start.images, start.draw);
        ready.assert_agrees();
        network = ready.network;
    }
}

#[test]
fn a_network_derived_from_a_supernet_agrees_with_its_tensors() {
    let start = case(4, 3, 9, Topology::full(&OpSet::darts7()));
    let supernet = start.ready().network;
    let derived = supernet.derive(&published("ASAP")).unwrap();
    let inherited = supernet.tensors().unwrap();
    for tensor in derived.tensors().unwrap() {
        assert!(inherited.contains(&tensor), "{} changed", tensor.name);
    }
    Ready::new(derived, start.images, start.draw).assert_agrees();
}

/// A search-form network on square RGB images: 3 of them, where 4 have room, 2 threads.
fn case(channels: usize, cells: usize, size: usize, topology: Topology) -> Case {
    Case {
        config: NetworkConfig {
            channels,
            cells,
            classes: 10,
            image_channels: 3,
            height: size,
            width: size,
            form: Form::Search,
            stem: StemForm::Cifar,
            auxiliary: false,
        },
        topology,
        execution: Execution {
            batch: 4,
            threads: 2,
        },
        images: 3,
        draw: Random::pixels,
        regularisation: Regularisation::default(),
    }
}

/// The same with an auxiliary head, and more images: two of its normalisations see one to four pixels of each.
fn with_auxiliary(mut case: Case) -> Case {
    case.config.auxiliary = true;
    case.execution.batch = 8;
    case.images = 7;
    case
}

fn dropping(drop_path: f32, seed: u64) -> Regularisation {
    Regularisation {
        drop_path,
        seed,
        ..Regularisation::default()
    }
}

fn published(genotype: &str) -> Topology {
    Topology::from_genotype(Genotype::named(genotype).unwrap())
}

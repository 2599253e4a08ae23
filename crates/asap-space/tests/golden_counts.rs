//! Parameters, multiply-accumulates and memory computed from a configuration alone.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use asap_genotype::{ASAP, DARTS_V2, OpSet, Topology, XNAS};
use asap_space::{
    Execution, Form, Network, NetworkConfig, StemForm, macs_per_image, parameter_count,
    training_memory,
};

fn config(form: Form, channels: usize, cells: usize, size: usize) -> NetworkConfig {
    NetworkConfig {
        channels,
        cells,
        classes: 10,
        image_channels: 3,
        height: size,
        width: size,
        form,
        stem: StemForm::Cifar,
        auxiliary: false,
    }
}

/// CIFAR form, 20 cells, no auxiliary head. 3.3 M, 3.7 M and the like in the papers' tables.
#[test]
fn final_networks_have_the_golden_numbers_of_parameters() {
    let golden = [
        (&*ASAP, [2_538_046, 3_757_126, 4_827_760, 6_032_386]),
        (&*DARTS_V2, [3_349_342, 4_949_350, 6_353_560, 7_932_802]),
        (&*XNAS, [3_793_438, 5_594_918, 7_174_760, 8_950_658]),
    ];
    for (genotype, counts) in golden {
        let topology = Topology::from_genotype(genotype);
        let found = [36, 44, 50, 56].map(|channels| {
            parameter_count(&config(Form::Final, channels, 20, 32), &topology).unwrap()
        });
        assert_eq!(found, counts);
    }
}

/// 14 cells of 48 channels, 1000 classes: what PyTorch counts over the same modules. DARTS's authors give 4.718752 M too.
#[test]
fn networks_for_imagenet_have_the_golden_numbers_of_parameters() {
    let config = NetworkConfig {
        classes: 1000,
        stem: StemForm::ImageNet,
        ..config(Form::Final, 48, 14, 224)
    };
    let with_auxiliary = NetworkConfig {
        auxiliary: true,
        ..config.clone()
    };
    for (genotype, counts) in [
        (&*ASAP, [3_829_504, 5_090_280]),
        (&*DARTS_V2, [4_718_752, 5_979_528]),
        (&*XNAS, [5_260_000, 6_520_776]),
    ] {
        let topology = Topology::from_genotype(genotype);
        let found =
            [&config, &with_auxiliary].map(|config| parameter_count(config, &topology).unwrap());
        assert_eq!(found, counts);
    }
    let topology = Topology::from_genotype(&DARTS_V2);
    assert_eq!(macs_per_image(&config, &topology).unwrap(), 529_911_552);
}

/// What PyTorch counts over the same modules; multiply-accumulates of the head: four pixels, then one.
#[test]
fn the_auxiliary_head_of_cifar_has_the_golden_number_of_parameters() {
    let without = config(Form::Final, 36, 20, 32);
    let with = NetworkConfig {
        auxiliary: true,
        ..without.clone()
    };
    for (genotype, count) in [
        (&*ASAP, 3_014_472),
        (&*DARTS_V2, 3_825_768),
        (&*XNAS, 4_269_864),
    ] {
        let topology = Topology::from_genotype(genotype);
        assert_eq!(parameter_count(&with, &topology).unwrap(), count);
        let [less, more] =
            [&without, &with].map(|config| macs_per_image(config, &topology).unwrap());
        assert_eq!(more - less, 4 * 576 * 128 + 4 * 128 * 768 + 7680);
        let execution = Execution {
            batch: 4,
            threads: 1,
        };
        let [less, more] =
            [&without, &with].map(|config| training_memory(config, &topology, execution).unwrap());
        assert!(less.weights < more.weights && less.activations < more.activations);
        assert!(less.scratch < more.scratch);
    }
}

/// Counted by PyTorch over the same supernet's modules.
#[test]
fn supernets_have_the_numbers_that_pytorch_counts() {
    let topology = Topology::full(&OpSet::darts7());
    let small = config(Form::Search, 8, 5, 28);
    let paper = config(Form::Search, 16, 8, 32);
    assert_eq!(parameter_count(&small, &topology).unwrap(), 394_210);
    assert_eq!(macs_per_image(&small, &topology).unwrap(), 47_185_536);
    assert_eq!(parameter_count(&paper, &topology).unwrap(), 1_930_618);
    assert_eq!(macs_per_image(&paper, &topology).unwrap(), 300_255_744);
}

#[test]
fn a_network_has_as_many_values_as_were_counted() {
    let topology = Topology::from_genotype(&DARTS_V2);
    let config = config(Form::Final, 6, 4, 12);
    let execution = Execution {
        batch: 2,
        threads: 1,
    };
    let network = Network::new(config.clone(), topology.clone(), execution, 1).unwrap();
    let counted = parameter_count(&config, &topology).unwrap();
    let held: usize = network
        .slab_tensors(&network.weights().unwrap())
        .iter()
        .map(|tensor| tensor.values.len())
        .sum();
    assert_eq!(held, counted);
}

#[test]
fn memory_grows_with_the_batch_and_falls_with_what_is_removed() {
    let (full, found) = (
        Topology::full(&OpSet::darts7()),
        Topology::from_genotype(&ASAP),
    );
    let config = config(Form::Search, 8, 5, 28);
    let of = |topology: &Topology, batch| {
        let execution = Execution { batch, threads: 2 };
        training_memory(&config, topology, execution).unwrap()
    };
    let (one, many) = (of(&full, 8), of(&full, 32));
    assert_eq!(one.weights, many.weights);
    let growth = many.activations as f64 / one.activations as f64;
    assert!((growth - 4.0).abs() < 0.01, "{growth}");
    // One tensor for each of 6 chains on an edge, and two pools for each source.
    let tensor = 32 * 28 * 28 * 8 * 4;
    assert!(
        many.activations > 84 * 5 / 2 * tensor,
        "{}",
        many.activations
    );
    assert!(of(&found, 32).total() * 4 < many.total());
    assert_eq!(many.total(), many.weights + many.activations + many.scratch);
}

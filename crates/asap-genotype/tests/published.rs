//! The published genotypes: their parameter counts fit what their authors state.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use asap_genotype::{
    ASAP, CellKind, DARTS_V1, DARTS_V2, Genotype, INPUT_NODES, Listing, NAMES, OpSet, Operation,
    PC_DARTS, XNAS,
};

/// Parameters of the CIFAR form with 20 cells and 10 classes, without the auxiliary head.
fn parameters(genotype: &Genotype, channels: usize) -> usize {
    let convolution = |inputs: usize, outputs: usize| inputs * outputs + 2 * outputs;
    let (mut before_last, mut last, mut width) = (3 * channels, 3 * channels, channels);
    let mut count = 27 * last + 2 * last;
    for cell in 0..20 {
        let kind = if cell == 6 || cell == 13 {
            CellKind::Reduction
        } else {
            CellKind::Normal
        };
        if kind == CellKind::Reduction {
            width *= 2;
        }
        count += convolution(before_last, width) + convolution(last, width);
        let depthwise = |kernel: usize| kernel * kernel * width + convolution(width, width);
        for (edge, operation) in genotype.cell(kind).edges() {
            let halves = kind == CellKind::Reduction && edge.from() < INPUT_NODES;
            count += match operation {
                Operation::SepConv3x3 => 2 * depthwise(3),
                Operation::SepConv5x5 => 2 * depthwise(5),
                Operation::DilConv3x3 => depthwise(3),
                Operation::DilConv5x5 => depthwise(5),
                Operation::SkipConnect if halves => convolution(width, width),
                _ => 0,
            };
        }
        (before_last, last) = (last, 4 * width);
    }
    count + 10 * last + 10
}

#[test]
fn parameter_counts_are_the_golden_ones() {
    let golden = [
        (&*ASAP, [2_538_046, 3_757_126, 4_827_760, 6_032_386]),
        (&*DARTS_V2, [3_349_342, 4_949_350, 6_353_560, 7_932_802]),
        (&*XNAS, [3_793_438, 5_594_918, 7_174_760, 8_950_658]),
    ];
    for (genotype, counts) in golden {
        let found = [36, 44, 50, 56].map(|channels| parameters(genotype, channels));
        assert_eq!(found, counts);
    }
}

#[test]
fn pc_darts_has_the_size_that_its_paper_states() {
    // 3.6 million at 36 channels.
    assert_eq!((parameters(&PC_DARTS, 36) + 50_000) / 100_000, 36);
}

#[test]
fn every_published_genotype_is_found_by_name_and_keeps_two_inputs_for_each_node() {
    for name in NAMES {
        let genotype = Genotype::named(name).unwrap();
        assert_eq!(Genotype::named(&name.to_lowercase()), Some(genotype));
        assert_eq!(*genotype.op_set(), OpSet::darts7());
        for kind in CellKind::ALL {
            assert!(
                genotype
                    .cell(kind)
                    .nodes()
                    .iter()
                    .all(|inputs| inputs.len() == 2),
                "{name}"
            );
        }
        // Reading it back passes the checks that the constants themselves skip.
        assert_eq!(Genotype::from_json(&genotype.to_json()).unwrap(), *genotype);
    }
    assert_eq!(Genotype::named("NASNET"), None);
}

#[test]
fn the_text_that_authors_published_is_the_constant() {
    // As in the DARTS repository, inputs in its own order and one name before.
    let v1 = "DARTS_V1 = Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), \
              ('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), \
              ('skip_connect', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), \
              ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), \
              ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat=[2, 3, 4, 5])";
    assert_eq!(Genotype::from_darts(v1).unwrap(), *DARTS_V1);
    // As in the PC-DARTS repository, with ranges.
    let pc = "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), \
              ('dil_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), \
              ('dil_conv_3x3', 1)], normal_concat=range(2, 6), reduce=[('sep_conv_5x5', 1), \
              ('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), \
              ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)], reduce_concat=range(2, 6))";
    assert_eq!(Genotype::from_darts(pc).unwrap(), *PC_DARTS);
}

#[test]
fn a_listing_keeps_the_order_of_its_text_and_a_genotype_does_not() {
    // As in the XNAS authors' file: the inputs of the last three normal nodes are not by source.
    let text = "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), \
                ('sep_conv_3x3', 2), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('dil_conv_5x5', 4), \
                ('sep_conv_3x3', 0)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), \
                ('avg_pool_3x3', 1), ('avg_pool_3x3', 0), ('skip_connect', 2), ('dil_conv_3x3', 3), \
                ('max_pool_3x3', 0), ('dil_conv_5x5', 4), ('avg_pool_3x3', 0)], \
                reduce_concat=[2, 3, 4, 5])";
    let listing = Listing::from_darts(text).unwrap();
    assert_eq!(*listing.genotype(), *XNAS);
    assert_eq!(listing.to_darts(), text);
    assert_ne!(XNAS.to_darts(), text);
    assert_eq!(Listing::named("xnas"), Some(&listing));
    assert_eq!(Listing::from(&*XNAS), listing);
    let inputs = listing.inputs(CellKind::Normal);
    assert_eq!(inputs[4], (Operation::SepConv3x3, 3));
}

#[test]
fn a_listing_of_an_unknown_genotype_is_by_source() {
    let text = ASAP.to_darts().replace("dil_conv_5x5", "dil_conv_3x3");
    let genotype = Genotype::from_darts(&text).unwrap();
    assert_eq!(Listing::from(&genotype).to_darts(), text);
}

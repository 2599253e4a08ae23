//! JSON, DARTS text and DOT: what is written can be read, and what cannot be read is named.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use asap_genotype::{ASAP, CellGenotype, CellKind, Genotype, OpSet, Operation, XNAS};
use proptest::prelude::*;

/// Any cell: up to two different sources for each node.
fn any_cell(kind: CellKind) -> impl Strategy<Value = CellGenotype> {
    let node = |node: usize| {
        proptest::sample::subsequence((0..node).collect::<Vec<_>>(), 0..=2).prop_flat_map(|from| {
            proptest::collection::vec(proptest::sample::select(&Operation::ALL[1..]), from.len())
                .prop_map(move |operations| operations.into_iter().zip(from.clone()).collect())
        })
    };
    [node(2), node(3), node(4), node(5)]
        .prop_map(move |nodes: [Vec<_>; 4]| CellGenotype::new(kind, nodes).unwrap())
}

fn any_genotype() -> impl Strategy<Value = Genotype> {
    let op_set = prop_oneof![Just(OpSet::darts7()), Just(OpSet::darts8())];
    (
        any_cell(CellKind::Normal),
        any_cell(CellKind::Reduction),
        op_set,
    )
        .prop_map(|(normal, reduction, op_set)| Genotype::new(normal, reduction, op_set).unwrap())
}

proptest! {
    #[test]
    fn json_keeps_everything(genotype in any_genotype()) {
        let json = genotype.to_json();
        prop_assert_eq!(Genotype::from_json(&json).unwrap(), genotype.clone());
        prop_assert_eq!(json.parse::<Genotype>().unwrap(), genotype);
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }

    #[test]
    fn darts_text_keeps_both_cells(genotype in any_genotype()) {
        let again: Genotype = genotype.to_string().parse().unwrap();
        prop_assert_eq!(&again.normal, &genotype.normal);
        prop_assert_eq!(&again.reduction, &genotype.reduction);
    }

    #[test]
    fn a_text_cut_short_or_changed_is_an_error_or_a_genotype_but_never_a_panic(
        genotype in any_genotype(), at in 0usize..400, replacement in ".{0,3}",
    ) {
        for text in [genotype.to_darts(), genotype.to_json()] {
            let at = at.min(text.len() - 1);
            prop_assert!(text[..at].parse::<Genotype>().is_err());
            let changed = format!("{}{replacement}{}", &text[..at], &text[at + 1..]);
            if let Ok(genotype) = changed.parse::<Genotype>() {
                prop_assert_eq!(Genotype::from_json(&genotype.to_json()).unwrap(), genotype);
            }
        }
    }
}

#[test]
fn json_is_short_and_has_a_version_and_the_op_set() {
    let json = ASAP.to_json();
    let lines: Vec<&str> = json.lines().take(8).collect();
    assert_eq!(
        lines,
        [
            "{",
            "  \"format\": \"asap-genotype\",",
            "  \"version\": 1,",
            "  \"operations\": [\"max_pool_3x3\", \"avg_pool_3x3\", \"skip_connect\", \
             \"sep_conv_3x3\", \"sep_conv_5x5\", \"dil_conv_3x3\", \"dil_conv_5x5\"],",
            "  \"normal\": {",
            "    \"nodes\": [",
            "      [[\"sep_conv_3x3\", 0], [\"sep_conv_3x3\", 1]],",
            "      [[\"skip_connect\", 0], [\"sep_conv_3x3\", 1]],",
        ]
    );
}

#[test]
fn malformed_json_is_refused_with_what_was_expected() {
    let good = ASAP.to_json();
    let cases = [
        (
            "{",
            "",
            "genotype JSON: invalid type: string \"format\", expected an object with `format` and \
             `version` at line 2 column 10",
        ),
        (
            "\"version\": 1",
            "\"version\": 2",
            "genotype JSON: expected version 1, found 2",
        ),
        (
            "asap-genotype",
            "other",
            "genotype JSON: expected the format `asap-genotype`, found `other`",
        ),
        (
            "\"version\": 1,",
            "",
            "genotype JSON: missing field `version` at line 23 column 1",
        ),
        (
            "\"version\": 1,",
            "\"version\": 1, \"extra\": 0,",
            "genotype JSON: unknown field `extra`, expected one of `format`, `version`, \
             `operations`, `normal`, `reduction` at line 3 column 23",
        ),
        (
            "[[\"sep_conv_3x3\", 0]",
            "[[\"sep_conv_7x7\", 0]",
            "unknown operation `sep_conv_7x7`: expected one of none, max_pool_3x3, avg_pool_3x3, \
             skip_connect, sep_conv_3x3, sep_conv_5x5, dil_conv_3x3, dil_conv_5x5",
        ),
        (
            ", \"dil_conv_5x5\"]",
            "]",
            "reduction, node 3: operation `dil_conv_5x5` is not in the op set max_pool_3x3,\
             avg_pool_3x3,skip_connect,sep_conv_3x3,sep_conv_5x5,dil_conv_3x3",
        ),
        (
            "\"sep_conv_5x5\", \"dil_conv_3x3\"",
            "\"dil_conv_3x3\", \"dil_conv_3x3\"",
            "operation `dil_conv_3x3` is listed twice in the op set",
        ),
        (
            "[\"sep_conv_3x3\", 1]]",
            "[\"sep_conv_3x3\", 2]]",
            "normal, node 2: expected an input from a node 0 to 1, found 2",
        ),
        (
            "[\"sep_conv_3x3\", 1]]",
            "[\"sep_conv_3x3\", 0]]",
            "normal, node 2: node 0 is its input twice, this space has one edge for it",
        ),
        (
            "[\"skip_connect\", 0], [\"sep_conv_3x3\", 1]]",
            "[\"skip_connect\", 0], [\"sep_conv_3x3\", 1], [\"skip_connect\", 2]]",
            "normal, node 3: expected at most two inputs, found 3",
        ),
        (
            "[[\"sep_conv_3x3\", 0]",
            "[[\"none\", 0]",
            "normal, node 2: `none` is no input, leave the edge out instead",
        ),
        (
            "      [[\"sep_conv_3x3\", 0], [\"sep_conv_3x3\", 1]],\n",
            "",
            "normal: expected the inputs of 4 nodes, found 3",
        ),
        (
            "[2, 3, 4, 5]",
            "[4, 5]",
            "normal: expected the output to join nodes [2, 3, 4, 5], found [4, 5]",
        ),
    ];
    for (old, new, message) in cases {
        let text = good.replacen(old, new, 1);
        assert_ne!(text, good, "{old}");
        assert_eq!(Genotype::from_json(&text).unwrap_err().to_string(), message);
    }
}

#[test]
fn darts_text_may_be_laid_out_as_python_allows() {
    let text = "  XNAS = Genotype(  # from a file of cells\n\
        reduce_concat=(2, 3, 4, 5,),\n\
        normal=[(\"sep_conv_3x3\", 1), ('skip_connect', 0), ('sep_conv_3x3', 0),\n\
        ('sep_conv_3x3', 2), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('dil_conv_5x5', 4),\n\
        ('sep_conv_3x3', 0),], normal_concat=range(2, 6),\n\
        reduce=[('max_pool_3x3', 0), ('avg_pool_3x3', 1), ('avg_pool_3x3', 0),\n\
        ('skip_connect', 2), ('dil_conv_3x3', 3), ('max_pool_3x3', 0), ('dil_conv_5x5', 4),\n\
        ('avg_pool_3x3', 0)],\n)\n";
    assert_eq!(Genotype::from_darts(text).unwrap(), *XNAS);
}

#[test]
fn a_missing_input_is_written_as_none_and_read_as_missing() {
    let text = ASAP
        .to_darts()
        .replacen("('sep_conv_3x3', 0)", "('none', 0)", 1);
    let genotype = Genotype::from_darts(&text).unwrap();
    assert_eq!(genotype.normal.nodes()[0], [(Operation::SepConv3x3, 1)]);
    assert_eq!(*genotype.op_set(), OpSet::darts8());
    assert_eq!(
        Genotype::from_darts(&genotype.to_darts()).unwrap(),
        genotype
    );
}

#[test]
fn malformed_darts_text_is_refused_with_its_place() {
    let good = ASAP.to_darts();
    let cases = [
        (
            "Genotype(",
            "Cell(",
            "DARTS text, line 1, column 1: expected `Genotype(`, found `Cell`",
        ),
        (
            "Genotype(",
            "A = B(",
            "DARTS text, line 1, column 5: expected `Genotype(`, found `B`",
        ),
        (
            "('sep_conv_3x3', 0)",
            "('sep_conv_3x3', zero)",
            "DARTS text, line 1, column 35: expected a node number, found `zero`",
        ),
        (
            "('sep_conv_3x3', 0)",
            "\n\n('sep_conv_3x3' 0)",
            "DARTS text, line 3, column 17: expected `,`, found `0`",
        ),
        (
            "reduce=",
            "normal=",
            "DARTS text, line 1, column 215: expected `normal`, `normal_concat`, `reduce` and \
             `reduce_concat`, each once, found `normal`",
        ),
        (
            "normal_concat=[2, 3, 4, 5], ",
            "",
            "DARTS text, line 1, column 390: expected the field `normal_concat`, found `)`",
        ),
        (
            "normal_concat=[2, 3, 4, 5]",
            "normal_concat=range(2, 7)",
            "normal: expected the output to join nodes [2, 3, 4, 5], found [2, 3, 4, 5, 6]",
        ),
        (
            "normal_concat=[2, 3, 4, 5]",
            "normal_concat=range(2, 99999999999999)",
            "DARTS text, line 1, column 201: expected `range(2, 6)`, found `range`",
        ),
        (
            "('sep_conv_3x3', 0), ",
            "",
            "normal: expected 8 inputs, two for each of 4 nodes, found 7",
        ),
        (
            "('sep_conv_3x3', 0)",
            "('sep_conv_7x7', 0)",
            "unknown operation `sep_conv_7x7`: expected one of none, max_pool_3x3, avg_pool_3x3, \
             skip_connect, sep_conv_3x3, sep_conv_5x5, dil_conv_3x3, dil_conv_5x5",
        ),
        (
            "reduce_concat=[2, 3, 4, 5])",
            "reduce_concat=[2, 3, 4, 5]) + x",
            "DARTS text, line 1, column 420: expected the end of the text, found `+`",
        ),
    ];
    for (old, new, message) in cases {
        let text = good.replacen(old, new, 1);
        assert_ne!(text, good, "{old}");
        assert_eq!(
            Genotype::from_darts(&text).unwrap_err().to_string(),
            message
        );
    }
    let empty = Genotype::from_darts("").unwrap_err().to_string();
    assert_eq!(
        empty,
        "DARTS text, line 1, column 1: expected `Genotype(`, found the end of the text"
    );
}

#[test]
fn a_genotype_of_another_op_set_is_refused() {
    assert!(ASAP.require_op_set(&OpSet::darts7()).is_ok());
    let error = ASAP.require_op_set(&OpSet::darts8()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "genotype of another op set: expected darts8, found darts7"
    );
    let few = OpSet::new(vec![Operation::SkipConnect]).unwrap();
    let refused = Genotype::new(ASAP.normal.clone(), ASAP.reduction.clone(), few).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "normal, node 2: operation `sep_conv_3x3` is not in the op set skip_connect"
    );
}

#[test]
fn dot_has_every_edge_with_its_operation() {
    let dot = ASAP.to_dot();
    for kind in CellKind::ALL {
        for (edge, operation) in ASAP.cell(kind).edges() {
            let (from, to) = (edge.from(), edge.to());
            let line = format!("{kind}_{from} -> {kind}_{to} [label=\"{operation}\"];");
            assert!(dot.contains(&line), "{line}");
        }
    }
    assert_eq!(dot.matches("->").count(), 2 * (8 + 4));
    assert_eq!(dot.matches('{').count(), dot.matches('}').count());
}

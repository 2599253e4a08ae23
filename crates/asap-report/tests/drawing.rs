//! Drawn cells: whole SVG, a label for each edge, nothing over anything else.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod markup;

use asap_genotype::{ASAP, CellGenotype, CellKind, Operation};
use asap_report::{cell_svg, cell_text, genotype_svg};
use proptest::prelude::*;

fn any_cell() -> impl Strategy<Value = CellGenotype> {
    let node = |node: usize| {
        proptest::sample::subsequence((0..node).collect::<Vec<_>>(), 0..=2).prop_flat_map(|from| {
            proptest::collection::vec(proptest::sample::select(&Operation::ALL[1..]), from.len())
                .prop_map(move |operations| operations.into_iter().zip(from.clone()).collect())
        })
    };
    [node(2), node(3), node(4), node(5)]
        .prop_map(|nodes: [Vec<_>; 4]| CellGenotype::new(CellKind::Normal, nodes).unwrap())
}

fn number(tag: &markup::Tag, attribute: &str) -> f64 {
    tag.attribute(attribute).unwrap().parse().unwrap()
}

/// Left, top, right and bottom.
type Frame = (f64, f64, f64, f64);

fn frames(tags: &[markup::Tag], class: &str) -> Vec<Frame> {
    tags.iter()
        .filter(|tag| tag.name == "rect" && tag.attribute("class") == Some(class))
        .map(|tag| {
            let (x, y) = (number(tag, "x"), number(tag, "y"));
            (x, y, x + number(tag, "width"), y + number(tag, "height"))
        })
        .collect()
}

fn overlap(a: Frame, b: Frame) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// The straight end of a line, where it passes a column: from, to, and its height.
fn runs(tags: &[markup::Tag]) -> Vec<(f64, f64, f64)> {
    tags.iter()
        .filter(|tag| tag.name == "path")
        .filter_map(|tag| {
            let (curve, end) = tag.attribute("d").unwrap().rsplit_once('H')?;
            let (x, y) = {
                let mut numbers = curve
                    .rsplit(' ')
                    .map(|number| number.parse::<f64>().unwrap());
                let y = numbers.next().unwrap();
                (numbers.next().unwrap(), y)
            };
            Some((x, end.parse().unwrap(), y))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_part_of_a_drawing_lies_over_another(cell in any_cell()) {
        let svg = cell_svg(&cell, "any");
        let tags = markup::tags(&svg);
        let labels = frames(&tags, "label");
        let nodes = frames(&tags, "node");
        prop_assert_eq!(labels.len(), cell.edges().count());
        prop_assert_eq!(nodes.len(), 6 + 1);
        let boxes: Vec<Frame> = labels.into_iter().chain(nodes).collect();
        let (width, height) = (number(&tags[0], "width"), number(&tags[0], "height"));
        for (index, frame) in boxes.iter().enumerate() {
            // Heights count from below the title.
            prop_assert!(frame.0 > 0.0 && frame.1 > -1.0 && frame.2 < width && frame.3 < height - 60.0);
            prop_assert!(boxes[..index].iter().all(|other| !overlap(*frame, *other)));
        }
        for (from, to, y) in runs(&tags) {
            // Lines end in a label or at a box: only what passes a whole column can hit one.
            let passing = to - from > 120.0;
            let hit = boxes.iter().any(|frame| overlap((from, y, to, y + 0.1), *frame));
            prop_assert!(!passing || !hit, "{svg}");
        }
    }

    #[test]
    fn the_text_names_each_edge_once_and_stays_narrow(cell in any_cell()) {
        let text = cell_text(&cell, "any");
        for operation in Operation::ALL {
            let edges = cell.edges().filter(|(_, one)| *one == operation).count();
            prop_assert_eq!(text.matches(&format!(" {operation} ")).count(), edges);
        }
        let back = text.matches('◀').count();
        prop_assert_eq!(back, cell.nodes().iter().filter(|inputs| !inputs.is_empty()).count());
        prop_assert_eq!(text.matches('┘').count(), back);
        prop_assert!(text.lines().all(|line| line.chars().count() <= 42), "\n{}", text);
        prop_assert!(text.lines().all(|line| line == line.trim_end()));
    }
}

#[test]
fn a_genotype_is_both_cells_with_their_operations() {
    let svg = genotype_svg(&ASAP);
    let tags = markup::tags(&svg);
    assert_eq!(frames(&tags, "label").len(), 16);
    for kind in CellKind::ALL {
        assert!(svg.contains(&format!(
            "<text class=\"title\" x=\"22\" y=\"30\">{kind} cell</text>"
        )));
    }
    for operation in Operation::ALL {
        let edges = CellKind::ALL
            .iter()
            .flat_map(|kind| ASAP.cell(*kind).edges());
        let edges = edges.filter(|(_, one)| *one == operation).count();
        assert_eq!(
            svg.matches(&format!(">{operation}</text>")).count(),
            edges,
            "{operation}"
        );
    }
}

#[test]
fn a_title_cannot_break_the_drawing() {
    let svg = cell_svg(&ASAP.normal, "a <b> & \"c\"");
    markup::tags(&svg);
    assert!(svg.contains("<title>a &lt;b&gt; &amp; &quot;c&quot;</title>"));
}

#[test]
fn the_drawing_in_the_docs_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cell.svg");
    let found = std::fs::read_to_string(path).unwrap();
    let advice = "docs/cell.svg is old: cargo run --release -p asap-report --example draw_cell";
    assert!(found == genotype_svg(&ASAP), "{advice}");
}

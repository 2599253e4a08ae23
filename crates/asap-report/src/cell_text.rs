//! Cells as text for a terminal: a rail for each node, a row for each edge.

use asap_genotype::{CellGenotype, INPUT_NODES, NODES, Operation};

/// Columns of text from one rail to the next.
const PITCH: usize = 4;
/// Columns between the rails and the turn of the lines: the longest name and what joins it.
const NAME_WIDTH: usize = 17;

/// A cell drawn with lines, 42 columns wide, ending in a line break.
///
/// Every node has a rail below its number. An edge leaves the rail of the node it reads, names its
/// operation, and comes back as the node it leads to, where that node's rail starts.
pub fn cell_text(cell: &CellGenotype, title: &str) -> String {
    let edges: Vec<(usize, usize, Operation)> = cell
        .edges()
        .map(|(edge, operation)| (edge.from(), edge.to(), operation))
        .collect();
    let inputs = format!("{:PITCH$}{:PITCH$}", 0, 1);
    // Numbers stand where their rails do, at the start of each column.
    let inputs = inputs.trim_start().to_owned();
    let mut lines = vec![
        title.to_owned(),
        format!("{inputs}   outputs of the two cells before"),
    ];
    let mut drawn = 0;
    for node in INPUT_NODES..NODES {
        let incoming = edges.iter().filter(|(_, to, _)| *to == node).count();
        for row in 0..incoming {
            let (from, _, operation) = edges[drawn];
            drawn += 1;
            let rails = rails(node, &edges[drawn..], Some(from));
            let turn = if row == 0 { '┐' } else { '┤' };
            lines.push(format!("{rails}{}{turn}", name_on_line(operation)));
        }
        let before = rails(node, &edges[drawn..], None);
        let before: String = before.chars().take(node * PITCH).collect();
        lines.push(match incoming {
            0 => format!("{before}{node} (reads nothing)"),
            _ => {
                let back = "─".repeat((NODES - node) * PITCH + NAME_WIDTH - 3);
                format!("{before}{node} ◀{back}┘")
            }
        });
    }
    lines.push("concat of 2, 3, 4, 5 = output of the cell".to_owned());
    lines
        .iter()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// The rails of the nodes before `node` that later edges still need, crossed by a line from
/// `source`.
fn rails(node: usize, later: &[(usize, usize, Operation)], source: Option<usize>) -> String {
    let mut text = String::new();
    for rail in 0..NODES {
        let goes_on = rail < node && later.iter().any(|(from, _, _)| *from == rail);
        let crossed = source.is_some_and(|source| source < rail);
        text.push(match (source == Some(rail), goes_on) {
            (true, true) => '├',
            (true, false) => '└',
            (false, true) if crossed => '┼',
            (false, true) => '│',
            (false, false) if crossed => '─',
            (false, false) => ' ',
        });
        let gap = if source.is_some_and(|source| source <= rail) {
            "─"
        } else {
            " "
        };
        text += &gap.repeat(PITCH - 1);
    }
    text
}

/// The name of an operation in the middle of a line of fixed length.
fn name_on_line(operation: Operation) -> String {
    let name = format!(" {operation} ");
    let rest = NAME_WIDTH - 1 - name.len();
    format!("{}{name}{}", "─", "─".repeat(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use asap_genotype::{ASAP, CellKind};

    #[test]
    fn the_published_cell_looks_like_this() {
        let expected = "\
normal
0   1   outputs of the two cells before
├───┼──────────────────── sep_conv_3x3 ──┐
│   ├──────────────────── sep_conv_3x3 ──┤
│   │   2 ◀──────────────────────────────┘
├───┼───┼──────────────── skip_connect ──┐
│   ├───┼──────────────── sep_conv_3x3 ──┤
│   │   │   3 ◀──────────────────────────┘
└───┼───┼──────────────── skip_connect ──┐
    │   ├──────────────── skip_connect ──┤
    │   │       4 ◀──────────────────────┘
    └───┼──────────────── skip_connect ──┐
        └──────────────── skip_connect ──┤
                    5 ◀──────────────────┘
concat of 2, 3, 4, 5 = output of the cell
";
        let found = cell_text(&ASAP.normal, "normal");
        assert_eq!(found, expected, "\n{found}");
    }

    #[test]
    fn a_node_that_reads_nothing_says_so() {
        let nodes = [vec![], vec![(Operation::SkipConnect, 2)], vec![], vec![]];
        let text = CellGenotype::new(CellKind::Normal, nodes).map(|cell| cell_text(&cell, "cell"));
        let lines: Vec<String> = text
            .into_iter()
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        assert_eq!(lines[2], "        2 (reads nothing)");
        assert_eq!(lines[3], "        └──────────────── skip_connect ──┐");
    }
}

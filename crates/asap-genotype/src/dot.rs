//! Genotypes as Graphviz graphs.

use std::fmt::Write;

use crate::{CellKind, Genotype, INPUT_NODES, NODES};

impl Genotype {
    /// The genotype in the DOT language: each cell a cluster, edges labelled with their operations.
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph genotype {\n  rankdir=LR;\n  node [shape=box];\n");
        for kind in CellKind::ALL {
            let mut lines = vec![
                format!("label=\"{kind}\";"),
                format!("{kind}_0 [label=\"c_{{k-2}}\"];"),
                format!("{kind}_1 [label=\"c_{{k-1}}\"];"),
            ];
            lines.extend(
                (INPUT_NODES..NODES).map(|node| format!("{kind}_{node} [label=\"{node}\"];")),
            );
            lines.push(format!("{kind}_out [label=\"c_{{k}}\"];"));
            for (edge, operation) in self.cell(kind).edges() {
                let (from, to) = (edge.from(), edge.to());
                lines.push(format!(
                    "{kind}_{from} -> {kind}_{to} [label=\"{operation}\"];"
                ));
            }
            lines.extend((INPUT_NODES..NODES).map(|node| format!("{kind}_{node} -> {kind}_out;")));
            // Writing to a string cannot fail.
            let _ = writeln!(
                dot,
                "  subgraph cluster_{kind} {{\n    {}\n  }}",
                lines.join("\n    ")
            );
        }
        dot.push_str("}\n");
        dot
    }
}

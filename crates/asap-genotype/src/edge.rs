//! Nodes and edges of a cell: every intermediate node has one edge from each node before it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Nodes 0 and 1 are the outputs of the two cells before (paper).
pub const INPUT_NODES: usize = 2;
/// Nodes 2 to 5 are computed in the cell (paper).
pub const INTERMEDIATE_NODES: usize = 4;
/// All nodes of a cell.
pub const NODES: usize = INPUT_NODES + INTERMEDIATE_NODES;
/// All edges of a cell: 2 + 3 + 4 + 5.
pub const EDGES: usize = 14;

/// An edge from a node to a later intermediate node; written `0->2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Ends", into = "Ends")]
pub struct Edge {
    // `to` stands first so that the derived order is the order of the indices.
    to: usize,
    from: usize,
}

/// An edge in files, before it is checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    from: usize,
    to: usize,
}

impl Edge {
    /// The edge that joins two nodes.
    ///
    /// # Errors
    ///
    /// Unless `from < to` and `to` is an intermediate node, 2 to 5.
    pub const fn new(from: usize, to: usize) -> Result<Self> {
        if from < to && to >= INPUT_NODES && to < NODES {
            Ok(Self { to, from })
        } else {
            Err(Error::NoSuchEdge { from, to })
        }
    }

    /// The node that the edge reads, 0 to 4.
    pub const fn from(self) -> usize {
        self.from
    }

    /// The node that the edge adds to, 2 to 5.
    pub const fn to(self) -> usize {
        self.to
    }

    /// The edge's place in the order of [`Edge::all`], 0 to 13.
    pub const fn index(self) -> usize {
        // The nodes 2, 3, .. before `to` have 2 + 3 + .. + (to - 1) edges.
        self.to * (self.to - 1) / 2 - 1 + self.from
    }

    /// The edge at a place in the order of [`Edge::all`].
    pub fn from_index(index: usize) -> Option<Self> {
        Self::all().nth(index)
    }

    /// All edges by target, then by source: `0->2`, `1->2`, `0->3`, `1->3`, `2->3`, ...
    pub fn all() -> impl Iterator<Item = Self> {
        (INPUT_NODES..NODES).flat_map(Self::incoming)
    }

    /// The edges into a node by source; none for an input node.
    pub fn incoming(node: usize) -> impl Iterator<Item = Self> {
        let sources = if (INPUT_NODES..NODES).contains(&node) {
            node
        } else {
            0
        };
        (0..sources).map(move |from| Self { to: node, from })
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}->{}", self.from, self.to))
    }
}

impl FromStr for Edge {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let ends = text
            .split_once("->")
            .and_then(|(from, to)| Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?)));
        let (from, to) = ends.ok_or_else(|| Error::EdgeText {
            text: text.to_owned(),
        })?;
        Self::new(from, to)
    }
}

impl TryFrom<Ends> for Edge {
    type Error = Error;

    fn try_from(ends: Ends) -> Result<Self> {
        Self::new(ends.from, ends.to)
    }
}

impl From<Edge> for Ends {
    fn from(edge: Edge) -> Self {
        Self {
            from: edge.from,
            to: edge.to,
        }
    }
}

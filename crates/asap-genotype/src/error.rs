//! The one error type of this crate: each message says what was expected and what was found.

use crate::{CellKind, Edge, Operation};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can be wrong with a genotype, a topology or a text that should hold one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that no operation has.
    #[error("unknown operation `{name}`: expected one of {}", names(Operation::ALL.iter()))]
    UnknownOperation {
        /// The name found.
        name: String,
    },
    /// A name that no cell kind has.
    #[error("unknown cell kind `{name}`: expected `normal` or `reduction`")]
    UnknownCellKind {
        /// The name found.
        name: String,
    },
    /// A name that no op set has.
    #[error("unknown op set `{name}`: expected `darts7`, `darts8` or operations joined by commas")]
    UnknownOpSet {
        /// The name found.
        name: String,
    },
    /// An op set without operations.
    #[error("empty op set: expected at least one operation")]
    EmptyOpSet,
    /// An operation that is listed twice.
    #[error("operation `{operation}` is listed twice{place}")]
    RepeatedOperation {
        /// The operation.
        operation: Operation,
        /// Where, starting with a space, or nothing.
        place: String,
    },
    /// Two nodes that no edge joins.
    #[error("no edge {from}->{to}: expected an edge into a node 2 to 5 from a node before it")]
    NoSuchEdge {
        /// The source node found.
        from: usize,
        /// The target node found.
        to: usize,
    },
    /// A text that is not an edge.
    #[error("`{text}` is not an edge: expected two nodes as in `0->2`")]
    EdgeText {
        /// The text found.
        text: String,
    },
    /// A change to an edge that was removed before.
    #[error("edge {edge} is not alive")]
    EdgeNotAlive {
        /// The edge.
        edge: Edge,
    },
    /// A change to an operation that was removed before or never was there.
    #[error("operation `{operation}` is not alive on edge {edge}: alive are {alive}")]
    OperationNotAlive {
        /// The edge.
        edge: Edge,
        /// The operation.
        operation: Operation,
        /// Names of what is alive there.
        alive: String,
    },
    /// The removal of the last operation of an edge.
    #[error("`{operation}` is the last operation of edge {edge}: remove the edge instead")]
    LastOperation {
        /// The edge.
        edge: Edge,
        /// The operation.
        operation: Operation,
    },
    /// A topology that has decisions left.
    #[error("the topology is not a genotype yet, still open are {open}")]
    StillOpen {
        /// Nodes and edges with more than one choice left.
        open: String,
    },
    /// A node with more inputs than a genotype has.
    #[error("{cell}, node {node}: expected at most two inputs, found {found}")]
    TooManyInputs {
        /// Where.
        cell: CellKind,
        /// The node.
        node: usize,
        /// The number found.
        found: usize,
    },
    /// A node that reads a node which is not before it.
    #[error("{cell}, node {node}: expected an input from a node 0 to {}, found {from}", node - 1)]
    InputOutOfRange {
        /// Where.
        cell: CellKind,
        /// The node.
        node: usize,
        /// The source found.
        from: usize,
    },
    /// A node that reads the same node twice.
    #[error("{cell}, node {node}: node {from} is its input twice, this space has one edge for it")]
    RepeatedInput {
        /// Where.
        cell: CellKind,
        /// The node.
        node: usize,
        /// The source found.
        from: usize,
    },
    /// `none` as an input.
    #[error("{cell}, node {node}: `none` is no input, leave the edge out instead")]
    NoneInput {
        /// Where.
        cell: CellKind,
        /// The node.
        node: usize,
    },
    /// An operation that the genotype's op set does not have.
    #[error("{cell}, node {node}: operation `{operation}` is not in the op set {op_set}")]
    OutsideOpSet {
        /// Where.
        cell: CellKind,
        /// The node.
        node: usize,
        /// The operation.
        operation: Operation,
        /// The op set's name.
        op_set: String,
    },
    /// A genotype of another op set than the one at hand.
    #[error("genotype of another op set: expected {expected}, found {found}")]
    OtherOpSet {
        /// The op set at hand.
        expected: String,
        /// The genotype's op set.
        found: String,
    },
    /// Another number of nodes than the cells of this space have.
    #[error("{cell}: expected the inputs of 4 nodes, found {found}")]
    NodeCount {
        /// Where.
        cell: CellKind,
        /// The number found.
        found: usize,
    },
    /// A DARTS text of a cell with another number of inputs.
    #[error("{cell}: expected 8 inputs, two for each of 4 nodes, found {found}")]
    InputCount {
        /// Where.
        cell: CellKind,
        /// The number found.
        found: usize,
    },
    /// A cell whose output is not all intermediate nodes.
    #[error("{cell}: expected the output to join nodes [2, 3, 4, 5], found {found:?}")]
    OtherConcat {
        /// Where.
        cell: CellKind,
        /// The nodes found.
        found: Vec<usize>,
    },
    /// JSON that cannot be read, or has other fields.
    #[error("genotype JSON: {reason}")]
    Json {
        /// The reader's message with line and column.
        reason: String,
    },
    /// JSON of something else.
    #[error("genotype JSON: expected the format `asap-genotype`, found `{found}`")]
    OtherFormat {
        /// The format found.
        found: String,
    },
    /// JSON of a version that this program does not know.
    #[error("genotype JSON: expected version 1, found {found}")]
    OtherVersion {
        /// The version found.
        found: u64,
    },
    /// DARTS text that cannot be read.
    #[error("DARTS text, line {line}, column {column}: expected {expected}, found {found}")]
    DartsText {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
}

/// The names of operations, joined by commas.
pub(crate) fn names<'a>(operations: impl Iterator<Item = &'a Operation>) -> String {
    operations
        .map(|operation| operation.name())
        .collect::<Vec<_>>()
        .join(", ")
}

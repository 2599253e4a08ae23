#![doc = include_str!("../README.md")]

mod cell_kind;
mod cell_topology;
mod darts_reader;
mod darts_text;
mod dot;
mod edge;
mod error;
mod genotype;
mod json;
mod listing;
mod op_set;
mod op_weights;
mod operation;
mod published;
mod topology;

pub use cell_kind::CellKind;
pub use cell_topology::CellTopology;
pub use edge::{EDGES, Edge, INPUT_NODES, INTERMEDIATE_NODES, NODES};
pub use error::{Error, Result};
pub use genotype::{CellGenotype, Genotype};
pub use listing::Listing;
pub use op_set::OpSet;
pub use op_weights::OpWeights;
pub use operation::Operation;
pub use published::{ASAP, DARTS_V1, DARTS_V2, NAMES, PC_DARTS, XNAS};
pub use topology::Topology;

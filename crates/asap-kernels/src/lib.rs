#![doc = include_str!("../README.md")]

mod builder;
mod depthwise;
pub mod device;
mod elementwise;
mod error;
mod layout;
mod memory;
mod operation;
mod plan;
mod pointwise;
mod pool;
pub mod reference;
mod regularisation;
mod run;
mod sgd;
mod simd;
mod table;
mod team;

pub use builder::{AuxiliaryForm, CellOperation, CellSpec, Connection, PlanBuilder};
pub use error::Error;
pub use layout::{ParameterKind, padded};
pub use operation::{
    CellInputConfig, NamedShape, OperationConfig, apply_operation, cell_input,
    cell_input_parameters, mixed_operation, operation_parameters,
};
pub use plan::{Parameter, Plan, Statistics};
pub use regularisation::Regularisation;
pub use run::{Engine, Outcome, Pass, Wanted};
pub use sgd::gradient_norm;
pub use table::Level;

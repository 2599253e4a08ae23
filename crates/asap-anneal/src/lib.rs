#![doc = include_str!("../README.md")]

mod annealer;
mod config;
mod edge_weights;
mod error;
mod layout;
mod ledger;
mod operation_weights;
mod plan;
mod prune;
mod random;
mod removal;
mod schedule;
mod simulate;
mod state;
mod weights;

pub use annealer::Annealer;
pub use config::{AnnealConfig, AnnealParams, Check, EdgeRule, Granularity, ThresholdBase};
pub use edge_weights::{EDGES_KEPT, edge_weights, logit_gradient};
pub use error::{Error, Result};
pub use ledger::{Decisions, LedgerLine, Moment, Reason, replay};
pub use operation_weights::{alpha_gradient, operation_weights};
pub use plan::{
    ASSUMED_SIGNAL, DECIDING_WALK, Forecast, LEAST_ALPHA_STEPS, PAPER_LEARNING_RATE, Plan, TRAVEL,
    forecast, recommended_learning_rate,
};
pub use prune::Pruned;
pub use state::AnnealerState;

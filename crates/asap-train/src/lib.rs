#![doc = include_str!("../README.md")]

mod adam;
mod atomic;
mod averaged;
mod budget;
mod checkpoint;
mod computed_on;
mod conclusion;
mod config;
mod config_check;
mod config_file;
mod config_notes;
mod costs;
mod driver;
mod error;
mod evaluate;
mod image_shape;
mod image_stream;
mod job;
mod learner;
mod measure;
mod memory;
mod metrics;
mod network_size;
mod plan;
mod presets;
mod progress;
mod promise;
mod recipes;
mod run_data;
mod run_folder;
mod runs;
mod saved_network;
mod schedule;
mod search;
mod seed;
mod sgd;
mod step_seconds;
mod summary;
mod tensor_file;
#[cfg(test)]
mod testing;
mod train;
mod transfer;
mod work;

pub use config::{AugmentationConfig, DataConfig, RunConfig, SearchConfig, Task, TrainConfig};
pub use network_size::NetworkSize;
pub use presets::Preset;
pub use recipes::Recipe;

pub use image_shape::ImageShape;
pub use job::{Job, Outcome};
pub use progress::{Event, Phase, Progress, StepReport};
pub use run_data::ImageSource;

pub use atomic::write_atomically;
pub use computed_on::ComputedOn;
pub use costs::Costs;
pub use metrics::{CellOpWeights, EpochMetrics, read_metrics};
pub use run_folder::RunFolder;
pub use runs::{RunInfo, RunState, runs, thin_checkpoints};
pub use summary::{SearchResult, Summary};
pub use transfer::TransferSource;

pub use evaluate::{ClassResult, Evaluation, EvaluationImages, Views, evaluate};
pub use saved_network::SavedNetwork;

pub use budget::fit_budget;
pub use measure::{Measured, SearchSeconds, measure};
pub use memory::{available_bytes, peak_resident_bytes, resident_bytes};
pub use plan::{PlannedPhase, RunPlan, plan};

pub use adam::{Adam, AdamConfig};
pub use schedule::{Cosine, Curve, Schedule};
pub use sgd::SgdConfig;

pub use error::{Error, Result};

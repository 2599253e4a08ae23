#![doc = include_str!("../README.md")]

mod config;
mod darts;
mod error;
mod estimate;
mod init;
mod lower;
mod network;
mod place;
mod slab_map;
mod tensors;

pub use asap_kernels::device::{AlphaDescent, Alphas, Descent, Precision};
pub use asap_kernels::device::{
    Device, DeviceEngine, KeptImages, Launch,
    abi::{Showing, Variation},
};
pub use asap_kernels::{Level, Regularisation, Wanted};
pub use config::{Execution, Form, NetworkConfig, StemForm};
pub use darts::{DartsAlphas, DartsLayout, DartsNetwork, darts_alpha_gradients, darts_op_weights};
pub use error::{Error, Result};
pub use estimate::{
    MemoryEstimate, inference_activations, macs_per_image, parameter_count, stored_values,
    training_memory,
};
pub use network::{Finished, Images, Network, StepImages, StepOutcome};
pub use place::{Accelerator, Place};
pub use tensors::NamedTensor;

/// The instruction set that the kernels use on this processor.
pub fn simd() -> &'static str {
    Level::detect().name()
}

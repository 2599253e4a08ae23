//! Plans on a device with kernels of its own: the same [`crate::Plan`] that the processor runs, as launches.
//!
//! A plan is lowered once to a list of launches over tables of jobs; everything that changes from step to step lies in
//! one [`abi::Step`], so that a step is one recorded graph. [`Device`] is all that this needs of a device.

pub mod abi;
mod alphas;
mod average;
#[cfg(feature = "cuda")]
mod cuda;
mod engine;
mod images;
mod launch;
mod lower;
mod memory;
mod operation;
mod optimizer;
mod program;
mod steps;

pub use alphas::{AlphaDescent, Alphas};
#[cfg(feature = "cuda")]
pub use cuda::CudaDevice;
pub use engine::{DeviceEngine, Slab};
pub use images::KeptImages;
pub use launch::{Capacity, Device, Fetched, Launch, Part, Precision, Work};
pub use operation::{DeviceOperation, Operated};
pub use optimizer::Descent;
pub use steps::{Done, StepOpWeights};

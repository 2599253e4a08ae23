//! The kernels for GPUs, run on the host: the same `.cu` files, built by the host's C++ compiler behind a shim that runs
//! the threads of a block as fibers.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod abi;
mod compile;
mod host;
mod shim;
mod small_kernels;
mod whole_plans;

//! The kernels for GPUs, run on the host: the same `.cu` files, built by the host's C++ compiler behind a shim that runs
//! the threads of a block as fibers.
//!
//! In a build with the feature `cuda` the host also runs what nvcc makes of them, its PTX translated line by line into C++ (`ptx`,
//! `instructions`): the stand-in for the driver always does, and it is watched here.
//!
//! `operations`, `cell_inputs` and `kinks` are those of the processor (`tests/agreement`), with other `forms` held to the same plain one.
//! They, `forms`, `whole_plans` and `small_kernels` run on a GPU instead where one is chosen (`chosen`), or on the host through the code for GPUs.
//! What only the host can do stays there: to watch for races and for accesses outside of all memory (`HostDevice::watched`), to guard
//! what lies beside an allocation, to shuffle threads, and to try the shim itself (`shim`); `abi` compares texts.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod abi;
#[path = "../agreement/case.rs"]
mod case;
#[path = "../agreement/cell_inputs.rs"]
mod cell_inputs;
mod chosen;
#[path = "../agreement/compare.rs"]
mod compare;
mod compile;
mod forms;
mod host;
#[cfg(feature = "cuda")]
mod instructions;
#[path = "../agreement/kinks.rs"]
mod kinks;
#[path = "../agreement/operations.rs"]
mod operations;
#[path = "../agreement/plain.rs"]
mod plain;
#[path = "../agreement/random.rs"]
mod random;
mod shim;
mod small_kernels;
mod traffic;
mod whole_plans;

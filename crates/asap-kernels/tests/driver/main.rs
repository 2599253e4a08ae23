//! The code for NVIDIA GPUs against a driver that has none: the driver's functions, each in a few lines of C++, whose kernels are what
//! nvcc makes of them, translated and run on the host by the shim of `tests/device`. What is launched runs as late as the driver may
//! leave it, or at once, or at moments that a seed decides, so that a copy that nobody waits for shows; and what a driver would silently
//! do with a mistake ends the process with a line that tells.
//!
//! Those of the other tests that choose a device run on it where `ASAP_TEST_DEVICE` is `stand-in`.
#![cfg(all(target_os = "linux", feature = "cuda"))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../device/compile.rs"]
#[expect(dead_code, reason = "of what builds the kernels, this needs a part")]
mod compile;
mod engine;
mod failures;
#[path = "../device/host.rs"]
#[expect(dead_code, reason = "of a device that is the host, this needs a part")]
mod host;
mod mistakes;
mod order;
mod scattered;
mod scene;
mod stand_in;

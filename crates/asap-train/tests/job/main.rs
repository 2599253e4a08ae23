//! Whole runs, small enough for a test: to their end, stopped and resumed, and gone wrong.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(unix)]
#[path = "../../../asap-kernels/tests/device/chosen.rs"]
mod chosen;
#[cfg(unix)]
#[path = "../../../asap-kernels/tests/device/compile.rs"]
#[expect(dead_code, reason = "of what asap-kernels tests, this needs a part")]
mod compile;
mod failure;
#[cfg(unix)]
#[path = "../../../asap-kernels/tests/device/host.rs"]
#[expect(dead_code, reason = "as above")]
mod host;
#[cfg(unix)]
mod on_a_device;
mod recipes;
mod resume;
mod scene;
mod whole;

//! `cargo xtask ci`: what a change must pass, cheap first.

use crate::{cargo, cuda, test, tidy};
use anyhow::Result;

/// Format, tidy, clippy, what a CUDA build adds, tests and documentation; stops at the first that fails.
///
/// # Errors
/// If any of them fails.
pub(crate) fn run() -> Result<()> {
    cargo::run(&["fmt", "--all", "--check"], &[])?;
    tidy::run()?;
    cargo::run(
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--release",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    )?;
    if cuda::IS_POSSIBLE {
        cuda::check()?;
    } else {
        eprintln!("left out: `cargo xtask cuda check`, which needs Linux on x86-64");
    }
    test::run(&[])?;
    cargo::run(
        &["doc", "--workspace", "--no-deps", "--release"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )
}

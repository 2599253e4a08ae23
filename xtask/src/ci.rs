//! `cargo xtask ci`: what a change must pass, cheap first.

use crate::{cargo, test, tidy};
use anyhow::Result;

/// Format, tidy, clippy, tests and documentation; stops at the first that fails.
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
    test::run(&[])?;
    cargo::run(
        &["doc", "--workspace", "--no-deps", "--release"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )
}

//! Where cargo keeps the sources of the packages that asap is built of.

use super::shell;
use anyhow::{Context, Result};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders of cudarc and of candle's kernels, which cargo fetches if they are not there.
///
/// # Errors
/// If cargo cannot list the packages, or one of the two is not among them.
pub(super) fn cudarc_and_candle_kernels(root: &Path) -> Result<(PathBuf, PathBuf)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut list = Command::new(cargo);
    list.current_dir(root)
        .args(["metadata", "--format-version", "1"]);
    list.args(["--features", super::FEATURES]);
    // Only what this system needs is fetched.
    list.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let listed = shell::output(&mut list, "Rust comes from https://rustup.rs")?;
    let listed: Value = serde_json::from_str(&listed).context("cargo metadata prints no JSON")?;
    Ok((
        folder(&listed, "cudarc")?,
        folder(&listed, "candle-kernels")?,
    ))
}

fn folder(listed: &Value, name: &str) -> Result<PathBuf> {
    let mut packages = listed["packages"].as_array().into_iter().flatten();
    let package = packages.find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    let folder =
        folder.with_context(|| format!("expected {name} among the packages of a CUDA build"))?;
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn the_folder_of_a_package_is_that_of_its_manifest() {
        let listed = serde_json::json!({"packages": [
            {"name": "other", "manifest_path": "/a/other-1/Cargo.toml"},
            {"name": "cudarc", "manifest_path": "/a/cudarc-0.19/Cargo.toml"},
        ]});
        assert_eq!(
            folder(&listed, "cudarc").unwrap(),
            Path::new("/a/cudarc-0.19")
        );
        let error = folder(&listed, "candle-kernels").unwrap_err().to_string();
        assert!(error.contains("candle-kernels"), "{error}");
    }
}

//! Files that are there whole or not at all.

use anyhow::{Context, Result};
use std::path::Path;

/// Writes under another name first, so that nobody finds half a file. The folder is made.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&unfinished, text))
        .and_then(|()| std::fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

//! The text files of the workspace.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Folders that hold no source: build output, version control, the results of runs.
const SKIPPED: [&str; 3] = ["target", ".git", "runs"];

/// One text file.
pub(super) struct SourceFile {
    /// From the root of the workspace, with `/` between the parts.
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The package the file belongs to: `crates/NAME` or the top folder; empty at the root.
    pub(super) fn package(&self) -> &str {
        let mut parts = self.path.split('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("crates"), Some(name), Some(_)) => name,
            (Some(top), Some(_), _) => top,
            _ => "",
        }
    }
}

/// Every text file of the workspace, ordered by path.
pub(super) struct Tree {
    files: Vec<SourceFile>,
    /// Every path, those of binary files included.
    paths: Vec<String>,
}

impl Tree {
    /// Reads the tree under `root`.
    ///
    /// # Errors
    /// If a folder or a file cannot be read.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        walk(root, "", &mut paths)?;
        paths.sort();
        let mut files = Vec::new();
        for path in paths.iter().filter(|path| !path.ends_with(".gz")) {
            let bytes = fs::read(root.join(path)).with_context(|| format!("reading {path}"))?;
            // What is no UTF-8 is no source.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(SourceFile {
                    path: path.clone(),
                    text,
                });
            }
        }
        Ok(Self { files, paths })
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    pub(super) fn rust_files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files().filter(|file| file.is_rust())
    }

    pub(super) fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files().find(|file| file.path == path)
    }

    pub(super) fn paths(&self) -> &[String] {
        &self.paths
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile {
                path: (*path).into(),
                text: (*text).into(),
            })
            .collect();
        let paths = files.iter().map(|file| file.path.clone()).collect();
        Self { files, paths }
    }
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    let here = root.join(folder);
    for entry in fs::read_dir(&here).with_context(|| format!("reading {}", here.display()))? {
        let entry = entry.with_context(|| format!("reading {}", here.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        let kind = entry
            .file_type()
            .with_context(|| format!("reading {path}"))?;
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(root, &path, paths)?;
            }
        } else if kind.is_file() && !name.ends_with(".tmp") {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_its_package() {
        let package = |path: &str| {
            SourceFile {
                path: path.into(),
                text: String::new(),
            }
            .package()
            .to_owned()
        };
        assert_eq!(package("crates/asap-space/src/lib.rs"), "asap-space");
        assert_eq!(package("xtask/src/main.rs"), "xtask");
        assert_eq!(package("Cargo.toml"), "");
    }
}

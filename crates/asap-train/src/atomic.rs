//! Files that are there whole or not at all.
//!
//! A file is written under a temporary name in its own folder, flushed to the disk, and renamed over
//! the old one: a process that dies in between leaves the old file, and so does a full disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Ending of files that are being written; one that is left over belongs to a process that died.
const UNFINISHED: &str = "unfinished";

/// Puts `bytes` at `path`, in place of what was there.
///
/// # Errors
/// The file cannot be written; the old one is then still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = unfinished(path);
    let written = write_and_flush(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if let Err(source) = written {
        // Gives back the space on a full disk. The first error is the one to tell.
        let _ = fs::remove_file(&unfinished);
        return Err(Error::io("write", path, source));
    }
    flush_folder(path)
}

/// As [`write_atomically`], and nothing where the file is so already.
pub(crate) fn write_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    match fs::read(path) {
        Ok(old) if old == bytes => Ok(()),
        _ => write_atomically(path, bytes),
    }
}

/// Removes what a process that died was writing in `folder`, as far as that is possible.
pub(crate) fn remove_unfinished(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path
            .extension()
            .is_some_and(|extension| extension == UNFINISHED)
        {
            // Only room on the disk is lost where this fails.
            let _ = fs::remove_file(path);
        }
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    path.with_file_name(name)
}

fn write_and_flush(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the rename itself last: on Unix a folder is flushed like a file.
#[cfg(unix)]
fn flush_folder(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| Error::io("flush the folder of", path, source))
}

#[cfg(not(unix))]
fn flush_folder(_path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::testing::TemporaryFolder;

    #[test]
    fn a_write_replaces_the_file_and_leaves_nothing_else() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("file.json");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_names_it() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("file.json");
        write_atomically(&path, b"old").unwrap();
        // A folder in the place of the temporary file: it cannot be opened for writing.
        fs::create_dir(unfinished(&path)).unwrap();
        let error = write_atomically(&path, b"new").unwrap_err().to_string();
        assert!(error.contains("file.json"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn a_leftover_of_a_dead_process_is_no_obstacle() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("file.json");
        fs::write(unfinished(&path), b"half a fi").unwrap();
        write_atomically(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(!unfinished(&path).exists());
        fs::write(unfinished(&path), b"half a fi").unwrap();
        remove_unfinished(folder.path());
        assert!(!unfinished(&path).exists() && path.exists());
    }
}

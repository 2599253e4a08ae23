//! Known data sets from their publishers: downloaded, checked, unpacked.
//!
//! A download that breaks off goes on where it was, in a later run only if its checksum is known; what does not have the checksum of the manifest is removed.
//! Everything appears whole: files under another name, archives in another folder, until they are complete.

mod download;
mod unpack;

use std::fs;
use std::path::Path;

use crate::checksum::{Algorithm, Checksum, digest_of};
use crate::error::{Error, Result};
use crate::manifest::{Download, Manifest};

/// What happens while a data set is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchEvent<'a> {
    /// It is there already.
    Present {
        /// The file that would have been downloaded.
        file: &'a str,
    },
    /// More of a file has come.
    Downloaded {
        /// The file.
        file: &'a str,
        /// Bytes of it that are here, with those of an earlier try.
        bytes: u64,
        /// Bytes that it has, if the server says.
        total: Option<u64>,
    },
    /// Its checksum is computed.
    Checking {
        /// The file.
        file: &'a str,
    },
    /// It is an archive and is unpacked.
    Unpacking {
        /// The file.
        file: &'a str,
    },
}

/// A file that was downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// What it is called.
    pub file: String,
    /// How long it is.
    pub bytes: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// The checksum that it was found to have; [`Checksum::Unknown`] if the manifest has none.
    pub checksum: Checksum,
}

/// Brings the data set of `manifest` to `folder` and says what came; `tell` hears how it goes on. What is there
/// already is left as it is.
///
/// # Errors
///
/// If there is nothing to download, a file cannot be had or has another checksum, an archive is broken or would
/// write outside of `folder`, or the disk is full.
pub fn fetch(
    manifest: &Manifest,
    folder: &Path,
    tell: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<Vec<Fetched>> {
    if manifest.downloads.is_empty() {
        let Manifest {
            name, source, note, ..
        } = manifest;
        let expected = format!("a set that can be downloaded; get this from {source}. {note}");
        return Err(Error::setting("fetch", expected.trim_end(), name));
    }
    let is_new = !folder.exists();
    fs::create_dir_all(folder).map_err(|source| Error::write(folder, source))?;
    let fetched = bring(manifest, folder, tell);
    if fetched.is_err() && is_new {
        // Goes only if it is empty. The first error is the one to tell.
        let _ = fs::remove_dir(folder);
    }
    fetched
}

/// [`fetch`] to a folder that is there.
fn bring(
    manifest: &Manifest,
    folder: &Path,
    tell: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<Vec<Fetched>> {
    let mut fetched = Vec::new();
    for download in &manifest.downloads {
        let file = &download.file;
        if download.is_present(folder) {
            tell(FetchEvent::Present { file });
            continue;
        }
        let unfinished = folder.join(format!("{file}.unfinished"));
        download::download(download, &unfinished, tell)?;
        tell(FetchEvent::Checking { file });
        fetched.push(checked(download, &unfinished)?);
        let path = folder.join(file);
        if download.unpacks_to.is_empty() {
            fs::rename(&unfinished, &path).map_err(|source| Error::write(&path, source))?;
            continue;
        }
        tell(FetchEvent::Unpacking { file });
        let unpacked = unpack::unpack(download, &unfinished, folder);
        // A full disk can be emptied and gone on with; a broken archive stays one.
        if matches!(unpacked, Ok(()) | Err(Error::Content { .. })) {
            fs::remove_file(&unfinished).map_err(|source| Error::write(&unfinished, source))?;
        }
        unpacked?;
    }
    Ok(fetched)
}

/// What the file at `unfinished` is; one with another checksum than that of `download` is removed.
fn checked(download: &Download, unfinished: &Path) -> Result<Fetched> {
    let read = |source| Error::read(unfinished, source);
    if let Err(error) = download.verify(unfinished) {
        // Kept, it would be gone on with for ever.
        fs::remove_file(unfinished).map_err(|source| Error::write(unfinished, source))?;
        return Err(error);
    }
    Ok(Fetched {
        file: download.file.clone(),
        bytes: fs::metadata(unfinished).map_err(read)?.len(),
        sha256: digest_of(unfinished, Algorithm::Sha256)?,
        checksum: download.checksum.clone(),
    })
}

//! Archives, unpacked so that nothing lands outside of the folder meant for it.
//!
//! Only files and folders are unpacked: no data set needs links or devices, and they are how an archive
//! reaches elsewhere. A name must be relative and must not go up.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::manifest::Download;

/// The folder that is unpacked to before all is complete.
const UNFINISHED: &str = "unpacking.unfinished";

/// Unpacks `archive`, which `download` brought, to `folder`.
pub(super) fn unpack(download: &Download, archive: &Path, folder: &Path) -> Result<()> {
    let unfinished = folder.join(UNFINISHED);
    let write = |path: &Path, source| Error::write(path, source);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(|source| write(&unfinished, source))?;
    }
    fs::create_dir(&unfinished).map_err(|source| write(&unfinished, source))?;
    let name = &download.file;
    let unpacked = match () {
        () if name.ends_with(".zip") => zip(archive, &unfinished),
        () if name.ends_with(".tar") => tar(archive, &unfinished, |file| Box::new(file)),
        () if name.ends_with(".tar.gz") || name.ends_with(".tgz") => {
            tar(archive, &unfinished, |file| {
                Box::new(MultiGzDecoder::new(file))
            })
        }
        () => Err(Error::content(archive, "a .zip, .tar or .tar.gz", name)),
    };
    let moved = unpacked.and_then(|()| move_out(download, archive, &unfinished, folder));
    if moved.is_err() {
        // Gives back the space. The first error is the one to tell.
        let _ = fs::remove_dir_all(&unfinished);
    }
    moved
}

/// Puts what was unpacked into its place.
fn move_out(download: &Download, archive: &Path, unfinished: &Path, folder: &Path) -> Result<()> {
    for name in &download.unpacks_to {
        let (from, to) = (unfinished.join(name), folder.join(name));
        if !from.exists() {
            let expected = format!("an archive with `{name}`");
            return Err(Error::content(archive, expected, "none of that name"));
        }
        if !to.exists() {
            fs::rename(&from, &to).map_err(|source| Error::write(&to, source))?;
        }
    }
    fs::remove_dir_all(unfinished).map_err(|source| Error::write(unfinished, source))
}

fn tar(
    archive: &Path,
    folder: &Path,
    decoded: impl Fn(BufReader<File>) -> Box<dyn Read>,
) -> Result<()> {
    let broken = |source: io::Error| broken(archive, &source);
    let file = File::open(archive).map_err(|source| Error::read(archive, source))?;
    let mut reader = ::tar::Archive::new(decoded(BufReader::new(file)));
    for entry in reader.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.into_owned();
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            continue;
        }
        if !kind.is_file() && !kind.is_dir() {
            return Err(unsafe_entry(archive, &name, "a link or a device"));
        }
        let path = place(archive, folder, &name)?;
        match kind.is_dir() {
            true => make_folder(&path)?,
            false => write_file(archive, &path, &mut entry)?,
        }
    }
    // The checksum of a .gz stands behind all that the entries read.
    io::copy(&mut reader.into_inner(), &mut io::sink()).map_err(broken)?;
    Ok(())
}

fn zip(archive: &Path, folder: &Path) -> Result<()> {
    let broken = |error: ::zip::result::ZipError| {
        Error::content(archive, "a whole archive", error.to_string())
    };
    let file = File::open(archive).map_err(|source| Error::read(archive, source))?;
    let mut reader = ::zip::ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    for index in 0..reader.len() {
        let mut entry = reader.by_index(index).map_err(broken)?;
        let name = PathBuf::from(entry.name().map_err(broken)?.into_owned());
        if entry.is_symlink() {
            return Err(unsafe_entry(archive, &name, "a link"));
        }
        let path = place(archive, folder, &name)?;
        match entry.is_dir() {
            true => make_folder(&path)?,
            false => write_file(archive, &path, &mut entry)?,
        }
    }
    Ok(())
}

/// Where the entry `name` goes.
fn place(archive: &Path, folder: &Path, name: &Path) -> Result<PathBuf> {
    let mut path = folder.to_owned();
    for component in name.components() {
        match component {
            // A backslash parts folders on Windows, and stands in no data set.
            Component::Normal(part) if !part.to_string_lossy().contains('\\') => path.push(part),
            Component::CurDir => {}
            _ => return Err(unsafe_entry(archive, name, "a path out of its folder")),
        }
    }
    Ok(path)
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::write(path, source))
}

fn write_file(archive: &Path, path: &Path, content: &mut impl Read) -> Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut file = File::create(path).map_err(|source| Error::write(path, source))?;
    let mut block = vec![0; 1 << 16];
    loop {
        let read = content
            .read(&mut block)
            .map_err(|source| broken(archive, &source))?;
        if read == 0 {
            return Ok(());
        }
        io::Write::write_all(&mut file, &block[..read])
            .map_err(|source| Error::write(path, source))?;
    }
}

fn broken(archive: &Path, source: &io::Error) -> Error {
    Error::content(archive, "a whole archive", source.to_string())
}

fn unsafe_entry(archive: &Path, name: &Path, what: &str) -> Error {
    let found = format!("`{}`: {what}", name.display());
    Error::content(
        archive,
        "files and folders that stay in their folder",
        found,
    )
}

//! Digests of files, to tell whether they are what was published.

use std::fmt::{self, Write};
use std::fs::File;
use std::io;
use std::path::Path;
use std::str::FromStr;

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// How a file is digested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// What publishers of data sets state; it tells damage, not forgery.
    Md5,
    /// What the manifests of this project state.
    Sha256,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Md5, Self::Sha256];

    /// Digits of a digest in hexadecimal.
    fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
        })
    }
}

/// What a file must be: `md5:` or `sha256:` and a digest in lower-case hexadecimal, or `unknown`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Checksum {
    /// Nobody says.
    Unknown,
    /// The digest of the file.
    Known(Algorithm, String),
}

impl FromStr for Checksum {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "unknown" {
            return Ok(Self::Unknown);
        }
        let parsed = text.split_once(':').and_then(|(name, digest)| {
            let is_digit = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
            let algorithm = Algorithm::ALL
                .into_iter()
                .find(|algorithm| algorithm.to_string() == name)?;
            let fits = digest.len() == algorithm.digits() && digest.chars().all(is_digit);
            fits.then(|| Self::Known(algorithm, digest.to_owned()))
        });
        parsed.ok_or_else(|| {
            let expected = "`md5:` or `sha256:` and lower-case hexadecimal digits, or `unknown`";
            Error::setting("checksum", expected, format!("`{text}`"))
        })
    }
}

impl TryFrom<String> for Checksum {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Known(algorithm, digest) => write!(f, "{algorithm}:{digest}"),
        }
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.to_string()
    }
}

/// The digest of the file at `path`, in lower-case hexadecimal.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) fn digest_of(path: &Path, algorithm: Algorithm) -> Result<String> {
    match algorithm {
        Algorithm::Md5 => digest::<Md5>(path),
        Algorithm::Sha256 => digest::<Sha256>(path),
    }
}

fn digest<D: Digest>(path: &Path) -> Result<String> {
    let read = |source| Error::read(path, source);
    let mut file = File::open(path).map_err(read)?;
    let mut hash = Hashing(D::new());
    io::copy(&mut file, &mut hash).map_err(read)?;
    let bytes = hash.0.finalize();
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// A writer into a hash.
struct Hashing<D>(D);

impl<D: Digest> io::Write for Hashing<D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_read_and_written_the_same() {
        let md5 = "md5:900150983cd24fb0d6963f7d28e17f72";
        for text in ["unknown", md5] {
            assert_eq!(text.parse::<Checksum>().unwrap().to_string(), text);
        }
        for text in ["", "md5:", "md5:00", "sha1:00", &md5.to_uppercase()] {
            assert!(text.parse::<Checksum>().is_err(), "{text}");
        }
    }

    /// From RFC 1321 and FIPS 180-2.
    #[test]
    fn digests_are_those_of_the_standards() {
        let path = std::env::temp_dir().join(format!("asap-checksum-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        let digest = |algorithm| digest_of(&path, algorithm).unwrap();
        assert_eq!(digest(Algorithm::Md5), "900150983cd24fb0d6963f7d28e17f72");
        assert!(digest(Algorithm::Sha256).starts_with("ba7816bf8f01cfea414140de5dae2223"));
        std::fs::remove_file(path).unwrap();
    }
}

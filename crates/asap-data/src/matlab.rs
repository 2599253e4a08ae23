//! The arrays of bytes in a MATLAB file of version 5, as far as SVHN has them.
//!
//! A header of 128 bytes, whose last four are the version and the order of bytes; then elements. An element is a
//! type (`u32`), a length (`u32`) and so many bytes, filled up to 8; one of up to 4 bytes may be packed in 8, with
//! its length in the upper half of the type. A compressed element (type 15) is a zlib stream of one element. An array
//! (type 14) is a list of elements: its flags, its dimensions, its name and its values, the first dimension
//! running fastest. Here: little-endian, values of one byte.
//! Source: MathWorks, "MAT-File Format", the part on level 5.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::ZlibDecoder;

use crate::error::{Error, Result};

const HEADER: usize = 128;
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// An array of bytes.
#[derive(Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) name: String,
    pub(crate) dimensions: Vec<usize>,
    /// The first dimension runs fastest.
    pub(crate) values: Vec<u8>,
}

/// All arrays in the file at `path`.
///
/// # Errors
///
/// If it is no such file, is cut short, or holds anything but arrays of bytes.
pub(crate) fn arrays(path: &Path) -> Result<Vec<Array>> {
    let file = File::open(path).map_err(|source| Error::read(path, source))?;
    let mut reader = BufReader::new(file);
    let wrong = |expected: &str, found: String| Error::content(path, expected, found);
    let mut header = [0; HEADER];
    let expected = "a MATLAB file of version 5, little-endian";
    reader
        .read_exact(&mut header)
        .map_err(|_| wrong(expected, format!("less than {HEADER} bytes")))?;
    if header[124..] != [0x00, 0x01, b'I', b'M'] {
        let found = format!("{:?} for version and order of bytes", &header[124..]);
        return Err(wrong(expected, found));
    }
    let mut arrays = Vec::new();
    let broken = |failure: Failure| match failure {
        Failure::Read(error) => wrong(
            "a whole file",
            format!("one that ends or breaks off early: {error}"),
        ),
        Failure::Content(expected, found) => wrong(&expected, found),
    };
    while let Some((kind, length)) = next_tag(&mut reader).map_err(broken)? {
        let mut content = reader.by_ref().take(u64::from(length));
        let array = match kind {
            MATRIX => array(&mut content, u64::from(length)),
            COMPRESSED => compressed(&mut content),
            other => Err(Failure::kind("an array, compressed or not", other)),
        };
        arrays.push(array.map_err(broken)?);
    }
    Ok(arrays)
}

/// Why there is no array.
enum Failure {
    Read(io::Error),
    Content(String, String),
}

impl Failure {
    fn kind(expected: &str, kind: u32) -> Self {
        Self::Content(expected.to_owned(), format!("data of type {kind}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// The array in a zlib stream; all of the stream is read, so that its checksum is looked at.
fn compressed(content: &mut impl io::BufRead) -> Result<Array, Failure> {
    let mut unpacked = ZlibDecoder::new(content);
    let [kind, length] = [word(&mut unpacked)?, word(&mut unpacked)?];
    if kind != MATRIX {
        return Err(Failure::kind("an array", kind));
    }
    let array = array(&mut unpacked, u64::from(length))?;
    io::copy(&mut unpacked, &mut io::sink())?;
    Ok(array)
}

/// The array in the next `length` bytes.
fn array(reader: &mut impl Read, length: u64) -> Result<Array, Failure> {
    let mut reader = reader.take(length);
    element(&mut reader, &[UINT32], "the flags of an array")?;
    let dimensions = element(&mut reader, &[INT32], "the dimensions of an array")?;
    let dimensions: Vec<usize> = dimensions
        .chunks_exact(4)
        .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
        .collect();
    let name = element(&mut reader, &[INT8], "the name of an array")?;
    let name = String::from_utf8_lossy(&name).into_owned();
    let values = element(
        &mut reader,
        &[UINT8],
        &format!("bytes in the array `{name}`"),
    )?;
    let size = dimensions
        .iter()
        .try_fold(1_usize, |size, &side| size.checked_mul(side));
    if size != Some(values.len()) {
        let expected = format!("{dimensions:?} bytes in the array `{name}`");
        return Err(Failure::Content(expected, format!("{}", values.len())));
    }
    io::copy(&mut reader, &mut io::sink())?;
    Ok(Array {
        name,
        dimensions,
        values,
    })
}

/// The bytes of the next element, which is `what` and has one of the types `kinds`.
fn element(reader: &mut impl Read, kinds: &[u32], what: &str) -> Result<Vec<u8>, Failure> {
    let first = word(reader)?;
    let (kind, length, filling) = match first >> 16 {
        0 => {
            let length = word(reader)?;
            (first, length, length.wrapping_neg() % 8)
        }
        packed => (first & 0xFFFF, packed, 4_u32.saturating_sub(packed)),
    };
    if !kinds.contains(&kind) {
        return Err(Failure::kind(what, kind));
    }
    // Nothing is reserved on the word of the file.
    let mut bytes = Vec::new();
    reader
        .by_ref()
        .take(u64::from(length))
        .read_to_end(&mut bytes)?;
    if bytes.len() != length as usize {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let filling = u64::from(filling);
    io::copy(&mut reader.by_ref().take(filling), &mut io::sink())?;
    Ok(bytes)
}

/// Type and length of the next element; `None` where the file ends.
fn next_tag(reader: &mut impl io::BufRead) -> Result<Option<(u32, u32)>, Failure> {
    if reader.fill_buf()?.is_empty() {
        return Ok(None);
    }
    Ok(Some((word(reader)?, word(reader)?)))
}

fn word(reader: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

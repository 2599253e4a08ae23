//! Small files of the true formats, in a folder that goes when the test ends.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};

/// A folder of one test.
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("asap-data-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a picture in the format of its name's ending.
    pub(crate) fn draw(&self, name: &str, picture: impl Into<DynamicImage>) -> PathBuf {
        self.write(
            name,
            &encoded(picture, ImageFormat::from_path(name).unwrap()),
        )
    }

    /// A class of `count` grey pictures `0.png`, `1.png`, ... of one shade each.
    pub(crate) fn class(&self, name: &str, shades: impl IntoIterator<Item = u8>) {
        for (index, shade) in shades.into_iter().enumerate() {
            self.draw(&format!("{name}/{index:02}.png"), grey(4, 3, |_, _| shade));
        }
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn grey(width: u32, height: u32, shade: impl Fn(u32, u32) -> u8) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| Luma([shade(x, y)]))
}

pub(crate) fn rgb(width: u32, height: u32, colour: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb(colour))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file of bytes.
pub(crate) fn idx_file(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|side| side.to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// Records of CIFAR: each one the labels, then pixels that are `first`, `first + 1`, ...
pub(crate) fn cifar_file(records: &[(&[u8], u8)]) -> Vec<u8> {
    let record = |&(labels, first): &(&[u8], u8)| {
        let pixels = (0..3072_u32).map(move |index| (u32::from(first) + index) as u8);
        labels.iter().copied().chain(pixels).collect::<Vec<u8>>()
    };
    records.iter().flat_map(record).collect()
}

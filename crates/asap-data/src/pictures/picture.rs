//! One PNG or JPEG file to bytes, whatever form it is stored in.
//!
//! Palettes are looked up, 16 bits are rounded to 8, an alpha channel is blended over white (what
//! lies beneath transparent pixels is arbitrary), and a photograph is turned as its EXIF orientation
//! says. The kind of a file is told by its first bytes, not by its name.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult};

use crate::error::{Error, Result};

/// What is known of a picture before its pixels are decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Header {
    /// Height and width in pixels, as it is seen.
    pub(crate) sides: (usize, usize),
    /// Whether it is stored in more than shades of grey.
    pub(crate) coloured: bool,
}

impl Header {
    /// The header of the picture at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::read(path, source))?;
        let header = || -> ImageResult<Self> {
            let mut decoder = reader(BufReader::new(file))?.into_decoder()?;
            let (width, height) = decoder.dimensions();
            let (width, height) = (width as usize, height as usize);
            let coloured = decoder.color_type().has_color();
            let sides = if turned(decoder.orientation()?) {
                (width, height)
            } else {
                (height, width)
            };
            Ok(Self { sides, coloured })
        };
        header().map_err(|source| Error::Image {
            path: path.to_owned(),
            source,
        })
    }

    /// The shorter side in pixels.
    pub(crate) fn shorter(self) -> usize {
        self.sides.0.min(self.sides.1)
    }

    /// The longer side in pixels.
    pub(crate) fn longer(self) -> usize {
        self.sides.0.max(self.sides.1)
    }
}

/// A decoded picture in the size of its file.
pub(crate) struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// 1 or 3.
    pub(crate) channels: usize,
    /// `[H, W, C]`.
    pub(crate) bytes: Vec<u8>,
}

impl Picture {
    /// The picture at `path`; `channels` is 3, or 1 for shades of grey.
    pub(crate) fn read(path: &Path, channels: usize) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| Error::read(path, source))?;
        let image = || -> ImageResult<DynamicImage> {
            let mut decoder = reader(Cursor::new(&bytes))?.into_decoder()?;
            let orientation = decoder.orientation()?;
            let mut image = DynamicImage::from_decoder(decoder)?;
            image.apply_orientation(orientation);
            Ok(image)
        };
        let image = image().map_err(|source| Error::Image {
            path: path.to_owned(),
            source,
        })?;
        if image::guess_format(&bytes).is_ok_and(|format| format == ImageFormat::Jpeg) {
            check_end_of_jpeg(path, &bytes)?;
        }
        let image = over_white(image);
        let (width, height) = (image.width() as usize, image.height() as usize);
        let bytes = match channels {
            1 => image.into_luma8().into_raw(),
            _ => image.into_rgb8().into_raw(),
        };
        Ok(Self {
            height,
            width,
            channels,
            bytes,
        })
    }
}

fn reader<R: BufRead + Seek>(bytes: R) -> ImageResult<ImageReader<R>> {
    Ok(ImageReader::new(bytes).with_guessed_format()?)
}

/// Whether height and width change places.
fn turned(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(
        orientation,
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
    )
}

/// The decoder fills a JPEG that is cut short with grey. A whole one has an end marker (FF D9) after
/// its last scan (FF DA); neither can stand inside the data of a scan.
fn check_end_of_jpeg(path: &Path, bytes: &[u8]) -> Result<()> {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|pair| pair == marker);
    if last([0xFF, 0xD9]) > last([0xFF, 0xDA]) {
        return Ok(());
    }
    Err(Error::content(
        path,
        "a whole JPEG image",
        "one that is cut short",
    ))
}

/// `image` without its alpha channel, if it has one, as it looks on a white page.
fn over_white(image: DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return image;
    }
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    if image.color().has_color() {
        let mut image = image.into_rgba8();
        for pixel in image.pixels_mut() {
            let [red, green, blue, alpha] = pixel.0;
            pixel.0 = [
                blend(red, alpha),
                blend(green, alpha),
                blend(blue, alpha),
                255,
            ];
        }
        image.into()
    } else {
        let mut image = image.into_luma_alpha8();
        for pixel in image.pixels_mut() {
            let [grey, alpha] = pixel.0;
            pixel.0 = [blend(grey, alpha), 255];
        }
        image.into()
    }
}

//! Bringing images to one size.
//!
//! An image that has the size already stays as it is, byte for byte. Any other is cut to the largest
//! square in its middle, which is then resized: nothing is stretched, and what stands at the ends of
//! the longer side is lost. The filter is Catmull-Rom, widened when an image gets smaller, so that
//! every pixel of the source counts and fine patterns do not alias.
//!
//! With a shorter side to resize to first, the square in the middle is smaller by that much, and the
//! filter is the linear one: what torchvision's `Resize` and `CenterCrop` come to, in one step.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::dataset::{Dataset, DatasetParts};
use crate::error::{Error, Result};
use crate::parallel;
use crate::pictures::Picture;

/// What every image is brought to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Form {
    /// Height and width in pixels.
    pub(crate) sides: (usize, usize),
    /// 1 or 3.
    pub(crate) channels: usize,
    /// The shorter side in pixels that a picture is resized to before its middle is cut out.
    pub(crate) resize_to: Option<usize>,
}

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) top: f64,
    pub(crate) left: f64,
    pub(crate) height: f64,
    pub(crate) width: f64,
}

impl Form {
    /// The bytes of `picture` in this form, whose sides must be equal if `picture` has others.
    pub(crate) fn fit(&self, picture: Picture) -> Vec<u8> {
        let shorter = picture.height.min(picture.width);
        if let Some(resize_to) = self.resize_to {
            let span = |side: usize, cut: usize| {
                // The resized side is cut to a whole number, the place of the middle rounded to one.
                let resized = (resize_to * side / shorter) as f64;
                let scale = side as f64 / resized;
                let before = ((resized - cut as f64) / 2.0).round_ties_even();
                let start = before * scale;
                // Rounding may bring the end a little beyond the side, which would be no part of the picture.
                (start, (cut as f64 * scale).min(side as f64 - start))
            };
            let (top, height) = span(picture.height, self.sides.0);
            let (left, width) = span(picture.width, self.sides.1);
            let window = Window {
                top,
                left,
                height,
                width,
            };
            return resize(&picture, window, self.sides, FilterType::Bilinear);
        }
        if (picture.height, picture.width) == self.sides {
            return picture.bytes;
        }
        debug_assert_eq!(self.sides.0, self.sides.1, "only a square is resized to");
        let window = Window {
            top: ((picture.height - shorter) / 2) as f64,
            left: ((picture.width - shorter) / 2) as f64,
            height: shorter as f64,
            width: shorter as f64,
        };
        resize_part(&picture, window, self.sides, FilterType::CatmullRom)
    }
}

/// What `window`, of whole pixels, shows of `picture`, in the height and width of `sides`, with the linear filter;
/// it sees nothing beyond the window.
pub(crate) fn resize_linear(picture: &Picture, window: Window, sides: (usize, usize)) -> Vec<u8> {
    resize_part(picture, window, sides, FilterType::Bilinear)
}

fn resize_part(
    picture: &Picture,
    window: Window,
    sides: (usize, usize),
    filter: FilterType,
) -> Vec<u8> {
    let [top, left] = [window.top, window.left].map(|number| number as usize);
    let [height, width] = [window.height, window.width].map(|number| number as usize);
    let (row, channels) = (picture.width * picture.channels, picture.channels);
    let rows = picture.bytes.chunks_exact(row).skip(top).take(height);
    let shown = rows.map(|row| &row[left * channels..(left + width) * channels]);
    let part = Picture {
        height,
        width,
        channels,
        bytes: shown.collect::<Vec<_>>().concat(),
    };
    if (height, width) == sides {
        return part.bytes;
    }
    let whole = Window {
        top: 0.0,
        left: 0.0,
        ..window
    };
    resize(&part, whole, sides, filter)
}

/// What `window` shows of `picture`; filters reach over its edges.
fn resize(picture: &Picture, window: Window, sides: (usize, usize), filter: FilterType) -> Vec<u8> {
    let kind = match picture.channels {
        1 => PixelType::U8,
        _ => PixelType::U8x3,
    };
    let (height, width) = (picture.height as u32, picture.width as u32);
    let source = ImageRef::new(width, height, &picture.bytes, kind)
        .expect("a picture has the bytes that its sides say");
    let mut resized = Image::new(sides.1 as u32, sides.0 as u32, kind);
    let options = ResizeOptions::new()
        .crop(window.left, window.top, window.width, window.height)
        .resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new()
        .resize(&source, &mut resized, &options)
        .expect("a window lies in its picture, and both are of one kind");
    resized.into_vec()
}

/// Checks that `size` pixels can be the side of an image that a network takes.
pub(crate) fn check_size(size: usize) -> Result<usize> {
    match size {
        1..=4096 => Ok(size),
        _ => Err(Error::setting(
            "size of the images",
            "from 1 to 4096 pixels",
            size,
        )),
    }
}

/// `dataset`, which has no files, with images of `size` x `size` pixels.
pub(crate) fn resized(dataset: Dataset, size: usize) -> Result<Dataset> {
    let side = check_size(size)?;
    if (dataset.height(), dataset.width()) == (side, side) {
        return Ok(dataset);
    }
    let form = Form {
        sides: (side, side),
        channels: dataset.channels(),
        resize_to: None,
    };
    let resize = |&index: &u32| Ok(form.fit(dataset.picture(index as usize)?));
    let images = parallel::for_each(&dataset.indices(), resize);
    let images = images.into_iter().collect::<Result<Vec<_>>>()?.concat();
    Dataset::new(DatasetParts {
        height: side,
        width: side,
        images,
        ..dataset.into_parts()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_as_large_as_the_resized_side_stays_in_the_picture() {
        for side in 2..=400 {
            for (height, width) in [(side, side), (side, side + 7), (side + 7, side)] {
                for size in [32, 224] {
                    let picture = Picture {
                        height,
                        width,
                        channels: 1,
                        bytes: vec![9; height * width],
                    };
                    let form = Form {
                        sides: (size, size),
                        channels: 1,
                        resize_to: Some(size),
                    };
                    assert_eq!(
                        form.fit(picture),
                        vec![9; size * size],
                        "{height} x {width}"
                    );
                }
            }
        }
    }
}

//! Bringing images to one size.
//!
//! An image that has the size already stays as it is, byte for byte. Any other is cut to the largest
//! square in its middle, which is then resized: nothing is stretched, and what stands at the ends of
//! the longer side is lost. The filter is Catmull-Rom, widened when an image gets smaller, so that
//! every pixel of the source counts and fine patterns do not alias.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Pixel, Rgb};

use crate::dataset::{Dataset, DatasetParts};
use crate::error::{Error, Result};
use crate::parallel;

/// An image of bytes.
pub(crate) type Picture<P> = ImageBuffer<P, Vec<u8>>;

/// `picture` in `height` and `width`, which must be equal if `picture` has another size.
pub(crate) fn fit<P>(picture: Picture<P>, height: u32, width: u32) -> Picture<P>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    if picture.dimensions() == (width, height) {
        return picture;
    }
    debug_assert_eq!(height, width, "only a square is resized to");
    let (wide, high) = picture.dimensions();
    let side = wide.min(high);
    let square = imageops::crop_imm(&picture, (wide - side) / 2, (high - side) / 2, side, side);
    imageops::resize(&*square, width, height, FilterType::CatmullRom)
}

/// Checks that `size` pixels can be the side of an image that a network takes.
pub(crate) fn check_size(size: usize) -> Result<u32> {
    match u32::try_from(size) {
        Ok(side @ 1..=4096) => Ok(side),
        _ => Err(Error::setting(
            "size of the images",
            "from 1 to 4096 pixels",
            size,
        )),
    }
}

/// `dataset` with images of `size` x `size` pixels.
pub(crate) fn resized(dataset: Dataset, size: usize) -> Result<Dataset> {
    let side = check_size(size)?;
    if (dataset.height(), dataset.width()) == (size, size) {
        return Ok(dataset);
    }
    let resize = |&index: &u32| {
        let bytes = dataset.image(index as usize).to_vec();
        match dataset.channels() {
            1 => resize_bytes::<Luma<u8>>(&dataset, bytes, side),
            _ => resize_bytes::<Rgb<u8>>(&dataset, bytes, side),
        }
    };
    let images = parallel::for_each(&dataset.indices(), resize).concat();
    Dataset::new(DatasetParts {
        height: size,
        width: size,
        images,
        ..dataset.into_parts()
    })
}

fn resize_bytes<P>(dataset: &Dataset, bytes: Vec<u8>, side: u32) -> Vec<u8>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    // A data set's images have the length that its shape says.
    let picture = Picture::<P>::from_raw(dataset.width() as u32, dataset.height() as u32, bytes);
    picture
        .map(|picture| fit(picture, side, side).into_raw())
        .unwrap_or_default()
}

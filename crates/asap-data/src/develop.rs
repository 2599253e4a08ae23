//! One image of a batch, from bytes to floats.
//!
//! First the window of the image that is shown, in bytes; then a table says for each channel what a byte
//! becomes, so no pixel costs arithmetic or a branch.

use std::borrow::Cow;

use crate::augmentation::{Placement, Rectangle};

/// What of an image `[H, W, C]` is shown, of the same shape; black beyond its edge.
pub(crate) fn window<'a>(
    bytes: Cow<'a, [u8]>,
    width: usize,
    channels: usize,
    placement: &Placement,
) -> Cow<'a, [u8]> {
    let Placement {
        down, right, flip, ..
    } = *placement;
    if (down, right, flip) == (0, 0, false) {
        return bytes;
    }
    let row = width * channels;
    // The columns of the window that show the image, and where in the image they begin.
    let before = right.min(0).unsigned_abs().min(width);
    let after = right.max(0).unsigned_abs().min(width);
    let (shown, skipped) = (before * channels..row - after * channels, after * channels);
    let mut window = vec![0; bytes.len()];
    for (y, line) in window.chunks_exact_mut(row).enumerate() {
        let source = y
            .checked_add_signed(down)
            .and_then(|y| bytes.chunks_exact(row).nth(y));
        if let Some(source) = source {
            line[shown.clone()].copy_from_slice(&source[skipped..][..shown.len()]);
        }
        if flip {
            line.reverse();
            line.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
        }
    }
    window.into()
}

/// Turns bytes into the floats of a batch.
pub(crate) struct Developer {
    pub(crate) width: usize,
    /// What every byte becomes, for each channel.
    pub(crate) tables: Vec<[f32; 256]>,
}

impl Developer {
    /// Writes the image `bytes` (`[H, W, C]`) to `pixels`, of the same shape, without what is cut out.
    pub(crate) fn develop(&self, bytes: &[u8], cutout: Option<&Rectangle>, pixels: &mut [f32]) {
        let channels = self.tables.len();
        for (pixel, bytes) in pixels
            .chunks_exact_mut(channels)
            .zip(bytes.chunks_exact(channels))
        {
            for ((value, &byte), table) in pixel.iter_mut().zip(bytes).zip(&self.tables) {
                *value = table[byte as usize];
            }
        }
        let Some(Rectangle { rows, columns }) = cutout else {
            return;
        };
        let lines = pixels.chunks_exact_mut(self.width * channels);
        for line in lines.skip(rows.start).take(rows.len()) {
            line[columns.start * channels..columns.end * channels].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte as it is, but black is -1: what is cut out is 0 and can be told from it.
    fn developer(width: usize, channels: usize) -> Developer {
        let mut table = std::array::from_fn(|byte| byte as f32);
        table[0] = -1.0;
        Developer {
            width,
            tables: vec![table; channels],
        }
    }

    /// The image that `develop` makes of the pixels 1, 2, 3, ...
    fn developed(height: usize, width: usize, channels: usize, placement: &Placement) -> Vec<f32> {
        let bytes: Vec<u8> = (1..).take(height * width * channels).collect();
        let mut pixels = vec![f32::NAN; bytes.len()];
        let shown = window(bytes.into(), width, channels, placement);
        let cutout = placement.cutout.as_ref();
        developer(width, channels).develop(&shown, cutout, &mut pixels);
        pixels
    }

    #[test]
    fn an_image_left_alone_is_looked_up() {
        let pixels = developed(2, 2, 3, &Placement::default());
        assert_eq!(pixels, (1..=12).map(|byte| byte as f32).collect::<Vec<_>>());
    }

    #[test]
    fn a_window_moved_down_and_left_shows_black_there() {
        let placement = Placement {
            down: 1,
            right: -1,
            ..Placement::default()
        };
        let expected = [-1.0, 4.0, 5.0, -1.0, 7.0, 8.0, -1.0, -1.0, -1.0];
        assert_eq!(developed(3, 3, 1, &placement), expected);
    }

    #[test]
    fn a_window_moved_up_and_right_shows_black_there() {
        let placement = Placement {
            down: -1,
            right: 1,
            ..Placement::default()
        };
        let expected = [-1.0, -1.0, -1.0, 2.0, 3.0, -1.0, 5.0, 6.0, -1.0];
        assert_eq!(developed(3, 3, 1, &placement), expected);
        let pixels = developed(
            1,
            3,
            3,
            &Placement {
                down: 0,
                ..placement
            },
        );
        assert_eq!(pixels, [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, -1.0, -1.0, -1.0]);
    }

    #[test]
    fn a_flip_mirrors_pixels_and_keeps_the_order_of_channels() {
        let placement = Placement {
            flip: true,
            ..Placement::default()
        };
        assert_eq!(developed(2, 2, 1, &placement), [2.0, 1.0, 4.0, 3.0]);
        assert_eq!(
            developed(1, 2, 3, &placement),
            [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]
        );
    }

    #[test]
    fn what_is_cut_out_is_zero_and_the_rest_stays() {
        let cutout = Some(Rectangle {
            rows: 0..1,
            columns: 1..3,
        });
        let placement = Placement {
            cutout,
            ..Placement::default()
        };
        assert_eq!(
            developed(3, 3, 1, &placement),
            [1.0, 0.0, 0.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
        );
    }
}

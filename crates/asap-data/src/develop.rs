//! One image of a batch, from bytes to floats, in one pass over its rows.
//!
//! A table says for each channel what a byte becomes, so no pixel costs arithmetic or a branch.

use crate::augmentation::Placement;

/// Turns bytes into the floats of a batch.
pub(crate) struct Developer {
    pub(crate) width: usize,
    /// What every byte becomes, for each channel.
    pub(crate) tables: Vec<[f32; 256]>,
}

impl Developer {
    /// Writes the image `bytes` (`[H, W, C]`) to `pixels`, of the same shape.
    pub(crate) fn develop(&self, bytes: &[u8], placement: &Placement, pixels: &mut [f32]) {
        let channels = self.tables.len();
        let row = self.width * channels;
        // The columns of the window that show the image, and where in the image they begin.
        let before = placement.right.min(0).unsigned_abs().min(self.width);
        let after = placement.right.max(0).unsigned_abs().min(self.width);
        let (shown, skipped) = (before * channels..row - after * channels, after * channels);
        for (y, line) in pixels.chunks_exact_mut(row).enumerate() {
            let source = y
                .checked_add_signed(placement.down)
                .and_then(|y| bytes.chunks_exact(row).nth(y));
            match source {
                None => self.blacken(line),
                Some(source) => {
                    self.blacken(&mut line[..shown.start]);
                    self.look_up(&source[skipped..], &mut line[shown.clone()]);
                    self.blacken(&mut line[shown.end..]);
                }
            }
            if placement.flip {
                line.reverse();
                line.chunks_exact_mut(channels).for_each(<[f32]>::reverse);
            }
            if let Some(cutout) = &placement.cutout
                && cutout.rows.contains(&y)
            {
                line[cutout.columns.start * channels..cutout.columns.end * channels].fill(0.0);
            }
        }
    }

    fn look_up(&self, bytes: &[u8], pixels: &mut [f32]) {
        let channels = self.tables.len();
        for (pixel, bytes) in pixels
            .chunks_exact_mut(channels)
            .zip(bytes.chunks_exact(channels))
        {
            for ((value, &byte), table) in pixel.iter_mut().zip(bytes).zip(&self.tables) {
                *value = table[byte as usize];
            }
        }
    }

    fn blacken(&self, pixels: &mut [f32]) {
        for pixel in pixels.chunks_exact_mut(self.tables.len()) {
            for (value, table) in pixel.iter_mut().zip(&self.tables) {
                *value = table[0];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augmentation::Rectangle;

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
        developer(width, channels).develop(&bytes, placement, &mut pixels);
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

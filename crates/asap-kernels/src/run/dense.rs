//! ReLU and a 3x3 convolution with stride 2, there and back, as products of gathered pixels: the later convolutions of
//! the stem for large images.

use super::Worker;
use super::terms::Upstream;
use super::tile::Tile;
use crate::plan::{Input, Size, chunk_rows};

/// Output rows that pass through a product together.
fn rows_of(input: &Input) -> usize {
    let widest = (9 * input.size.channels).max(input.out.channels);
    chunk_rows(input.out.width, widest)
}

impl Worker<'_> {
    /// # Safety
    /// Tasks run in the order of the plan; so for every function below.
    pub(super) unsafe fn dense(&self, input: &Input, kernel: usize) {
        let (out, inputs, rows) = (input.out, 9 * input.size.channels, rows_of(input));
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            let tile = self.new_tile(input.size, 1);
            for image in self.images.clone() {
                self.load_tile(tile, input.source, image);
                let y = self.at(input.y, image);
                for top in (0..out.height).step_by(rows) {
                    let rows = rows.min(out.height - top);
                    self.gather_taps(tile, out, top, rows);
                    let (to, pixels) = (y.at.add(top * out.width * out.channels), rows * out.width);
                    let kernel = self.parameter(kernel);
                    self.product(self.chunk[0], inputs, kernel, to, out.channels, pixels);
                    self.moments(&self.plan.norms[input.norm], to, pixels);
                }
            }
        }
    }

    /// 3x3 pixels of a tile around every second pixel of every second row, side by side in chunk 0.
    unsafe fn gather_taps(&self, tile: Tile, out: Size, top: usize, rows: usize) {
        let line = 3 * tile.size.channels;
        for pixel in 0..rows * out.width {
            let (y, x) = (2 * (top + pixel / out.width), 2 * (pixel % out.width));
            for i in 0..3 {
                // SAFETY: the tile has a halo of one pixel, the chunk holds nine pixels for each output.
                unsafe {
                    let from = tile.offset((y + i) as isize - 1, x as isize - 1);
                    let to = self.chunk[0].add((3 * pixel + i) * line);
                    to.copy_from_nonoverlapping(tile.at.add(from), line);
                }
            }
        }
    }

    /// One image: `tile` holds what the convolution read.
    pub(super) unsafe fn dense_back(
        &self,
        input: &Input,
        [kernel, transposed]: [usize; 2],
        tile: Tile,
        image: usize,
        upstream: &Upstream<'_>,
    ) {
        let (out, channels, rows) = (input.out, input.size.channels, rows_of(input));
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            self.image[1].write_bytes(0, input.size.len());
            for top in (0..out.height).step_by(rows) {
                let rows = rows.min(out.height - top);
                let pixels = rows * out.width;
                self.normalised_rows(upstream, out, top, rows);
                if self.mode.wanted.weights() {
                    self.gather_taps(tile, out, top, rows);
                    self.pointwise_weights(9 * channels, out.channels, kernel, pixels);
                }
                let (d, to) = (self.chunk[1], self.chunk[2]);
                let kernel = self.transposed(transposed);
                self.product(d, out.channels, kernel, to, 9 * channels, pixels);
                self.scatter_taps(input.size, out, top, rows);
            }
            let to = self.at(input.source_gradient, image);
            let add = input.source_gradient_add;
            self.masked(input.size, input.source, image, to, add);
        }
    }

    /// Adds chunk 2 to image area 1, where [`Self::gather_taps`] took what it belongs to.
    unsafe fn scatter_taps(&self, size: Size, out: Size, top: usize, rows: usize) {
        let channels = size.channels;
        for pixel in 0..rows * out.width {
            let (y, x) = (2 * (top + pixel / out.width), 2 * (pixel % out.width));
            for tap in 0..9 {
                let (y, x) = (y + tap / 3, x + tap % 3);
                if (1..=size.height).contains(&y) && (1..=size.width).contains(&x) {
                    // SAFETY: the pixel lies inside the image, the chunk holds nine pixels for each output.
                    unsafe {
                        let to = self.image[1].add(((y - 1) * size.width + x - 1) * channels);
                        let from = self.chunk[2].add((9 * pixel + tap) * channels);
                        let to = std::slice::from_raw_parts_mut(to, channels);
                        let from = std::slice::from_raw_parts(from, channels);
                        to.iter_mut()
                            .zip(from)
                            .for_each(|(sum, value)| *sum += value);
                    }
                }
            }
        }
    }

    /// Sums of the gradient of what follows a convolution.
    pub(super) unsafe fn input_sums(&self, input: &Input) {
        for image in self.images.clone() {
            // SAFETY: the gradient is complete.
            unsafe {
                let g = self.at(input.gradient, image).at;
                self.pair_sums(input.out, g, self.at(input.y, image).at, input.sums);
            }
        }
    }
}

//! A factorised reduce, there and back.

use super::Worker;
use super::terms::Upstream;
use super::tile::Tile;
use crate::plan::{Reduce, Size, chunk_rows};
use crate::pointwise::Pointwise;

impl Worker<'_> {
    /// A factorised reduce of a tile.
    ///
    /// # Safety
    /// `image` is this thread's.
    pub(super) unsafe fn reduce(&self, reduce: &Reduce, tile: Tile, image: usize) {
        let out = tile.size.strided(2);
        let rows = chunk_rows(out.width, reduce.inputs.max(reduce.outputs));
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            let y = self.at(reduce.y, image);
            for top in (0..out.height).step_by(rows) {
                let rows = rows.min(out.height - top);
                let pixels = rows * out.width;
                let to = y.at.add(top * out.width * reduce.outputs);
                for half in 0..2 {
                    self.gather_half(tile, half, top, rows);
                    (self.table(reduce.outputs).pointwise)(&Pointwise {
                        a: self.chunk[0],
                        b: self.parameter(reduce.kernels[half]),
                        out: to,
                        out_pixel: reduce.outputs,
                        pixels,
                        inputs: reduce.inputs,
                        outputs: reduce.outputs,
                        add: half == 1,
                    });
                }
                self.moments(&self.plan.norms[reduce.norm], to, pixels);
            }
        }
    }

    /// Every second pixel of every second row, from `(half, half)` on, into chunk 0.
    ///
    /// # Safety
    /// The chunk is large enough; the tile has a halo.
    unsafe fn gather_half(&self, tile: Tile, half: usize, top: usize, rows: usize) {
        let out = tile.size.strided(2);
        for pixel in 0..rows * out.width {
            let (y, x) = (
                2 * (top + pixel / out.width) + half,
                2 * (pixel % out.width) + half,
            );
            // SAFETY: one pixel beyond an odd size is the halo's zeros.
            unsafe {
                let from = tile.at.add(tile.offset(y as isize, x as isize));
                let channels = tile.size.channels;
                self.chunk[0]
                    .add(pixel * channels)
                    .copy_from_nonoverlapping(from, channels);
            }
        }
    }

    /// Back through a factorised reduce: adds the gradient of the tile's inside to image area 1.
    ///
    /// # Safety
    /// Image area 1 holds an image of the tile.
    pub(super) unsafe fn reduce_back(&self, reduce: &Reduce, tile: Tile, upstream: &Upstream<'_>) {
        let (size, inputs) = (tile.size, reduce.inputs);
        let out = Size {
            channels: reduce.outputs,
            ..size.strided(2)
        };
        let rows = chunk_rows(out.width, inputs.max(out.channels));
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            for top in (0..out.height).step_by(rows) {
                let rows = rows.min(out.height - top);
                let pixels = rows * out.width;
                self.normalised_rows(upstream, out, top, rows);
                for half in 0..2 {
                    if self.mode.wanted.weights() {
                        self.gather_half(tile, half, top, rows);
                        self.pointwise_weights(inputs, out.channels, reduce.kernels[half], pixels);
                    }
                    let kernel = self.transposed(reduce.transposed[half]);
                    self.product(
                        self.chunk[1],
                        out.channels,
                        kernel,
                        self.chunk[2],
                        inputs,
                        pixels,
                    );
                    for pixel in 0..pixels {
                        let y = 2 * (top + pixel / out.width) + half;
                        let x = 2 * (pixel % out.width) + half;
                        if y < size.height && x < size.width {
                            let to = self.image[1].add((y * size.width + x) * inputs);
                            let to = std::slice::from_raw_parts_mut(to, inputs);
                            let from = self.chunk[2].add(pixel * inputs);
                            let from = std::slice::from_raw_parts(from, inputs);
                            to.iter_mut()
                                .zip(from)
                                .for_each(|(sum, value)| *sum += value);
                        }
                    }
                }
            }
        }
    }
}

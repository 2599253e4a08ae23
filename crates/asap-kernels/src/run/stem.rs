//! The convolution of the images, there and back, as a product of gathered rows.

use super::Worker;
use super::terms::{Terms, Upstream};
use crate::plan::{Stem, chunk_rows};

impl Worker<'_> {
    /// Images `[N, H, W, C]` through the 3x3 convolution, as a product of gathered rows.
    ///
    /// # Safety
    /// Tasks run in the order of the plan; so for every task below.
    pub(super) unsafe fn stem(&self, stem: &Stem) {
        let size = stem.size;
        let rows = chunk_rows(size.width, stem.inputs.max(size.channels));
        for image in self.images.clone() {
            // SAFETY: chunk 0 holds `rows` rows of gathered inputs.
            unsafe {
                let y = self.at(stem.y, image);
                for top in (0..size.height).step_by(rows) {
                    let rows = rows.min(size.height - top);
                    self.gather_image(stem, image, top, rows);
                    let out = y.at.add(top * size.width * size.channels);
                    let pixels = rows * size.width;
                    let kernel = self.parameter(stem.kernel);
                    self.product(
                        self.chunk[0],
                        stem.inputs,
                        kernel,
                        out,
                        size.channels,
                        pixels,
                    );
                    self.moments(&self.plan.norms[stem.norm], out, pixels);
                }
            }
        }
    }

    /// Rows `top..top + rows` of an image's 3x3 neighbourhoods into chunk 0, `[pixels, taps, image channels]`.
    ///
    /// # Safety
    /// The chunk is large enough.
    pub(super) unsafe fn gather_image(&self, stem: &Stem, image: usize, top: usize, rows: usize) {
        let (size, [height, width, channels]) = (stem.size, stem.image);
        let from = &self.pass.pixels[image * height * width * channels..];
        for pixel in 0..rows * size.width {
            let (y, x) = (top + pixel / size.width, pixel % size.width);
            let (y, x) = (stem.stride * y, stem.stride * x);
            // SAFETY: `stem.inputs >= 9 channels` values per pixel.
            let line = unsafe {
                let at = self.chunk[0].add(pixel * stem.inputs);
                std::slice::from_raw_parts_mut(at, stem.inputs)
            };
            line.fill(0.0);
            for i in 0..3 {
                for j in 0..3 {
                    let (y, x) = (y + i, x + j);
                    if (1..=height).contains(&y) && (1..=width).contains(&x) {
                        let at = ((y - 1) * width + x - 1) * channels;
                        let tap = (i * 3 + j) * channels;
                        line[tap..tap + channels].copy_from_slice(&from[at..at + channels]);
                    }
                }
            }
        }
    }

    /// Sums of the stem's gradient.
    ///
    /// # Safety
    /// See [`Self::stem`].
    pub(super) unsafe fn stem_sums(&self, stem: &Stem) {
        for image in self.images.clone() {
            // SAFETY: the stem's gradient is complete.
            unsafe {
                let (g, y) = (self.at(stem.gradient, image).at, self.at(stem.y, image).at);
                self.pair_sums(stem.size, g, y, stem.sums);
            }
        }
    }

    /// The stem's weight gradient; images need none.
    ///
    /// # Safety
    /// See [`Self::stem`].
    pub(super) unsafe fn stem_back(&self, stem: &Stem) {
        if !self.mode.wanted.weights() {
            return;
        }
        let (size, norm) = (stem.size, &self.plan.norms[stem.norm]);
        let rows = chunk_rows(size.width, stem.inputs.max(size.channels));
        for image in self.images.clone() {
            // SAFETY: places and chunks have the sizes of the plan.
            unsafe {
                let mut terms = Terms::new();
                let g = self.at(stem.gradient, image);
                terms.push(g.at, g.pixel, self.vector(norm.a_vector));
                let upstream = Upstream {
                    terms: &terms,
                    norm,
                    y: self.at(stem.y, image).at,
                };
                for top in (0..size.height).step_by(rows) {
                    let rows = rows.min(size.height - top);
                    self.normalised_rows(&upstream, size, top, rows);
                    self.gather_image(stem, image, top, rows);
                    let pixels = rows * size.width;
                    self.pointwise_weights(stem.inputs, size.channels, stem.kernel, pixels);
                }
            }
        }
    }
}

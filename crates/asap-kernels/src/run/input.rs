//! What stands in front of a cell, there and back: ReLU-1x1, factorised reduce or dense convolution.

use super::Worker;
use super::terms::{Terms, Upstream};
use crate::elementwise::Masked;
use crate::plan::{Input, InputKernel, chunk_rows};

impl Worker<'_> {
    /// ReLU-1x1 or factorised reduce in front of a cell.
    ///
    /// # Safety
    /// Tasks run in the order of the plan; so for every task.
    pub(super) unsafe fn input(&self, input: &Input) {
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            match input.kernel {
                InputKernel::Pointwise { kernel, .. } => {
                    let out = input.out;
                    let rows = chunk_rows(out.width, input.size.channels.max(out.channels));
                    for image in self.images.clone() {
                        let y = self.at(input.y, image);
                        for top in (0..out.height).step_by(rows) {
                            let rows = rows.min(out.height - top);
                            self.load_rows(input.source, input.size, image, top, rows);
                            let to = y.at.add(top * out.width * out.channels);
                            let pixels = rows * out.width;
                            let (inputs, kernel) = (input.size.channels, self.parameter(kernel));
                            self.product(self.chunk[0], inputs, kernel, to, out.channels, pixels);
                            self.moments(&self.plan.norms[input.norm], to, pixels);
                        }
                    }
                }
                InputKernel::Dense { kernel, .. } => self.dense(input, kernel),
                InputKernel::Reduce(reduce) => {
                    let tile = self.new_tile(input.size, 1);
                    for image in self.images.clone() {
                        self.load_tile(tile, input.source, image);
                        self.reduce(&reduce, tile, image);
                    }
                }
            }
        }
    }

    /// Back through an input, to the gradient of the stem or an earlier cell.
    ///
    /// # Safety
    /// See [`Self::input`].
    pub(super) unsafe fn input_back(&self, input: &Input) {
        let norm = &self.plan.norms[input.norm];
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            let tile = match input.kernel {
                InputKernel::Pointwise { .. } => None,
                _ => Some(self.new_tile(input.size, 1)),
            };
            for image in self.images.clone() {
                let mut terms = Terms::new();
                let g = self.at(input.gradient, image);
                terms.push(g.at, g.pixel, self.vector(norm.a_vector));
                let upstream = Upstream {
                    terms: &terms,
                    norm,
                    y: self.at(input.y, image).at,
                };
                match (input.kernel, tile) {
                    (InputKernel::Reduce(reduce), Some(tile)) => {
                        self.load_tile(tile, input.source, image);
                        self.image[1].write_bytes(0, input.size.len());
                        self.reduce_back(&reduce, tile, &upstream);
                        let out = self.at(input.source_gradient, image);
                        self.masked(
                            input.size,
                            input.source,
                            image,
                            out,
                            input.source_gradient_add,
                        );
                    }
                    (InputKernel::Pointwise { kernel, transposed }, _) => {
                        self.pointwise_input_back(input, [kernel, transposed], image, &upstream);
                    }
                    (InputKernel::Dense { kernel, transposed }, Some(tile)) => {
                        self.load_tile(tile, input.source, image);
                        self.dense_back(input, [kernel, transposed], tile, image, &upstream);
                    }
                    (_, None) => unreachable!("made above"),
                }
            }
        }
    }

    unsafe fn pointwise_input_back(
        &self,
        input: &Input,
        [kernel, transposed]: [usize; 2],
        image: usize,
        upstream: &Upstream<'_>,
    ) {
        let (out, inputs) = (input.out, input.size.channels);
        let rows = chunk_rows(out.width, inputs.max(out.channels));
        let (a, b) = self.view_coefficients(input.source);
        // SAFETY: places and chunks have the sizes of the plan.
        unsafe {
            let x = self.at(input.source.place, image);
            let to = self.at(input.source_gradient, image);
            for top in (0..out.height).step_by(rows) {
                let rows = rows.min(out.height - top);
                let pixels = rows * out.width;
                self.normalised_rows(upstream, out, top, rows);
                if self.mode.wanted.weights() {
                    self.load_rows(input.source, input.size, image, top, rows);
                    self.pointwise_weights(inputs, out.channels, kernel, pixels);
                }
                let kernel = self.transposed(transposed);
                self.product(
                    self.chunk[1],
                    out.channels,
                    kernel,
                    self.chunk[2],
                    inputs,
                    pixels,
                );
                (self.table(inputs).masked)(&Masked {
                    gradient: self.chunk[2],
                    x: x.at.add(top * out.width * x.pixel),
                    x_pixel: x.pixel,
                    a,
                    b,
                    out: to.at.add(top * out.width * to.pixel),
                    out_pixel: to.pixel,
                    pixels,
                    channels: inputs,
                    add: input.source_gradient_add,
                });
            }
        }
    }
}

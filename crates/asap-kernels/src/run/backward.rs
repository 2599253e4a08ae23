//! Backward tasks: the gradients of nodes, banks and inputs, image by image.
//!
//! ReLU, depthwise outputs and padded tiles are made again from what the forward pass kept (outputs before
//! normalisation); the gradient between the two chains of a separable convolution takes the place of the second
//! chain's output, which nobody reads any more.

use super::forward::{MAX_TERMS, Terms, Tile};
use super::{Image, Worker};
use crate::depthwise::{Depthwise, DepthwiseWeights};
use crate::elementwise::{Factor, Masked, Mix, Products};
use crate::plan::{Bank, Chain, Input, InputKernel, Node, Norm, Reduce, Size, View, chunk_rows};
use crate::pointwise::{Pointwise, PointwiseWeights};
use crate::pool::Pool;

/// Where the gradient of a normalised tensor comes from: `sum_t A_t g_t`, beside `B y + D`.
pub(super) struct Upstream<'a> {
    pub(super) terms: &'a Terms,
    pub(super) norm: &'a Norm,
    /// The tensor before normalisation.
    pub(super) y: *const f32,
}

impl Worker<'_> {
    /// `sum g` of a node and `sum g y` of its terms.
    ///
    /// # Safety
    /// Tasks run in the order of the plan; so for every task below.
    pub(super) unsafe fn node_sums(&self, node: &Node) {
        let (channels, pixels) = (node.size.channels, node.size.pixels());
        for image in self.images.clone() {
            // SAFETY: the node's gradient is complete for this thread's images.
            unsafe {
                let g = self.at(node.gradient, image);
                let nothing = Factor {
                    y: std::ptr::null(),
                    y_pixel: 0,
                    sum_g: std::ptr::null_mut(),
                    sum_gy: std::ptr::null_mut(),
                };
                let (mut terms, mut len) = ([nothing; MAX_TERMS], 0);
                for term in node.terms.iter().filter(|term| self.keeps(term, image)) {
                    if term.normalised || self.mode.wanted.op_weights() {
                        let y = self.at(term.y.place, image);
                        terms[len] = Factor {
                            y: y.at,
                            y_pixel: y.pixel,
                            sum_g: self.own_sum(node, term),
                            sum_gy: self.sum(term.products),
                        };
                        len += 1;
                    }
                }
                (self.table(channels).products)(&Products {
                    g: g.at,
                    g_pixel: g.pixel,
                    pixels,
                    channels,
                    sum_g: self.sum(node.sum),
                    terms: &terms[..len],
                });
            }
        }
    }

    /// Second chains of a bank's separable convolutions: the gradient of what lies between the chains.
    ///
    /// # Safety
    /// See [`Self::node_sums`].
    pub(super) unsafe fn bank_second_back(&self, bank: &Bank) {
        let out = bank.size.strided(bank.stride);
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            let tile = self.new_tile(out, 2);
            self.gradient_tile.write_bytes(0, tile.len());
            for image in self.images.clone() {
                for convolution in &bank.convolutions {
                    let (first, Some(second)) = (&convolution.first, &convolution.second) else {
                        continue;
                    };
                    let source = View {
                        place: first.y,
                        norm: Some(first.norm),
                    };
                    self.load_tile(tile, source, image);
                    let mut terms = Terms::new();
                    self.push_target(&mut terms, convolution.target, image);
                    let y = self.at(second.y, image);
                    let norm = &self.plan.norms[second.norm];
                    let upstream = Upstream {
                        terms: &terms,
                        norm,
                        y: y.at,
                    };
                    self.image[1].write_bytes(0, out.len());
                    self.chain_back(second, tile, out, &upstream);
                    self.masked(out, source, image, y, false);
                    let x = self.at(first.y, image);
                    self.pair_sums(out, y.at, x.at, convolution.inner_sums);
                }
            }
        }
    }

    /// `sum g` and `sum g y` of one contiguous pair.
    pub(super) unsafe fn pair_sums(&self, size: Size, g: *const f32, y: *const f32, sums: usize) {
        // SAFETY: both hold an image of this size.
        unsafe {
            (self.table(size.channels).products)(&Products {
                g,
                g_pixel: size.channels,
                pixels: size.pixels(),
                channels: size.channels,
                sum_g: self.sum(sums),
                terms: &[Factor {
                    y,
                    y_pixel: size.channels,
                    sum_g: std::ptr::null_mut(),
                    sum_gy: self.sum(sums + size.channels),
                }],
            });
        }
    }

    /// Writes or adds image area 1 to `out` where the source is positive.
    ///
    /// # Safety
    /// All hold an image of this size.
    pub(super) unsafe fn masked(
        &self,
        size: Size,
        source: View,
        image: usize,
        out: Image,
        add: bool,
    ) {
        let (a, b) = self.view_coefficients(source);
        // SAFETY: all hold an image of this size.
        unsafe {
            let x = self.at(source.place, image);
            (self.table(size.channels).masked)(&Masked {
                gradient: self.image[1],
                x: x.at,
                x_pixel: x.pixel,
                a,
                b,
                out: out.at,
                out_pixel: out.pixel,
                pixels: size.pixels(),
                channels: size.channels,
                add,
            });
        }
    }

    /// First chains, reduces, pools and skips of a bank: the gradient of its source.
    ///
    /// # Safety
    /// See [`Self::node_sums`].
    pub(super) unsafe fn bank_first_back(&self, bank: &Bank) {
        let size = bank.size;
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            let tile = self.new_tile(size, bank.halo);
            self.gradient_tile.write_bytes(0, tile.len());
            for image in self.images.clone() {
                let out = self.at(bank.gradient, image);
                let mut add = bank.gradient_add;
                if !(bank.convolutions.is_empty() && bank.reduces.is_empty()) {
                    self.load_tile(tile, bank.source, image);
                    self.image[1].write_bytes(0, size.len());
                    self.bank_convolutions_back(bank, tile, image);
                    self.masked(size, bank.source, image, out, add);
                    add = true;
                }
                let mut terms = Terms::new();
                for skip in &bank.skips {
                    self.push_target(&mut terms, *skip, image);
                }
                if !bank.pools.is_empty() {
                    self.bank_pools_back(bank, image);
                    terms.push(
                        self.image[1],
                        size.channels,
                        self.vector(self.plan.ones_vector),
                    );
                }
                if !terms.as_slice().is_empty() {
                    (self.table(size.channels).mix)(&Mix {
                        terms: terms.as_slice(),
                        shift: std::ptr::null(),
                        out: out.at,
                        out_pixel: out.pixel,
                        pixels: size.pixels(),
                        channels: size.channels,
                        add,
                        ahead: 16,
                    });
                }
                if let Some(sums) = bank.source_sums {
                    let x = self.at(bank.source.place, image);
                    self.pair_sums(size, out.at, x.at, sums);
                }
            }
        }
    }

    /// Adds the input gradients of first chains and reduces to image area 1.
    unsafe fn bank_convolutions_back(&self, bank: &Bank, tile: Tile, image: usize) {
        let out = bank.size.strided(bank.stride);
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            for convolution in &bank.convolutions {
                let chain = &convolution.first;
                let norm = &self.plan.norms[chain.norm];
                let mut terms = Terms::new();
                match &convolution.second {
                    // `bank_second_back` left the gradient where the second chain's output was.
                    Some(second) => {
                        let g = self.at(second.y, image);
                        terms.push(g.at, g.pixel, self.vector(norm.a_vector));
                    }
                    None => self.push_target(&mut terms, convolution.target, image),
                }
                let y = self.at(chain.y, image).at;
                self.chain_back(
                    chain,
                    tile,
                    out,
                    &Upstream {
                        terms: &terms,
                        norm,
                        y,
                    },
                );
            }
            for (reduce, target) in &bank.reduces {
                let mut terms = Terms::new();
                self.push_target(&mut terms, *target, image);
                let (norm, y) = (&self.plan.norms[reduce.norm], self.at(reduce.y, image).at);
                self.reduce_back(
                    reduce,
                    tile,
                    &Upstream {
                        terms: &terms,
                        norm,
                        y,
                    },
                );
            }
        }
    }

    unsafe fn push_target(&self, terms: &mut Terms, target: crate::plan::Target, image: usize) {
        let node = &self.plan.nodes[target.node];
        let term = &node.terms[target.term];
        if self.keeps(term, image) {
            // SAFETY: `image` is this thread's.
            let g = unsafe { self.at(node.gradient, image) };
            terms.push(g.at, g.pixel, self.vector(term.back_vector));
        }
    }

    /// The gradient of the source through its pools, into image area 1.
    unsafe fn bank_pools_back(&self, bank: &Bank, image: usize) {
        let out = bank.size.strided(bank.stride);
        // SAFETY: image areas hold an image of the source, of which `out` is a part at most.
        unsafe {
            self.load_raw(bank.source, bank.size, image);
            self.image[1].write_bytes(0, bank.size.len());
            for pool in &bank.pools {
                let y = self.at(pool.y.place, image);
                let mut terms = Terms::new();
                for target in &pool.targets {
                    self.push_target(&mut terms, *target, image);
                }
                let mut shift = std::ptr::null();
                if let Some(norm) = pool.y.norm.map(|n| &self.plan.norms[n]) {
                    terms.push(y.at, y.pixel, self.vector(norm.back_y_vector));
                    shift = self.vector(norm.back_shift_vector);
                }
                (self.table(out.channels).mix)(&Mix {
                    terms: terms.as_slice(),
                    shift,
                    out: self.image[2],
                    out_pixel: out.channels,
                    pixels: out.pixels(),
                    channels: out.channels,
                    add: false,
                    ahead: 16,
                });
                (self.table(out.channels).pool_gradient)(&Pool {
                    output_gradient: self.image[2],
                    input_gradient: self.image[1],
                    ..self.pool(pool.kind, bank, y)
                });
            }
        }
    }

    /// Rows of `dy = sum_t A_t g_t + B y + D` into chunk 1.
    ///
    /// # Safety
    /// All tensors and the chunk hold these rows.
    pub(super) unsafe fn normalised_rows(
        &self,
        upstream: &Upstream<'_>,
        out: Size,
        top: usize,
        rows: usize,
    ) {
        let skip = top * out.width;
        // SAFETY: all tensors hold these rows.
        unsafe {
            let mut terms = Terms::new();
            for term in upstream.terms.as_slice() {
                terms.push(term.values.add(skip * term.pixel), term.pixel, term.scale);
            }
            let y = upstream.y.add(skip * out.channels);
            terms.push(y, out.channels, self.vector(upstream.norm.back_y_vector));
            (self.table(out.channels).mix)(&Mix {
                terms: terms.as_slice(),
                shift: self.vector(upstream.norm.back_shift_vector),
                out: self.chunk[1],
                out_pixel: out.channels,
                pixels: rows * out.width,
                channels: out.channels,
                add: false,
                ahead: rows * out.width,
            });
        }
    }

    /// Back through one chain: adds the gradient of the tile's inside to image area 1 and, if wanted, those of the weights.
    unsafe fn chain_back(&self, chain: &Chain, tile: Tile, out: Size, upstream: &Upstream<'_>) {
        let (channels, stride) = (out.channels, chain.taps.stride);
        let table = self.table(channels);
        let weights = self.mode.wanted.weights();
        let rows = chunk_rows(out.width, channels);
        let gradient_tile = Tile {
            at: self.gradient_tile,
            ..tile
        };
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            for top in (0..out.height).step_by(rows) {
                let rows = rows.min(out.height - top);
                self.normalised_rows(upstream, out, top, rows);
                if weights {
                    self.depthwise_rows(chain, tile, out, top, rows, self.chunk[0]);
                    (table.pointwise_weight_gradient)(&PointwiseWeights {
                        a: self.chunk[0],
                        d: self.chunk[1],
                        weights: self.gradient(chain.pointwise),
                        pixels: rows * out.width,
                        inputs: channels,
                        outputs: channels,
                    });
                }
                for row in 0..rows {
                    let y = ((top + row) * stride) as isize;
                    (table.pointwise)(&Pointwise {
                        a: self.chunk[1].add(row * out.width * channels),
                        b: self.transposed(chain.transposed),
                        out: gradient_tile.at.add(gradient_tile.offset(y, 0)),
                        out_pixel: stride * channels,
                        pixels: out.width,
                        inputs: channels,
                        outputs: channels,
                        add: false,
                    });
                }
            }
            let padding = chain.taps.padding() as isize;
            let size = tile.size;
            let job = Depthwise {
                tile: gradient_tile
                    .at
                    .add(gradient_tile.offset(-padding, -padding)),
                tile_row: gradient_tile.row(),
                weights: self.parameter(chain.depthwise),
                out: self.image[1],
                out_row: size.width * channels,
                rows: size.height,
                width: size.width,
                channels,
            };
            (table.depthwise_input_gradient)(&job, chain.taps);
            if weights {
                let job = DepthwiseWeights {
                    tile: tile.at.add(tile.offset(-padding, -padding)),
                    tile_row: tile.row(),
                    gradient: gradient_tile.at.add(gradient_tile.offset(0, 0)),
                    gradient_row: stride * gradient_tile.row(),
                    gradient_pixel: stride * channels,
                    weights: self.gradient(chain.depthwise),
                    rows: out.height,
                    width: out.width,
                    channels,
                };
                (table.depthwise_weight_gradient)(&job, chain.taps);
            }
        }
    }

    /// Back through a factorised reduce: adds the gradient of the tile's inside to image area 1.
    unsafe fn reduce_back(&self, reduce: &Reduce, tile: Tile, upstream: &Upstream<'_>) {
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

    /// Adds `chunk 0 ^T chunk 1` to a pointwise kernel's gradient.
    ///
    /// # Safety
    /// The chunks hold `pixels` pixels.
    pub(super) unsafe fn pointwise_weights(
        &self,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        pixels: usize,
    ) {
        let job = PointwiseWeights {
            a: self.chunk[0],
            d: self.chunk[1],
            weights: self.gradient(kernel),
            pixels,
            inputs,
            outputs,
        };
        // SAFETY: the chunks hold `pixels` pixels.
        unsafe { (self.table(outputs).pointwise_weight_gradient)(&job) };
    }

    /// Back through an input, to the gradient of the stem or an earlier cell.
    ///
    /// # Safety
    /// See [`Self::node_sums`].
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

//! Forward tasks: inputs, banks and nodes, image by image.

use super::{Image, Worker};
use crate::depthwise::Depthwise;
use crate::elementwise::{Load, Mix, Moments, Term};
use crate::plan::{Bank, Chain, Input, InputKernel, Node, Norm, Reduce, Size, View, chunk_rows};
use crate::pointwise::Pointwise;
use crate::pool::Pool;
use crate::table::Level;

/// Bytes of activations that may still be in a last-level cache when they are read again.
const CACHED: u64 = 64 << 20;

/// A padded tile: `size` pixels with `halo` zeros around them.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) at: *mut f32,
    pub(super) size: Size,
    pub(super) halo: usize,
}

impl Tile {
    /// f32 from row to row.
    pub(super) fn row(self) -> usize {
        (self.size.width + 2 * self.halo) * self.size.channels
    }

    pub(super) fn len(self) -> usize {
        (self.size.height + 2 * self.halo) * self.row()
    }

    /// f32 from the tile's first value to pixel `(y, x)`; negative positions are in the halo.
    pub(super) fn offset(self, y: isize, x: isize) -> usize {
        let (y, x) = (y + self.halo as isize, x + self.halo as isize);
        y as usize * self.row() + x as usize * self.size.channels
    }
}

/// At most as many terms as a node has incoming edges times operations; sources have fewer.
pub(super) const MAX_TERMS: usize = 64;

/// Terms of a mix on the stack: no allocation within a step.
pub(super) struct Terms {
    terms: [Term; MAX_TERMS],
    len: usize,
}

impl Terms {
    pub(super) fn new() -> Self {
        let nothing = Term {
            values: std::ptr::null(),
            pixel: 0,
            scale: std::ptr::null(),
        };
        Self {
            terms: [nothing; MAX_TERMS],
            len: 0,
        }
    }

    pub(super) fn push(&mut self, values: *const f32, pixel: usize, scale: *const f32) {
        self.terms[self.len] = Term {
            values,
            pixel,
            scale,
        };
        self.len += 1;
    }

    pub(super) fn as_slice(&self) -> &[Term] {
        &self.terms[..self.len]
    }
}

impl Worker<'_> {
    /// ReLU-1x1 or factorised reduce in front of a cell.
    ///
    /// # Safety
    /// Tasks run in the order of the plan; so for every task below.
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

    /// Rows of `relu(source)` into chunk 0.
    ///
    /// # Safety
    /// The chunk is large enough.
    pub(super) unsafe fn load_rows(
        &self,
        source: View,
        size: Size,
        image: usize,
        top: usize,
        rows: usize,
    ) {
        let (a, b) = self.view_coefficients(source);
        // SAFETY: rows of the source and the chunk.
        unsafe {
            let from = self.at(source.place, image);
            (self.table(size.channels).load)(&Load {
                source: from.at.add(top * size.width * from.pixel),
                source_pixel: from.pixel,
                a,
                b,
                out: self.chunk[0],
                out_row: size.width * size.channels,
                height: rows,
                width: size.width,
                channels: size.channels,
                relu: true,
            });
        }
    }

    /// The tile area, cleared: only its inside is written afterwards.
    ///
    /// # Safety
    /// The plan has asked for a tile of this size.
    pub(super) unsafe fn new_tile(&self, size: Size, halo: usize) -> Tile {
        let tile = Tile {
            at: self.tile,
            size,
            halo,
        };
        // SAFETY: as the caller's.
        unsafe { tile.at.write_bytes(0, tile.len()) };
        tile
    }

    /// `relu(source)` into the inside of a tile.
    ///
    /// # Safety
    /// The source has the tile's size.
    pub(super) unsafe fn load_tile(&self, tile: Tile, source: View, image: usize) {
        let (a, b) = self.view_coefficients(source);
        // SAFETY: as the caller's.
        unsafe {
            let from = self.at(source.place, image);
            (self.table(tile.size.channels).load)(&Load {
                source: from.at,
                source_pixel: from.pixel,
                a,
                b,
                out: tile.at.add(tile.offset(0, 0)),
                out_row: tile.row(),
                height: tile.size.height,
                width: tile.size.width,
                channels: tile.size.channels,
                relu: true,
            });
        }
    }

    /// The source as it is, without padding, into image area 0.
    ///
    /// # Safety
    /// The source has this size.
    pub(super) unsafe fn load_raw(&self, source: View, size: Size, image: usize) {
        let (a, b) = self.view_coefficients(source);
        // SAFETY: as the caller's.
        unsafe {
            let from = self.at(source.place, image);
            (self.table(size.channels).load)(&Load {
                source: from.at,
                source_pixel: from.pixel,
                a,
                b,
                out: self.image[0],
                out_row: size.width * size.channels,
                height: size.height,
                width: size.width,
                channels: size.channels,
                relu: false,
            });
        }
    }

    /// First chains, pools and reduces of a bank.
    ///
    /// # Safety
    /// See [`Self::input`].
    pub(super) unsafe fn bank_first(&self, bank: &Bank) {
        let out = bank.size.strided(bank.stride);
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            let tile = self.new_tile(bank.size, bank.halo);
            for image in self.images.clone() {
                if !(bank.convolutions.is_empty() && bank.reduces.is_empty()) {
                    self.load_tile(tile, bank.source, image);
                }
                self.pools(bank, image);
                for pool in &bank.pools {
                    let y = self.at(pool.y.place, image);
                    if let Some(norm) = pool.y.norm {
                        self.moments(&self.plan.norms[norm], y.at, out.pixels());
                    }
                }
                for (reduce, _) in &bank.reduces {
                    self.reduce(reduce, tile, image);
                }
                for convolution in &bank.convolutions {
                    self.chain(&convolution.first, tile, out, image);
                }
            }
        }
    }

    /// The pools of one image.
    unsafe fn pools(&self, bank: &Bank, image: usize) {
        if bank.pools.is_empty() {
            return;
        }
        // SAFETY: places have the sizes of the plan, image area 0 holds an image of the source.
        unsafe {
            self.load_raw(bank.source, bank.size, image);
            for pool in &bank.pools {
                let y = self.at(pool.y.place, image);
                (self.table(bank.size.channels).pool)(&self.pool(pool.kind, bank, y));
            }
        }
    }

    /// The pools of a bank for the backward pass, which reads them.
    ///
    /// # Safety
    /// See [`Self::stem`].
    pub(super) unsafe fn pools_again(&self, bank: &Bank) {
        for image in self.images.clone() {
            // SAFETY: the source of this thread's images is complete.
            unsafe { self.pools(bank, image) };
        }
    }

    /// The job of a pool over image area 0.
    pub(super) fn pool(&self, kind: crate::pool::PoolKind, bank: &Bank, y: Image) -> Pool {
        Pool {
            kind,
            stride: bank.stride,
            height: bank.size.height,
            width: bank.size.width,
            channels: bank.size.channels,
            input: self.image[0],
            output: y.at,
            output_gradient: std::ptr::null(),
            input_gradient: std::ptr::null_mut(),
        }
    }

    /// Second chains of a bank's separable convolutions.
    ///
    /// # Safety
    /// See [`Self::input`].
    pub(super) unsafe fn bank_second(&self, bank: &Bank) {
        let out = bank.size.strided(bank.stride);
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            let tile = self.new_tile(out, 2);
            for image in self.images.clone() {
                for convolution in &bank.convolutions {
                    if let Some(second) = &convolution.second {
                        let first = &convolution.first;
                        let source = View {
                            place: first.y,
                            norm: Some(first.norm),
                        };
                        self.load_tile(tile, source, image);
                        self.chain(second, tile, out, image);
                    }
                }
            }
        }
    }

    /// `y = pw(dw(tile))` and its moments.
    unsafe fn chain(&self, chain: &Chain, tile: Tile, out: Size, image: usize) {
        let rows = chunk_rows(out.width, out.channels);
        // SAFETY: places, tiles and chunks have the sizes of the plan.
        unsafe {
            let y = self.at(chain.y, image);
            for top in (0..out.height).step_by(rows) {
                let rows = rows.min(out.height - top);
                self.depthwise_rows(chain, tile, out, top, rows, self.chunk[0]);
                let pixels = rows * out.width;
                let to = y.at.add(top * out.width * out.channels);
                let kernel = self.parameter(chain.pointwise);
                let channels = out.channels;
                let norm = &self.plan.norms[chain.norm];
                if self.streams(channels) {
                    self.product(
                        self.chunk[0],
                        channels,
                        kernel,
                        self.chunk[1],
                        channels,
                        pixels,
                    );
                    let (y, sums) = (self.chunk[1], self.sum(norm.moments));
                    (self.table(channels).moments)(&Moments {
                        y,
                        pixels,
                        channels,
                        sums,
                        copy: to,
                    });
                } else {
                    self.product(self.chunk[0], channels, kernel, to, channels, pixels);
                    self.moments(norm, to, pixels);
                }
            }
        }
    }

    /// Whether outputs of this many channels go past the caches: in training they are read again when all others have
    /// been written, and a cache would first fetch the lines that are about to be overwritten.
    fn streams(&self, channels: usize) -> bool {
        let whole_lines = channels.is_multiple_of(16) && self.level == Level::Avx512;
        self.mode.train && whole_lines && self.plan.arena_bytes() > CACHED
    }

    /// Output rows `top..top + rows` of a chain's depthwise convolution.
    ///
    /// # Safety
    /// `to` holds those rows.
    pub(super) unsafe fn depthwise_rows(
        &self,
        chain: &Chain,
        tile: Tile,
        out: Size,
        top: usize,
        rows: usize,
        to: *mut f32,
    ) {
        let padding = chain.taps.padding() as isize;
        // SAFETY: the tile's halo is at least the padding.
        unsafe {
            let first = tile.offset((top * chain.taps.stride) as isize - padding, -padding);
            let job = Depthwise {
                tile: tile.at.add(first),
                tile_row: tile.row(),
                weights: self.parameter(chain.depthwise),
                out: to,
                out_row: out.width * out.channels,
                rows,
                width: out.width,
                channels: out.channels,
            };
            (self.table(out.channels).depthwise)(&job, chain.taps);
        }
    }

    /// A factorised reduce of a tile.
    unsafe fn reduce(&self, reduce: &Reduce, tile: Tile, image: usize) {
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
    pub(super) unsafe fn gather_half(&self, tile: Tile, half: usize, top: usize, rows: usize) {
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

    /// `out = a b` for contiguous `[pixels, inputs]` and `[inputs, outputs]`.
    ///
    /// # Safety
    /// The arrays have these sizes.
    pub(super) unsafe fn product(
        &self,
        a: *const f32,
        inputs: usize,
        b: *const f32,
        out: *mut f32,
        outputs: usize,
        pixels: usize,
    ) {
        let job = Pointwise {
            a,
            b,
            out,
            out_pixel: outputs,
            pixels,
            inputs,
            outputs,
            add: false,
        };
        // SAFETY: as the caller's.
        unsafe { (self.table(outputs).pointwise)(&job) };
    }

    /// Adds to the moments of a normalisation; only training reads them.
    ///
    /// # Safety
    /// `y` holds `pixels` pixels.
    pub(super) unsafe fn moments(&self, norm: &Norm, y: *const f32, pixels: usize) {
        if self.mode.train {
            let sums = self.sum(norm.moments);
            let job = Moments {
                y,
                pixels,
                channels: norm.channels,
                sums,
                copy: std::ptr::null_mut(),
            };
            // SAFETY: `y` holds `pixels` pixels.
            unsafe { (self.table(norm.channels).moments)(&job) };
        }
    }

    /// The weighted sum of a node's terms.
    ///
    /// # Safety
    /// See [`Self::input`].
    pub(super) unsafe fn node(&self, node: &Node) {
        // SAFETY: the terms of this thread's images are complete.
        unsafe {
            self.node_scales(node);
            for image in self.images.clone() {
                let mut terms = Terms::new();
                for term in node.terms.iter().filter(|term| self.keeps(term, image)) {
                    let y = self.at(term.y.place, image);
                    terms.push(y.at, y.pixel, self.vector(term.scale_vector));
                }
                let out = self.at(node.value, image);
                (self.table(node.size.channels).mix)(&Mix {
                    terms: terms.as_slice(),
                    shift: self.node_shift(node, image),
                    out: out.at,
                    out_pixel: out.pixel,
                    pixels: node.size.pixels(),
                    channels: node.size.channels,
                    add: false,
                    ahead: 16,
                });
            }
        }
    }
}

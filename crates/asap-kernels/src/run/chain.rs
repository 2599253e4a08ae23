//! One chain, there and back: ReLU, depthwise, pointwise.

use super::Worker;
use super::terms::Upstream;
use super::tile::Tile;
use crate::depthwise::{Depthwise, DepthwiseWeights};
use crate::elementwise::Moments;
use crate::plan::{Chain, Size, chunk_rows};
use crate::pointwise::{Pointwise, PointwiseWeights};
use crate::table::Level;

/// Bytes of activations that may still be in a last-level cache when they are read again.
const CACHED: u64 = 64 << 20;

impl Worker<'_> {
    /// `y = pw(dw(tile))` and its moments.
    ///
    /// # Safety
    /// `image` is this thread's.
    pub(super) unsafe fn chain(&self, chain: &Chain, tile: Tile, out: Size, image: usize) {
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

    /// Back through one chain: adds the gradient of the tile's inside to image area 1 and, if wanted, those of the weights.
    ///
    /// # Safety
    /// The gradient tile is zero around its inside and between strided pixels; image area 1 holds an image of the tile.
    pub(super) unsafe fn chain_back(
        &self,
        chain: &Chain,
        tile: Tile,
        out: Size,
        upstream: &Upstream<'_>,
    ) {
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
}

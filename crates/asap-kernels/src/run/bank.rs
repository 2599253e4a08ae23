//! Banks, there and back, image by image: one tile for all operations that leave a node.
//!
//! Back, ReLU, depthwise outputs and padded tiles are made again from what the forward pass kept (outputs before
//! normalisation); the gradient between the two chains of a separable convolution takes the place of the second
//! chain's output, which nobody reads any more.

use super::Worker;
use super::terms::{Terms, Upstream};
use super::tile::Tile;
use crate::elementwise::Mix;
use crate::plan::{Bank, View};

impl Worker<'_> {
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

    /// Second chains of a bank's separable convolutions: the gradient of what lies between the chains.
    ///
    /// # Safety
    /// See [`Self::input`].
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

    /// First chains, reduces, pools and skips of a bank: the gradient of its source.
    ///
    /// # Safety
    /// See [`Self::input`].
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
}

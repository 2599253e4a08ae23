//! Back through chains: from the gradients of what they put out to those of their depthwise outputs and kernels, and from these, gathered,
//! to those of their sources.

use std::cmp::Reverse;

use super::Lowering;
use super::bank::taps;
use super::patches::{chain_rows, chain_tile, gradient_rows, gradient_tile, patches};
use super::places::value_bytes;
use crate::device::abi;
use crate::device::launch::Work;
use crate::error::Error;
use crate::plan::{Chain, Size, View};

/// Most channels of a chain on its way back whose sums fit the registers of two blocks.
const NARROW_CHANNELS: usize = 64;

/// Blocks of `chain_backward` for each multiprocessor in alpha steps: as many as it runs at a time, of up to 64 channels.
const ALPHA_BLOCKS: usize = 2;

/// Blocks of `depthwise_gradient` that a multiprocessor runs at a time.
const GRADIENT_BLOCKS: usize = 3;

/// A chain on its way back.
pub(super) struct ChainBack<'a> {
    pub(super) chain: &'a Chain,
    pub(super) source: View,
    pub(super) upstream: [abi::Term; 2],
}

impl Lowering<'_> {
    /// Channels of a block of `chain_backward`: as many as shared memory has room for.
    fn backward_chunk(&self, chains: &[ChainBack<'_>], channels: usize) -> Result<usize, Error> {
        let bytes = |chunk: usize| {
            let chains = chains.iter();
            let floats = chains.map(|back| self.backward_floats(back, channels, chunk));
            4 * floats.max().unwrap_or(0)
        };
        let chunks = [32, 16, 8].map(|chunk| chunk.min(channels));
        let room = self.target.capacity.shared_bytes;
        let chunk = chunks.into_iter().find(|chunk| bytes(*chunk) <= room);
        chunk.ok_or_else(|| Error::Device {
            what: format!("a depthwise separable convolution of {channels} channels"),
            problem: format!(
                "on the way back a block needs {} bytes of shared memory, and gets at most {room}",
                bytes(chunks[2])
            ),
        })
    }

    /// Back through chains of sources of one size: gradients of their kernels if wanted, and what is to be gathered.
    pub(super) fn chains_back(
        &mut self,
        size: Size,
        chains: &[ChainBack<'_>],
    ) -> Result<Vec<abi::Depthwise>, Error> {
        let Some(first) = chains.first() else {
            return Ok(Vec::new());
        };
        let channels = size.channels;
        let out = size.strided(first.chain.taps.stride);
        let chunk = self.backward_chunk(chains, channels)?;
        let groups = channels.div_ceil(chunk);
        let taps = chains.iter().map(|back| taps(back.chain)).max();
        let len = (taps.unwrap_or(0) + channels) * channels;
        let items =
            self.plan.batch * patches(out, self.backward_rows(first.chain, channels, chunk));
        let splits = match self.goal.weights() {
            true => self.kernel_splits(items, chains.len() * groups, len),
            // All chains have the same to do, and end together.
            false => {
                let blocks = ALPHA_BLOCKS * self.target.capacity.multiprocessors;
                (blocks / (chains.len() * groups)).min(items).max(1)
            }
        };
        let all = match self.goal.weights() {
            true => self.new_partials(chains.len() * splits * len),
            false => 0,
        };
        let (mut jobs, mut gathered) = (Vec::new(), Vec::new());
        let mut floats = 0;
        for (i, back) in chains.iter().enumerate() {
            let ChainBack {
                chain,
                source,
                upstream,
            } = back;
            let taps = chain.taps;
            let partials = match self.goal.weights() {
                true => all + 4 * (i * splits * len) as u64,
                false => 0,
            };
            let z = self.chain_scratch(out);
            jobs.push(abi::ChainBackward {
                source: self.view(*source),
                depthwise: self.weight(chain.depthwise),
                pointwise: self.weight(chain.pointwise),
                upstream: self.tables.push(upstream),
                z,
                partials,
                kernel: taps.kernel as u32,
                dilation: taps.dilation as u32,
                stride: taps.stride as u32,
                height: size.height as u32,
                width: size.width as u32,
                channels: channels as u32,
                chunk: chunk as u32,
                reserved: 0,
            });
            if self.goal.weights() {
                let depthwise = taps.kernel * taps.kernel * channels;
                let square = channels * channels;
                let stride = depthwise + square;
                let pointwise = partials + 4 * depthwise as u64;
                self.leave_parts(chain.depthwise, partials, depthwise, splits, stride);
                self.leave_parts(chain.pointwise, pointwise, square, splits, stride);
            }
            gathered.push(abi::Depthwise {
                weights: self.weight(chain.depthwise),
                z,
                kernel: taps.kernel as u32,
                dilation: taps.dilation as u32,
            });
            floats = floats.max(self.backward_floats(back, channels, chunk));
        }
        // As forward.
        jobs.sort_by_key(|job| Reverse((job.kernel, job.dilation)));
        let kernel = match channels > NARROW_CHANNELS {
            false => self.precise([
                "chain_backward_f32",
                "chain_backward_tf32",
                "chain_backward_bf16",
            ]),
            true => self.precise([
                "chain_backward_wide_f32",
                "chain_backward_wide_tf32",
                "chain_backward_wide_bf16",
            ]),
        };
        // The sources are read for the gradients of kernels alone; what a chain put out and `z` always.
        let mut sources = Vec::new();
        if self.goal.weights() {
            sources.extend(chains.iter().map(|back| back.source.place));
            sources.dedup_by_key(|place| place.buffer);
        }
        let mut work = self.chains_work(size, &sources, chains.iter().map(|back| back.chain));
        for gathered in &gathered {
            work.bytes += value_bytes(&gathered.z) * (self.plan.batch * out.len()) as f64;
        }
        // Of the two terms of a gradient one is of what the chain put out, and the other may be shared.
        let mut upstream: Vec<_> = chains.iter().map(|back| back.upstream[0].y).collect();
        upstream.sort_by_key(|y| y.at);
        upstream.dedup_by_key(|y| y.at);
        for y in &upstream {
            work.bytes += value_bytes(y) * (self.plan.batch * out.len()) as f64;
        }
        work.operations = match self.goal.weights() {
            // The convolution again and its kernel's gradients; gradients through the product and of its kernel.
            true => 2.0 * work.operations,
            // Through the product alone.
            false => {
                let values = self.plan.batch * out.len() * chains.len();
                2.0 * (channels * values) as f64
            }
        };
        self.launch(kernel, [splits, groups], floats, &jobs, work);
        Ok(gathered)
    }

    /// Rows of a patch of what a chain put out.
    fn backward_rows(&self, chain: &Chain, channels: usize, chunk: usize) -> usize {
        match chunk == channels {
            true => chain_rows(chain, channels, self.target.precision),
            false => 8,
        }
    }

    /// f32 of shared memory of `chain_backward`.
    fn backward_floats(&self, back: &ChainBack<'_>, channels: usize, chunk: usize) -> usize {
        let rows = self.backward_rows(back.chain, channels, chunk);
        let tile = (chain_tile(back.chain, rows) + taps(back.chain)) * chunk;
        let summands = 2 * back.upstream.len() * channels;
        (8 * rows + chunk) * (channels + 4) + 8 * rows * (chunk + 4) + 16 + summands + tile
    }

    /// How many blocks share the patches of each of so many sources.
    pub(super) fn gradient_splits(&self, size: Size, sources: usize) -> usize {
        let blocks = GRADIENT_BLOCKS * self.target.capacity.multiprocessors;
        let items = self.plan.batch * patches(size, gradient_rows(size.channels));
        (blocks / (sources * groups(size))).min(items).max(1)
    }

    pub(super) fn depthwise_gradient(
        &mut self,
        size: Size,
        stride: usize,
        splits: usize,
        gathered: &[abi::Depthwise],
        jobs: &[abi::DepthwiseGradient],
    ) {
        if jobs.is_empty() {
            return;
        }
        let channels = size.channels;
        let rows = gradient_rows(channels);
        let tiles = gathered
            .iter()
            .map(|c| gradient_tile(c.kernel, c.dilation, stride, rows));
        let tile = tiles.max().unwrap_or(0);
        let outputs = self.plan.batch * size.strided(stride).len();
        let inputs = self.plan.batch * size.len();
        let taps: u32 = gathered.iter().map(|c| c.kernel * c.kernel).sum();
        let sources = jobs.iter().map(|job| {
            let extra = if job.extra.at == 0 {
                0.0
            } else {
                value_bytes(&job.extra)
            };
            let out = f64::from(1 + job.add) * value_bytes(&job.out);
            value_bytes(&job.source.y) + extra + out
        });
        let sources: f64 = sources.sum();
        let read: f64 = gathered.iter().map(|c| value_bytes(&c.z)).sum();
        let work = Work {
            bytes: read * outputs as f64 + sources * inputs as f64,
            operations: 2.0 * f64::from(taps) * outputs as f64,
        };
        let grid = [splits, groups(size)];
        let floats = ((tile + 25) * channels.min(32)).max(1024);
        self.launch("depthwise_gradient", grid, floats, jobs, work);
    }
}

/// Groups of 32 channels.
fn groups(size: Size) -> usize {
    size.channels.div_ceil(32)
}

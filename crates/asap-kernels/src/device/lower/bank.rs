//! Banks forward: all chains that leave a node, or nodes that are ready at a time, are one launch, so are pools and reduces.

use std::cmp::Reverse;

use super::Lowering;
use super::patches::{chain_rows, chain_tile, patches};
use super::places::value_bytes;
use super::product::Forward;
use super::tasks::SUMS_FLOATS;
use crate::device::abi::{self, POOLED};
use crate::device::launch::Work;
use crate::error::Error;
use crate::plan::{Bank, Chain, Place, Size, View};
use crate::pool::PoolKind;

/// Most channels of a chain: those whose gradients the registers of a block hold.
const MAX_CHANNELS: usize = 256;

/// Most channels of a chain whose taps stay in registers.
const NARROW_CHANNELS: usize = 32;

impl Lowering<'_> {
    /// The first chains, pools and reduces of banks.
    pub(super) fn banks_first(&mut self, banks: &[&Bank]) -> Result<(), Error> {
        self.pools(banks);
        for banks in alike(banks) {
            self.pool_moments(banks);
            let mut reduces = Vec::new();
            let mut chains = Vec::new();
            for bank in banks {
                for (reduce, _) in &bank.reduces {
                    reduces.push(Forward {
                        convolution: self.reduce_convolution(reduce, bank.size),
                        source: self.view(bank.source),
                        y: reduce.y,
                        norm: Some(reduce.norm),
                    });
                }
                let convolutions = bank.convolutions.iter();
                chains.extend(convolutions.map(|c| (&c.first, bank.source)));
            }
            if !reduces.is_empty() {
                self.product_forward(&reduces, true);
            }
            self.chains(banks[0].size, &chains)?;
        }
        Ok(())
    }

    /// The second chains of banks.
    pub(super) fn banks_second(&mut self, banks: &[&Bank]) -> Result<(), Error> {
        for banks in alike(banks) {
            let out = banks[0].size.strided(banks[0].stride);
            let convolutions = banks.iter().flat_map(|bank| &bank.convolutions);
            let chains: Vec<_> = convolutions
                .filter_map(|c| {
                    let source = View {
                        place: c.first.y,
                        norm: Some(c.first.norm),
                    };
                    Some((c.second.as_ref()?, source))
                })
                .collect();
            self.chains(out, &chains)?;
        }
        Ok(())
    }

    /// Chains of sources of one size. Blocks start in the order of jobs, so those with most to do come first: what the device is left
    /// with at the end is short.
    fn chains(&mut self, size: Size, chains: &[(&Chain, View)]) -> Result<(), Error> {
        let Some((first, _)) = chains.first() else {
            return Ok(());
        };
        let channels = size.channels;
        if channels > MAX_CHANNELS {
            return Err(Error::Device {
                what: format!("a depthwise separable convolution of {channels} channels"),
                problem: format!("kernels take at most {MAX_CHANNELS}"),
            });
        }
        let out = size.strided(first.taps.stride);
        let rows = chain_rows(first, channels, self.target.precision);
        let items = self.plan.batch * patches(out, rows);
        let splits = self.splits(items, chains.len(), channels);
        let (mut jobs, mut floats) = (Vec::new(), 0);
        for (chain, source) in chains {
            let taps = chain.taps;
            let moments = self.moments(chain.norm, splits);
            jobs.push(abi::ChainForward {
                source: self.view(*source),
                depthwise: self.weight(chain.depthwise),
                pointwise: self.weight(chain.pointwise),
                y: self.tensor(chain.y),
                moments,
                kernel: taps.kernel as u32,
                dilation: taps.dilation as u32,
                stride: taps.stride as u32,
                height: size.height as u32,
                width: size.width as u32,
                channels: channels as u32,
            });
            floats = floats.max(forward_floats(chain, channels, rows));
        }
        jobs.sort_by_key(|job| Reverse((job.kernel, job.dilation)));
        let kernel = match channels > NARROW_CHANNELS {
            false => self.precise([
                "chain_forward_f32",
                "chain_forward_tf32",
                "chain_forward_bf16",
            ]),
            true => self.precise([
                "chain_forward_wide_f32",
                "chain_forward_wide_tf32",
                "chain_forward_wide_bf16",
            ]),
        };
        let mut sources: Vec<_> = chains.iter().map(|(_, source)| source.place).collect();
        sources.dedup_by_key(|place| place.buffer);
        let work = self.chains_work(size, &sources, chains.iter().map(|(chain, _)| *chain));
        self.launch(kernel, [splits, channels.div_ceil(64)], floats, &jobs, work);
        Ok(())
    }

    /// What chains of `sources` of this size cannot do without, forward: each source once.
    pub(super) fn chains_work<'a>(
        &self,
        size: Size,
        sources: &[Place],
        chains: impl Iterator<Item = &'a Chain>,
    ) -> Work {
        let mut work = Work::default();
        for source in sources {
            let values = (self.plan.batch * size.len()) as f64;
            work.bytes += value_bytes(&self.tensor(*source)) * values;
        }
        for chain in chains {
            let outputs = (self.plan.batch * size.strided(chain.taps.stride).len()) as f64;
            work.bytes += value_bytes(&self.tensor(chain.y)) * outputs;
            let taps = (chain.taps.kernel * chain.taps.kernel + size.channels) as f64;
            work.operations += 2.0 * outputs * taps;
        }
        work
    }

    /// Room for the moments of a normalisation; 0 where nobody reads them.
    pub(super) fn moments(&mut self, norm: usize, splits: usize) -> u64 {
        if !self.goal.train() {
            return 0;
        }
        let norm = &self.plan.norms[norm];
        let sums = self.new_sums(splits, 2 * norm.channels);
        self.sums.insert(norm.moments, sums);
        sums.at
    }

    /// The pools of banks, one launch for those of one size.
    pub(super) fn pools(&mut self, banks: &[&Bank]) {
        for banks in alike(banks) {
            let (size, stride) = (banks[0].size, banks[0].stride);
            let mut jobs = Vec::new();
            for bank in banks {
                for pool in &bank.pools {
                    jobs.push(abi::PoolForward {
                        source: self.view(bank.source),
                        y: self.tensor(pool.y.place),
                        kind: kind_number(pool.kind),
                        stride: stride as u32,
                        height: size.height as u32,
                        width: size.width as u32,
                        channels: size.channels as u32,
                        reserved: 0,
                    });
                }
            }
            if jobs.is_empty() {
                continue;
            }
            let out = size.strided(stride);
            let values = self.plan.batch * out.len();
            let sources = banks.iter().filter(|bank| !bank.pools.is_empty()).count();
            let read = sources * self.plan.batch * size.len();
            let work = Work {
                bytes: 4.0 * (jobs.len() * values + read) as f64,
                operations: 0.0,
            };
            let strips = self.plan.batch * out.height * out.width.div_ceil(POOLED as usize);
            let grid = [Self::blocks(strips * out.channels / 4), 1];
            self.launch("pool_forward", grid, 0, &jobs, work);
        }
    }

    /// Sums of what the pools of banks of one size put out, and of its squares.
    fn pool_moments(&mut self, banks: &[&Bank]) {
        let out = banks[0].size.strided(banks[0].stride);
        let pools = banks.iter().flat_map(|bank| &bank.pools);
        let normed = pools.filter_map(|pool| Some((pool.y.norm?, pool.y.place)));
        let normed: Vec<_> = normed.collect();
        if normed.is_empty() || !self.goal.train() {
            return;
        }
        let items = self.plan.batch * out.pixels();
        let splits = self.splits(items.div_ceil(64), normed.len(), out.channels);
        let jobs = normed.iter().map(|&(norm, y)| abi::Moments {
            y: self.tensor(y),
            sums: self.moments(norm, splits),
            pixels: out.pixels() as u32,
            channels: out.channels as u32,
        });
        let jobs: Vec<_> = jobs.collect();
        let work = Work {
            bytes: 4.0 * (jobs.len() * items * out.channels) as f64,
            operations: 0.0,
        };
        self.launch("moments", [splits, 1], SUMS_FLOATS, &jobs, work);
    }
}

/// Banks of one size and stride that follow one another.
pub(super) fn alike<'a, 'b>(banks: &'a [&'b Bank]) -> impl Iterator<Item = &'a [&'b Bank]> {
    banks.chunk_by(|a, b| (a.size, a.stride) == (b.size, b.stride))
}

/// The number that kernels know a pool by.
pub(super) fn kind_number(kind: PoolKind) -> u32 {
    match kind {
        PoolKind::Max => 0,
        PoolKind::Average => 1,
    }
}

/// Taps of the depthwise convolution.
pub(super) fn taps(chain: &Chain) -> usize {
    chain.taps.kernel * chain.taps.kernel
}

/// f32 of shared memory of `chain_forward`.
fn forward_floats(chain: &Chain, channels: usize, rows: usize) -> usize {
    let (chunk, outputs) = (channels.min(32), channels.min(64));
    let tile = chain_tile(chain, rows) * chunk;
    (tile
        + 8 * rows * (chunk + 4)
        + chunk * (outputs + if outputs % 16 == 8 { 16 } else { 8 })
        + taps(chain) * chunk)
        .max(1024)
}

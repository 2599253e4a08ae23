//! Banks backward: the gradients of the depthwise outputs of all chains in one launch, gathered into that of the source in another.

use super::Lowering;
use super::bank::{alike, kind_number, span, squares, taps, tile_pixels};
use super::places::value_bytes;
use super::product::Backward;
use crate::device::abi;
use crate::device::launch::Work;
use crate::error::Error;
use crate::plan::{Bank, Chain, Size, View};

/// Most channels of a chain on its way back whose sums fit the registers of two blocks.
const NARROW_CHANNELS: usize = 64;

/// Blocks of `depthwise_gradient` that a multiprocessor runs at a time.
const GRADIENT_BLOCKS: usize = 3;

/// A chain on its way back.
struct ChainBack<'a> {
    chain: &'a Chain,
    source: View,
    upstream: Vec<abi::Term>,
}

impl Lowering<'_> {
    /// Back through the second chains of banks.
    pub(super) fn banks_second_back(&mut self, banks: &[&Bank]) -> Result<(), Error> {
        for banks in alike(banks) {
            self.second_back(banks)?;
        }
        Ok(())
    }

    fn second_back(&mut self, banks: &[&Bank]) -> Result<(), Error> {
        let out = banks[0].size.strided(banks[0].stride);
        let mut chains = Vec::new();
        let mut places = Vec::new();
        for convolution in banks.iter().flat_map(|bank| &bank.convolutions) {
            let (first, Some(second)) = (&convolution.first, &convolution.second) else {
                continue;
            };
            let source = View {
                place: first.y,
                norm: Some(first.norm),
            };
            let g = self.handed_back(convolution.target);
            let norm = self.norm_term(second.norm, self.tensor(second.y));
            chains.push(ChainBack {
                chain: second,
                source,
                upstream: vec![g, norm],
            });
            places.push((source, second.y, convolution.inner_sums));
        }
        let gathered = self.chains_back(out, &chains)?;
        // Nobody reads the second chains' outputs any more: the gradients of what they read take their place.
        let mut jobs = Vec::new();
        let splits = self.gradient_splits(out, gathered.len());
        for (gathered, (source, out_place, sums)) in gathered.iter().zip(&places) {
            let found = self.new_sums(splits, 2 * out.channels);
            let product = abi::Sums {
                at: found.at + 8 * out.channels as u64,
                ..found
            };
            self.sums.insert(*sums, found);
            self.sums.insert(sums + out.channels, product);
            jobs.push(abi::DepthwiseGradient {
                source: self.view(*source),
                convolutions: self.tables.push(&[*gathered]),
                extra: abi::Tensor::default(),
                out: self.tensor(*out_place),
                sums: found.at,
                count: 1,
                add: 0,
                stride: 1,
                height: out.height as u32,
                width: out.width as u32,
                channels: out.channels as u32,
            });
        }
        self.depthwise_gradient(out, 1, splits, &gathered, &jobs);
        Ok(())
    }

    pub(super) fn bank_first_back(&mut self, bank: &Bank) -> Result<(), Error> {
        let size = bank.size;
        let chains: Vec<_> = bank
            .convolutions
            .iter()
            .map(|convolution| {
                let chain = &convolution.first;
                let y = self.tensor(chain.y);
                let upstream = match &convolution.second {
                    // `bank_second_back` left the gradient where the second chain's output was.
                    Some(second) => self
                        .through_norm(chain.norm, self.tensor(second.y), y)
                        .to_vec(),
                    None => vec![
                        self.handed_back(convolution.target),
                        self.norm_term(chain.norm, y),
                    ],
                };
                ChainBack {
                    chain,
                    source: bank.source,
                    upstream,
                }
            })
            .collect();
        let gathered = self.chains_back(size, &chains)?;
        let extra = self.reduces_back(bank);
        let out = self.tensor(bank.gradient);
        let mut add = bank.gradient_add;
        if !gathered.is_empty() || extra.at != 0 {
            let job = abi::DepthwiseGradient {
                source: self.view(bank.source),
                convolutions: self.tables.push(&gathered),
                extra,
                out,
                sums: 0,
                count: gathered.len() as u32,
                add: u32::from(add),
                stride: bank.stride as u32,
                height: size.height as u32,
                width: size.width as u32,
                channels: size.channels as u32,
            };
            let splits = self.gradient_splits(size, 1);
            self.depthwise_gradient(size, bank.stride, splits, &gathered, &[job]);
            add = true;
        }
        self.pools_back(bank, out, add);
        if let Some(sums) = bank.source_sums {
            self.pair_sums(size, bank.gradient, bank.source.place, sums);
        }
        Ok(())
    }

    /// Channels of a block of `chain_backward`: as many as shared memory has room for.
    fn backward_chunk(&self, chains: &[ChainBack<'_>], channels: usize) -> Result<usize, Error> {
        let bytes = |chunk: usize| {
            let chains = chains.iter();
            let floats = chains.map(|back| backward_floats(back.chain, channels, chunk));
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
    fn chains_back(
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
        let items = self.plan.batch * squares(out);
        let splits = self.kernel_splits(items, chains.len() * groups, len);
        let (mut jobs, mut reductions, mut gathered) = (Vec::new(), Vec::new(), Vec::new());
        let mut floats = 0;
        for ChainBack {
            chain,
            source,
            upstream,
        } in chains
        {
            let taps = chain.taps;
            let depthwise = taps.kernel * taps.kernel * channels;
            let len = depthwise + channels * channels;
            let partials = match self.goal.weights() {
                true => self.new_scratch(splits * len),
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
                upstream_count: upstream.len() as u32,
                kernel: taps.kernel as u32,
                dilation: taps.dilation as u32,
                stride: taps.stride as u32,
                height: size.height as u32,
                width: size.width as u32,
                channels: channels as u32,
                chunk: chunk as u32,
            });
            if self.goal.weights() {
                let pointwise = partials + 4 * depthwise as u64;
                reductions.push(self.reduction(chain.depthwise, partials, depthwise, splits, len));
                let square = channels * channels;
                reductions.push(self.reduction(chain.pointwise, pointwise, square, splits, len));
            }
            gathered.push(abi::Depthwise {
                weights: self.weight(chain.depthwise),
                z,
                kernel: taps.kernel as u32,
                dilation: taps.dilation as u32,
            });
            floats = floats.max(backward_floats(chain, channels, chunk));
        }
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
        if self.goal.weights() {
            work.operations *= 2.0;
        }
        self.launch(kernel, [splits, groups], floats, &jobs, work);
        if !reductions.is_empty() {
            self.reduce(&reductions);
        }
        Ok(gathered)
    }

    /// How many blocks share the squares of each of so many sources.
    fn gradient_splits(&self, size: Size, sources: usize) -> usize {
        let blocks = GRADIENT_BLOCKS * self.target.capacity.multiprocessors;
        let items = self.plan.batch * squares(size);
        (blocks / (sources * groups(size))).min(items).max(1)
    }

    fn depthwise_gradient(
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
        let reach = |convolution: &abi::Depthwise| {
            let padding = ((convolution.kernel - 1) / 2 * convolution.dilation) as usize;
            match stride {
                1 => 8 + 2 * padding,
                _ => (7 + 2 * padding) / 2 + 2,
            }
        };
        let reach = gathered.iter().map(reach).max().unwrap_or(0);
        let channels = size.channels;
        let outputs = self.plan.batch * size.strided(stride).len();
        let inputs = self.plan.batch * size.len();
        let taps: u32 = gathered.iter().map(|c| c.kernel * c.kernel).sum();
        let sources = jobs
            .iter()
            .map(|job| value_bytes(&job.source.y) + value_bytes(&job.out));
        let sources: f64 = sources.sum();
        let read: f64 = gathered.iter().map(|c| value_bytes(&c.z)).sum();
        let work = Work {
            bytes: read * outputs as f64 + sources * inputs as f64,
            operations: 2.0 * f64::from(taps) * outputs as f64,
        };
        let grid = [splits, groups(size)];
        let floats = ((tile_pixels(reach) + 25) * channels.min(32)).max(1024);
        self.launch("depthwise_gradient", grid, floats, jobs, work);
    }

    /// Gradients of a bank's reduces' kernels, and of its source before ReLU's mask, in scratch; nowhere if it has none.
    fn reduces_back(&mut self, bank: &Bank) -> abi::Tensor {
        let mut products = Vec::new();
        for (reduce, target) in &bank.reduces {
            let y = self.tensor(reduce.y);
            let terms = [self.handed_back(*target), self.norm_term(reduce.norm, y)];
            let upstream = abi::Upstream {
                convolution: self.reduce_convolution(reduce, bank.size),
                terms: self.tables.push(&terms),
                count: terms.len() as u32,
                reserved: 0,
            };
            products.push(Backward {
                upstream,
                source: self.view(bank.source),
                relu: true,
                kernels: reduce.kernels.to_vec(),
            });
        }
        if products.is_empty() {
            return abi::Tensor::default();
        }
        self.product_weight_gradient(&products);
        let upstreams: Vec<_> = products.iter().map(|product| product.upstream).collect();
        let out = self.scratch_tensor(bank.size);
        self.product_input_gradient(&upstreams, None, out, false);
        out
    }

    /// Adds or writes what pools and skips hand back to the source.
    fn pools_back(&mut self, bank: &Bank, out: abi::Tensor, add: bool) {
        let (size, pooled) = (bank.size, bank.size.strided(bank.stride));
        let (mut mixes, mut pools) = (Vec::new(), Vec::new());
        for pool in &bank.pools {
            let mut terms: Vec<_> = pool.targets.iter().map(|t| self.handed_back(*t)).collect();
            let y = self.tensor(pool.y.place);
            if let Some(norm) = pool.y.norm {
                terms.push(self.norm_term(norm, y));
            }
            let dy = self.scratch_tensor(pooled);
            mixes.push(abi::Mix {
                terms: self.tables.push(&terms),
                out: dy,
                count: terms.len() as u32,
                add: 0,
                pixels: pooled.pixels() as u32,
                channels: pooled.channels as u32,
            });
            pools.push(abi::PoolGradient {
                y,
                dy,
                kind: kind_number(pool.kind),
                reserved: 0,
            });
        }
        let skips: Vec<_> = bank
            .skips
            .iter()
            .map(|skip| self.handed_back(*skip))
            .collect();
        if pools.is_empty() && skips.is_empty() {
            return;
        }
        if !mixes.is_empty() {
            self.mix(&mixes, pooled, 0);
        }
        let job = abi::PoolsGradient {
            source: self.view(bank.source),
            pools: self.tables.push(&pools),
            terms: self.tables.push(&skips),
            out,
            pools_count: pools.len() as u32,
            terms_count: skips.len() as u32,
            add: u32::from(add),
            stride: bank.stride as u32,
            height: size.height as u32,
            width: size.width as u32,
            channels: size.channels as u32,
            reserved: 0,
        };
        let values = self.plan.batch * size.len();
        let tensors = 2 + 2 * pools.len() + skips.len();
        let work = Work {
            bytes: 4.0 * (values * tensors) as f64,
            operations: 0.0,
        };
        let grid = [Self::blocks(values / 4), 1];
        self.launch("pool_gradient", grid, 0, &[job], work);
    }
}

/// Groups of 32 channels.
fn groups(size: Size) -> usize {
    size.channels.div_ceil(32)
}

/// f32 of shared memory of `chain_backward`.
fn backward_floats(chain: &Chain, channels: usize, chunk: usize) -> usize {
    let tile = (tile_pixels(span(chain)) + taps(chain)) * chunk;
    (64 + chunk) * (channels + 4) + 64 * (chunk + 4) + 16 + tile
}

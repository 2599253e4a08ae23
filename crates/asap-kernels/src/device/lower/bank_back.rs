//! Banks backward: the gradients of the depthwise outputs of all chains in one launch, gathered into that of the source in another.

use super::Lowering;
use super::bank::{alike, kind_number};
use super::chain_back::ChainBack;
use super::product::Backward;
use crate::device::abi;
use crate::device::launch::Work;
use crate::error::Error;
use crate::plan::{Bank, View};

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
                upstream: [g, norm],
            });
            places.push((source, second.y, convolution.inner_sums));
        }
        if chains.is_empty() {
            return Ok(());
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
                    // `banks_second_back` left the gradient where the second chain's output was.
                    Some(second) => self.through_norm(chain.norm, self.tensor(second.y), y),
                    None => [
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
        let mut gathered = self.chains_back(size, &chains)?;
        gathered.sort_by_key(|convolution| (convolution.kernel - 1) * convolution.dilation);
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

//! Convolutions that are products over gathered pixels, there and back.

use super::Lowering;
use crate::device::abi;
use crate::device::launch::Work;
use crate::plan::{Place, Reduce, Size};

/// f32 of shared memory of the three kernels: two factors and the rows' places, 64 of three numbers.
const FORWARD_FLOATS: usize = 64 * 36 + 32 * 72 + 3 * 64;
const INPUT_FLOATS: usize = 2 * 64 * 36 + 3 * 64;
const WEIGHT_FLOATS: usize = 64 * 36 + 16 + 64 * 72 + 3 * 64;

/// One product forward.
pub(super) struct Forward {
    pub(super) convolution: abi::Convolution,
    pub(super) source: abi::View,
    pub(super) y: Place,
    pub(super) norm: Option<usize>,
}

/// The gradient of one product's kernel, or of two.
pub(super) struct Backward {
    pub(super) upstream: abi::Upstream,
    pub(super) source: abi::View,
    pub(super) relu: bool,
    /// Each of an equal share of the taps.
    pub(super) kernels: Vec<usize>,
}

impl Lowering<'_> {
    /// Products of one shape.
    pub(super) fn product_forward(&mut self, products: &[Forward], relu: bool) {
        let shape = products[0].convolution;
        let pixels = self.plan.batch * (shape.out_height * shape.out_width) as usize;
        let splits = self.splits(pixels.div_ceil(64), products.len(), shape.outputs as usize);
        let jobs: Vec<_> = products
            .iter()
            .map(|product| abi::ProductForward {
                convolution: product.convolution,
                source: product.source,
                y: self.tensor(product.y),
                moments: product.norm.map_or(0, |norm| self.moments(norm, splits)),
                relu: u32::from(relu),
                reserved: 0,
            })
            .collect();
        let kernel = self.precise([
            "product_forward_f32",
            "product_forward_tf32",
            "product_forward_bf16",
        ]);
        let work = self.product_work(&shape, jobs.len(), [1, jobs.len()]);
        let grid = [splits, (shape.outputs as usize).div_ceil(64)];
        self.launch(kernel, grid, FORWARD_FLOATS, &jobs, work);
    }

    /// The gradient of the source of products that all read it, with ReLU's mask if there is one.
    pub(super) fn product_input_gradient(
        &mut self,
        products: &[abi::Upstream],
        mask: Option<abi::View>,
        out: abi::Tensor,
        add: bool,
    ) {
        let shape = products[0].convolution;
        let job = abi::ProductInputGradient {
            products: self.tables.push(products),
            mask: mask.unwrap_or_default(),
            out,
            count: products.len() as u32,
            add: u32::from(add),
        };
        let kernel = self.precise([
            "product_input_gradient_f32",
            "product_input_gradient_tf32",
            "product_input_gradient_bf16",
        ]);
        let pixels = self.plan.batch * (shape.height * shape.width) as usize;
        // Besides being written, a source's gradient may be added to, and its sign be looked at.
        let sides = 1 + usize::from(mask.is_some()) + usize::from(add);
        let work = self.product_work(&shape, products.len(), [sides, terms(products.iter())]);
        let grid = [pixels.div_ceil(64), (shape.channels as usize).div_ceil(64)];
        self.launch(kernel, grid, INPUT_FLOATS, &[job], work);
    }

    /// The gradients of the kernels of products of one shape, if weights are wanted.
    pub(super) fn product_weight_gradient(&mut self, products: &[Backward]) {
        if !self.goal.weights() {
            return;
        }
        let shape = products[0].upstream.convolution;
        let (depth, outputs) = (
            (shape.taps * shape.channels) as usize,
            shape.outputs as usize,
        );
        let pixels = self.plan.batch * (shape.out_height * shape.out_width) as usize;
        let groups = depth.div_ceil(32) * outputs.div_ceil(64);
        let splits = self.kernel_splits(
            pixels.div_ceil(64),
            products.len() * groups,
            depth * outputs,
        );
        let each = splits * depth * outputs;
        let all = self.new_partials(products.len() * each);
        let mut jobs = Vec::new();
        for (i, product) in products.iter().enumerate() {
            let partials = all + 4 * (i * each) as u64;
            jobs.push(abi::ProductWeightGradient {
                product: product.upstream,
                source: product.source,
                partials,
                relu: u32::from(product.relu),
                reserved: 0,
            });
            let len = depth / product.kernels.len() * outputs;
            for (i, &kernel) in product.kernels.iter().enumerate() {
                let partials = partials + 4 * (i * len) as u64;
                self.leave_parts(kernel, partials, len, splits, depth * outputs);
            }
        }
        let kernel = self.precise([
            "product_weight_gradient_f32",
            "product_weight_gradient_tf32",
            "product_weight_gradient_bf16",
        ]);
        let terms = terms(products.iter().map(|product| &product.upstream));
        let work = self.product_work(&shape, jobs.len(), [1, terms]);
        self.launch(kernel, [splits, groups], WEIGHT_FLOATS, &jobs, work);
    }

    pub(super) fn reduce_convolution(&self, reduce: &Reduce, size: Size) -> abi::Convolution {
        let out = size.strided(2);
        let [first, second] = reduce.kernels.map(|kernel| kernel as i64);
        abi::Convolution {
            kernel: self.weight(reduce.kernels[0]),
            tap_stride: second - first,
            taps: 2,
            window: 0,
            stride: 2,
            begin: 0,
            height: size.height as u32,
            width: size.width as u32,
            channels: reduce.inputs as u32,
            out_height: out.height as u32,
            out_width: out.width as u32,
            outputs: reduce.outputs as u32,
        }
    }

    /// Of products that move so many tensors of their sources' size and of their outputs': products of one launch may all read one
    /// source.
    fn product_work(
        &self,
        shape: &abi::Convolution,
        products: usize,
        [sources, tensors]: [usize; 2],
    ) -> Work {
        let outputs =
            self.plan.batch as f64 * f64::from(shape.out_height * shape.out_width * shape.outputs);
        let inputs =
            self.plan.batch as f64 * f64::from(shape.height * shape.width * shape.channels);
        Work {
            bytes: 4.0 * (sources as f64 * inputs + tensors as f64 * outputs),
            operations: 2.0 * products as f64 * outputs * f64::from(shape.taps * shape.channels),
        }
    }
}

/// The tensors that gradients of outputs are made of.
fn terms<'a>(upstreams: impl Iterator<Item = &'a abi::Upstream>) -> usize {
    upstreams.map(|upstream| upstream.count as usize).sum()
}

//! What stands in front of a cell, there and back.

use super::Lowering;
use super::product::{Backward, Forward};
use crate::device::abi;
use crate::plan::{Input, InputKernel, Size};

impl Lowering<'_> {
    fn input_convolution(&self, input: &Input) -> (abi::Convolution, Vec<usize>) {
        match input.kernel {
            InputKernel::Reduce(reduce) => {
                let convolution = self.reduce_convolution(&reduce, input.size);
                (convolution, reduce.kernels.to_vec())
            }
            InputKernel::Pointwise { kernel, .. } => {
                let window = Window {
                    taps: 1,
                    width: 1,
                    stride: 1,
                    begin: 0,
                };
                let convolution = self.window_convolution(kernel, window, input.size, input.out);
                (convolution, vec![kernel])
            }
            InputKernel::Dense { kernel, .. } => {
                let window = Window {
                    taps: 9,
                    width: 3,
                    stride: 2,
                    begin: -1,
                };
                let convolution = self.window_convolution(kernel, window, input.size, input.out);
                (convolution, vec![kernel])
            }
        }
    }

    /// A convolution whose taps lie one after another in the slab.
    pub(super) fn window_convolution(
        &self,
        kernel: usize,
        window: Window,
        size: Size,
        out: Size,
    ) -> abi::Convolution {
        abi::Convolution {
            kernel: self.weight(kernel),
            tap_stride: (size.channels * out.channels) as i64,
            taps: window.taps,
            window: window.width,
            stride: window.stride,
            begin: window.begin,
            height: size.height as u32,
            width: size.width as u32,
            channels: size.channels as u32,
            out_height: out.height as u32,
            out_width: out.width as u32,
            outputs: out.channels as u32,
        }
    }

    pub(super) fn input(&mut self, input: &Input) {
        let forward = Forward {
            convolution: self.input_convolution(input).0,
            source: self.view(input.source),
            y: input.y,
            norm: Some(input.norm),
        };
        self.product_forward(&[forward], true);
    }

    pub(super) fn input_back(&mut self, input: &Input) {
        let (convolution, kernels) = self.input_convolution(input);
        let (g, y) = (self.tensor(input.gradient), self.tensor(input.y));
        let terms = self.through_norm(input.norm, g, y);
        let upstream = abi::Upstream {
            convolution,
            terms: self.tables.push(&terms),
            count: terms.len() as u32,
            reserved: 0,
        };
        let source = self.view(input.source);
        self.product_weight_gradient(&[Backward {
            upstream,
            source,
            relu: true,
            kernels,
        }]);
        let out = self.tensor(input.source_gradient);
        self.product_input_gradient(&[upstream], Some(source), out, input.source_gradient_add);
    }
}

/// Where a convolution's taps lie.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) taps: u32,
    pub(super) width: u32,
    pub(super) stride: u32,
    pub(super) begin: i32,
}

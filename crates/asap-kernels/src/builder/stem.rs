//! What stands in front of the first cell: one convolution, or three that each halve the resolution.

use super::{PlanBuilder, Source};
use crate::layout::{ParameterKind, padded};
use crate::plan::{Input, InputKernel, Size, Stem, Task, View};

impl PlanBuilder {
    /// Starts with the stem: images `[N, height, width, image_channels]`, a 3x3 convolution to `channels`, BN.
    pub fn new(batch: usize, op_weights: usize, image: [usize; 3], channels: usize) -> Self {
        let mut builder = Self::empty(batch, op_weights);
        let source = builder.stem(["stem.conv", "stem.norm"], image, channels, 1);
        builder.sources.push(source);
        builder
    }

    /// Starts with a stem for large images, three 3x3 convolutions with stride 2, BN after each and ReLU between them:
    /// the first to half of `channels`, at least 2. The first cell reads the last two (as DARTS has it).
    pub fn with_image_stem(
        batch: usize,
        op_weights: usize,
        image: [usize; 3],
        channels: usize,
    ) -> Self {
        let mut builder = Self::empty(batch, op_weights);
        let names = ["stem0.conv1", "stem0.norm1"];
        let mut source = builder.stem(names, image, channels / 2, 2);
        for names in [["stem0.conv2", "stem0.norm2"], ["stem1.conv", "stem1.norm"]] {
            source = builder.stem_stage(names, &source, channels);
            builder.sources.push(source.clone());
        }
        builder
    }

    /// The convolution of the images.
    fn stem(
        &mut self,
        [conv, norm]: [&str; 2],
        image: [usize; 3],
        channels: usize,
        stride: usize,
    ) -> Source {
        let [height, width, image_channels] = image;
        let size = Size {
            height: height.div_ceil(stride),
            width: width.div_ceil(stride),
            channels: padded(channels),
        };
        let kind = ParameterKind::Stem {
            image_channels,
            outputs: channels,
        };
        let stem = Stem {
            image,
            stride,
            inputs: padded(9 * image_channels),
            size,
            kernel: self.kernel(conv.to_owned(), kind, size.pixels()),
            norm: self.norm(norm, channels, size.pixels(), true),
            y: self.place(size),
            gradient: self.place(size),
            sums: self.sums(2 * size.channels),
        };
        self.need_products(size, stem.inputs);
        let norm = stem.norm;
        self.plan.forward = vec![Task::Stem, Task::Barrier, Task::Coefficients(vec![norm])];
        let source = Source {
            view: View {
                place: stem.y,
                norm: Some(norm),
            },
            size,
            segments: vec![channels],
            gradient: stem.gradient,
            written: false,
        };
        self.plan.stem = Some(stem);
        source
    }

    /// ReLU, a 3x3 convolution with stride 2, BN.
    fn stem_stage(&mut self, [conv, norm]: [&str; 2], source: &Source, channels: usize) -> Source {
        let out = Size {
            channels: padded(channels),
            ..source.size.strided(2)
        };
        let kind = ParameterKind::Dense {
            kernel: 3,
            inputs: source.segments.iter().sum(),
            outputs: channels,
        };
        let inputs = 9 * source.size.channels;
        let kernel = self.kernel(conv.to_owned(), kind, out.pixels());
        let transposed = self.transposed(kernel, inputs, out.channels);
        self.need_tile(source.size, 1);
        self.need_products(out, inputs);
        let input = Input {
            source: source.view,
            size: source.size,
            kernel: InputKernel::Dense { kernel, transposed },
            norm: self.norm(norm, channels, out.pixels(), true),
            y: self.place(out),
            out,
            gradient: self.place(out),
            sums: self.sums(2 * out.channels),
            source_gradient: source.gradient,
            source_gradient_add: false,
        };
        let stage = Source {
            view: View {
                place: input.y,
                norm: Some(input.norm),
            },
            size: out,
            segments: vec![channels],
            gradient: input.gradient,
            written: false,
        };
        let coefficients = Task::Coefficients(vec![input.norm]);
        self.plan.inputs.push(input);
        self.stem_stages.push(self.plan.inputs.len() - 1);
        let task = Task::Input(self.plan.inputs.len() - 1);
        self.plan
            .forward
            .extend([task, Task::Barrier, coefficients]);
        stage
    }

    /// Backward tasks of the stem, when all cells are done.
    pub(super) fn stem_backward(&mut self) {
        for (output, input) in std::mem::take(&mut self.stem_stages)
            .into_iter()
            .enumerate()
            .rev()
        {
            self.clear_unwritten(output);
            // The first stage reads what nobody else does.
            if let Some(read) = output.checked_sub(1) {
                let source = &mut self.sources[read];
                self.plan.inputs[input].source_gradient_add = source.written;
                source.written = true;
            }
            let coefficients = self.plan.inputs[input].coefficients();
            self.plan.backward.extend([
                Task::InputSums(input),
                Task::Barrier,
                coefficients,
                Task::InputBack(input),
            ]);
        }
        self.clear_unwritten(0);
        let &Stem { norm, sums, .. } = self.plan.stem();
        self.plan.backward.extend([
            Task::StemSums,
            Task::Barrier,
            Task::SourceCoefficients { norm, sums },
            Task::StemBack,
        ]);
    }

    /// Zeros in the gradient of a source that nothing has read.
    pub(super) fn clear_unwritten(&mut self, source: usize) {
        let source = &mut self.sources[source];
        if !source.written {
            source.written = true;
            let task = Task::Clear(source.gradient, source.size);
            self.plan.backward.push(task);
        }
    }
}

//! The stem, the classifier and what a step found.

use super::Lowering;
use super::input::Window;
use super::product::{Backward, Forward};
use crate::device::abi;
use crate::device::launch::Work;
use crate::plan::{Classifier, Head, Size, Stem};

/// f32 of shared memory: four f64 for each thread, and two.
const HEAD_FLOATS: usize = 2048;
const OUTCOME_FLOATS: usize = 1024;

impl Lowering<'_> {
    fn images(&self, stem: &Stem) -> (abi::View, Size) {
        let [height, width, channels] = stem.image;
        let size = Size {
            height,
            width,
            channels,
        };
        let y = abi::Tensor {
            at: self.bases.pixels,
            image: size.len() as u32,
            pixel: channels as u32,
        };
        (abi::View { y, a: 0, b: 0 }, size)
    }

    fn stem_convolution(&self, stem: &Stem, size: Size) -> abi::Convolution {
        let window = Window {
            taps: 9,
            width: 3,
            stride: stem.stride as u32,
            begin: -1,
        };
        self.window_convolution(stem.kernel, window, size, stem.size)
    }

    pub(super) fn stem(&mut self, stem: &Stem) {
        let (source, size) = self.images(stem);
        let forward = Forward {
            convolution: self.stem_convolution(stem, size),
            source,
            y: stem.y,
            norm: Some(stem.norm),
        };
        self.product_forward(&[forward], false);
    }

    pub(super) fn stem_back(&mut self, stem: &Stem) {
        let (source, size) = self.images(stem);
        let (g, y) = (self.tensor(stem.gradient), self.tensor(stem.y));
        let terms = self.through_norm(stem.norm, g, y);
        let upstream = abi::Upstream {
            convolution: self.stem_convolution(stem, size),
            terms: self.tables.push(&terms),
            count: terms.len() as u32,
            reserved: 0,
        };
        self.product_weight_gradient(&[Backward {
            upstream,
            source,
            relu: false,
            kernels: vec![stem.kernel],
        }]);
    }

    pub(super) fn head(&mut self, head: &Head) {
        let (source, gradient) = (self.view(head.source), self.tensor(head.gradient));
        self.classify(head.classifier, source, gradient, head.size, false);
    }

    /// A classifier, its loss, and in training the gradient of what it reads.
    pub(super) fn classify(
        &mut self,
        classifier: Classifier,
        source: abi::View,
        gradient: abi::Tensor,
        size: Size,
        auxiliary: bool,
    ) {
        let (batch, main) = (self.plan.batch, self.plan.head());
        // What the auxiliary head has comes behind what the other has.
        let skip = |len: usize| if auxiliary { batch * len } else { 0 } as u64;
        let (features, classes) = (skip(main.size.channels), skip(main.classifier.classes));
        let job = abi::Head {
            source,
            weight: self.weight(classifier.weight),
            bias: self.weight(classifier.bias),
            labels: self.bases.labels,
            features: self.bases.features + 4 * features,
            logits: self.bases.logits + 4 * classes,
            logit_gradients: self.bases.logit_gradients + 4 * classes,
            results: self.bases.results + 8 * skip(2),
            gradient,
            pixels: size.pixels() as u32,
            channels: size.channels as u32,
            classes: classifier.classes as u32,
            auxiliary: u32::from(auxiliary),
        };
        let work = Work {
            bytes: 8.0 * (batch * size.len()) as f64,
            operations: 0.0,
        };

        self.launch("head", [batch, 1], HEAD_FLOATS, &[job], work);
        if self.goal.weights() {
            let gradient = abi::ClassifierGradient {
                features: job.features,
                logit_gradients: job.logit_gradients,
                weight: self.gradient(classifier.weight),
                bias: self.gradient(classifier.bias),
                channels: job.channels,
                classes: job.classes,
            };
            let blocks = Self::blocks(size.channels * classifier.classes);
            self.launch(
                "classifier_gradient",
                [blocks, 1],
                0,
                &[gradient],
                Work::default(),
            );
        }
    }

    /// Loss and correct answers of the batch.
    pub(super) fn outcome(&mut self) {
        let second = self.bases.results + 16 * self.plan.batch as u64;
        let job = abi::Outcome {
            results: self.bases.results,
            auxiliary: self.plan.auxiliary.as_ref().map_or(0, |_| second),
            outcome: self.bases.outcome,
        };
        self.launch("outcome", [1, 1], OUTCOME_FLOATS, &[job], Work::default());
    }
}

//! Global average pool, linear layer, softmax and cross-entropy, forward and back.

use super::Worker;
use crate::plan::{Classifier, Head, Place, Size};

impl Worker<'_> {
    /// Logits of this thread's images; in training also the loss, its gradient in the head's parameters and in the source.
    ///
    /// # Safety
    /// The source of this thread's images is complete.
    pub(super) unsafe fn head(&self, head: &Head) {
        let (channels, pixels) = (head.size.channels, head.size.pixels());
        let inverse = 1.0 / pixels as f32;
        let mut result = [0.0, 0.0];
        for image in self.images.clone() {
            // SAFETY: image area 0 holds at least a pixel of the widest tensor; logits of an image are its thread's.
            unsafe {
                let source = self.at(head.source.place, image);
                let pooled = std::slice::from_raw_parts_mut(self.image[0], channels);
                pooled.fill(0.0);
                for pixel in 0..pixels {
                    let from =
                        std::slice::from_raw_parts(source.at.add(pixel * source.pixel), channels);
                    for (sum, value) in pooled.iter_mut().zip(from) {
                        *sum += value;
                    }
                }
                let (a, b) = self.view_coefficients(head.source);
                for (c, sum) in pooled.iter_mut().enumerate() {
                    *sum *= inverse;
                    if !a.is_null() {
                        *sum = *sum * *a.add(c) + *b.add(c);
                    }
                }
                let logits = self.shared.outputs.add(image * head.classifier.classes);
                let logits = std::slice::from_raw_parts_mut(logits, head.classifier.classes);
                self.classify(head.classifier, pooled, logits);
                if self.mode.train {
                    // Image area 1 holds the widest tensor of an image.
                    let back = std::slice::from_raw_parts_mut(self.image[1], channels);
                    let found = self.classifier_back(
                        head.classifier,
                        1.0,
                        self.labels[image],
                        pooled,
                        logits,
                        back,
                    );
                    result = [result[0] + found[0], result[1] + found[1]];
                    back.iter_mut().for_each(|g| *g *= inverse);
                    let out = self.at(head.gradient, image);
                    for pixel in 0..pixels {
                        out.at
                            .add(pixel * out.pixel)
                            .copy_from_nonoverlapping(back.as_ptr(), channels);
                    }
                }
            }
        }
        // SAFETY: every thread has its own result.
        unsafe { *self.shared.results.add(self.thread) = result };
    }

    /// Logits of one image's features.
    pub(super) fn classify(&self, classifier: Classifier, features: &[f32], logits: &mut [f32]) {
        let weight = &self.pass.parameters[classifier.weight..];
        let rows = weight.chunks_exact(features.len());
        for ((class, logit), row) in logits.iter_mut().enumerate().zip(rows) {
            let bias = self.pass.parameters[classifier.bias + class];
            *logit = bias + row.iter().zip(features).map(|(w, x)| w * x).sum::<f32>();
        }
    }

    /// Loss of one image and whether it is classified correctly; `share` times the loss's gradient is added to the
    /// classifier's parameters and written to `back`, the gradient of the features.
    ///
    /// # Safety
    /// The classifier's parameters are `classes x features` and `classes` of the plan's.
    pub(super) unsafe fn classifier_back(
        &self,
        classifier: Classifier,
        share: f64,
        label: u32,
        features: &[f32],
        logits: &[f32],
        back: &mut [f32],
    ) -> [f64; 2] {
        let label = label as usize;
        let spread = f64::from(self.pass.regularisation.label_smoothing);
        let (certain, even) = (1.0 - spread, spread / logits.len() as f64);
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponential = |logit: f32| f64::from(logit - largest).exp();
        let total: f64 = logits.iter().map(|&l| exponential(l)).sum();
        let all: f64 = logits.iter().map(|&l| f64::from(l - largest)).sum();
        let loss = total.ln() - certain * f64::from(logits[label] - largest) - even * all;
        // The first of equal logits wins, as argmax in PyTorch.
        let correct = logits.iter().position(|&l| l == largest) == Some(label);
        back.fill(0.0);
        for (class, &logit) in logits.iter().enumerate() {
            let target = even + if class == label { certain } else { 0.0 };
            let gradient =
                (share * (exponential(logit) / total - target) / self.batch as f64) as f32;
            let row = &self.pass.parameters[classifier.weight + class * features.len()..];
            for (sum, weight) in back.iter_mut().zip(row) {
                *sum += gradient * weight;
            }
            if self.mode.wanted.weights() {
                // SAFETY: this thread's own gradients, as many as the caller promises.
                unsafe {
                    let row = self.gradient(classifier.weight + class * features.len());
                    for (c, x) in features.iter().enumerate() {
                        *row.add(c) += gradient * x;
                    }
                    *self.gradient(classifier.bias + class) += gradient;
                }
            }
        }
        [loss, f64::from(u8::from(correct))]
    }

    /// Zeros for a gradient nobody wrote.
    ///
    /// # Safety
    /// The place belongs to the plan.
    pub(super) unsafe fn clear(&self, place: Place, size: Size) {
        for image in self.images.clone() {
            // SAFETY: whole images of this thread; only contiguous places are cleared.
            unsafe { self.at(place, image).at.write_bytes(0, size.len()) };
        }
    }
}

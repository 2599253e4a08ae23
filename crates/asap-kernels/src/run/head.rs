//! Global average pool, linear layer, softmax and cross-entropy, forward and back.

use super::Worker;
use crate::plan::{Head, Place, Size};

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
            // SAFETY: chunk 0 holds at least a pixel of the widest tensor, chunk 1 is not needed for more than the
            // classes of one image; logits of an image are its thread's.
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
                let logits = self.shared.outputs.add(image * head.classes);
                let logits = std::slice::from_raw_parts_mut(logits, head.classes);
                let weight = &self.pass.parameters[head.weight..];
                for (class, logit) in logits.iter_mut().enumerate() {
                    let row = &weight[class * channels..(class + 1) * channels];
                    let bias = self.pass.parameters[head.bias + class];
                    *logit = bias + row.iter().zip(&*pooled).map(|(w, x)| w * x).sum::<f32>();
                }
                if self.mode.train {
                    self.head_back(head, image, pooled, logits, &mut result);
                }
            }
        }
        // SAFETY: every thread has its own result.
        unsafe { *self.shared.results.add(self.thread) = result };
    }

    /// # Safety
    /// As [`Self::head`].
    unsafe fn head_back(
        &self,
        head: &Head,
        image: usize,
        pooled: &[f32],
        logits: &[f32],
        result: &mut [f64; 2],
    ) {
        let channels = head.size.channels;
        let label = self.labels[image] as usize;
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponential = |logit: f32| f64::from(logit - largest).exp();
        let total: f64 = logits.iter().map(|&l| exponential(l)).sum();
        result[0] += total.ln() - f64::from(logits[label] - largest);
        // The first of equal logits wins, as argmax in PyTorch.
        if logits.iter().position(|&l| l == largest) == Some(label) {
            result[1] += 1.0;
        }
        // SAFETY: image area 1 holds the widest tensor of an image.
        let back = unsafe { std::slice::from_raw_parts_mut(self.image[1], channels) };
        back.fill(0.0);
        for (class, &logit) in logits.iter().enumerate() {
            let target = if class == label { 1.0 } else { 0.0 };
            let gradient = ((exponential(logit) / total - target) / self.batch as f64) as f32;
            let row = &self.pass.parameters[head.weight + class * channels..][..channels];
            for (sum, weight) in back.iter_mut().zip(row) {
                *sum += gradient * weight;
            }
            if self.mode.wanted.weights() {
                // SAFETY: this thread's own gradients, `classes x channels` and `classes` of them.
                unsafe {
                    let row = self.gradient(head.weight + class * channels);
                    for (c, x) in pooled.iter().enumerate() {
                        *row.add(c) += gradient * x;
                    }
                    *self.gradient(head.bias + class) += gradient;
                }
            }
        }
        let inverse = 1.0 / head.size.pixels() as f32;
        back.iter_mut().for_each(|g| *g *= inverse);
        // SAFETY: the gradient of an image is its thread's.
        unsafe {
            let out = self.at(head.gradient, image);
            for pixel in 0..head.size.pixels() {
                out.at
                    .add(pixel * out.pixel)
                    .copy_from_nonoverlapping(back.as_ptr(), channels);
            }
        }
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

//! Tasks of the auxiliary head, in training only.
//!
//! Its tensors are small and the images of each lie side by side, so that convolutions are products over the pixels of
//! all of a thread's images, some rows at a time.

use super::Worker;
use super::terms::{Terms, Upstream};
use super::tile::Tile;
use crate::plan::{AUXILIARY_POOL, AUXILIARY_ROWS, Auxiliary, AuxiliaryTask, Place, Size, Stage};
use crate::pointwise::PointwiseWeights;

/// What each pixel of a pool's window adds.
const POOL_SHARE: f32 = 1.0 / (AUXILIARY_POOL * AUXILIARY_POOL) as f32;

impl Worker<'_> {
    /// # Safety
    /// Tasks run in the order of the plan; so for every function below.
    pub(super) unsafe fn auxiliary(&self, head: &Auxiliary, task: AuxiliaryTask) {
        if !self.mode.train {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            match task {
                AuxiliaryTask::First => self.auxiliary_first(head),
                AuxiliaryTask::Second => self.auxiliary_second(head),
                AuxiliaryTask::Classifier => self.auxiliary_classifier(head),
                AuxiliaryTask::SecondBack => self.auxiliary_second_back(head),
                AuxiliaryTask::FirstBack => self.auxiliary_first_back(head),
            }
        }
    }

    /// The pixels of this thread's images in groups: first pixel and number.
    fn groups(&self, size: Size) -> impl Iterator<Item = (usize, usize)> + use<> {
        let all = self.images.len() * size.pixels();
        let starts = (0..all).step_by(AUXILIARY_ROWS);
        starts.map(move |start| (start, AUXILIARY_ROWS.min(all - start)))
    }

    /// One of the pixels that [`Self::groups`] counts.
    unsafe fn pixel(&self, place: Place, pixel: usize) -> *mut f32 {
        // SAFETY: this thread has images if it has pixels, and they lie side by side.
        unsafe {
            let first = self.at(place, self.images.start);
            first.at.add(pixel * first.pixel)
        }
    }

    unsafe fn auxiliary_first(&self, head: &Auxiliary) {
        let channels = head.size.channels;
        // SAFETY: image area 0 holds an image of the source; places have the sizes of the plan.
        unsafe {
            let tile = Tile {
                at: self.image[0],
                size: head.size,
                halo: 0,
            };
            for image in self.images.clone() {
                self.load_tile(tile, head.source, image);
                let pooled = self.at(head.pooled, image).at;
                pooled.write_bytes(0, head.pooled_size.len());
                for (out, input) in pool_taps(head) {
                    let from = tile.at.add(input * channels);
                    add(pooled.add(out * channels), from, POOL_SHARE, channels);
                }
            }
            for (start, count) in self.groups(head.first.out) {
                let a = self.pixel(head.pooled, start);
                self.stage(&head.first, a, start, count);
            }
        }
    }

    unsafe fn auxiliary_second(&self, head: &Auxiliary) {
        for (start, count) in self.groups(head.second.out) {
            // SAFETY: chunk 0 holds as many rows.
            unsafe {
                self.gather_squares(head, start, count);
                self.stage(&head.second, self.chunk[0], start, count);
            }
        }
    }

    /// A group of pixels through a convolution.
    unsafe fn stage(&self, stage: &Stage, a: *const f32, start: usize, count: usize) {
        let (kernel, channels) = (self.parameter(stage.kernel), stage.out.channels);
        // SAFETY: `a` holds `count` rows.
        unsafe {
            let y = self.pixel(stage.y, start);
            self.product(a, stage.inputs, kernel, y, channels, count);
            if let Some(norm) = stage.norm {
                self.moments(&self.plan.norms[norm], y, count);
            }
        }
    }

    /// 2x2 pixels of what the second convolution reads, side by side in chunk 0, for a group of its outputs.
    unsafe fn gather_squares(&self, head: &Auxiliary, start: usize, count: usize) {
        let channels = head.first.out.channels;
        for row in 0..count {
            for (tap, from) in squares(head, start + row).into_iter().enumerate() {
                // SAFETY: chunk 0 holds `count` rows of four pixels.
                unsafe {
                    let to = self.chunk[0].add((4 * row + tap) * channels);
                    let from = self.pixel(head.first.y, from);
                    self.normalised(&head.first, from, |c, value| *to.add(c) = value.max(0.0));
                }
            }
        }
    }

    /// Hands out every channel of a pixel after its normalisation.
    unsafe fn normalised(&self, stage: &Stage, y: *const f32, mut take: impl FnMut(usize, f32)) {
        let (a, b) = self.view_coefficients(stage.view());
        for c in 0..stage.out.channels {
            // SAFETY: the pixel and the coefficients have these channels.
            let value = unsafe {
                match a.is_null() {
                    true => *y.add(c),
                    false => *a.add(c) * *y.add(c) + *b.add(c),
                }
            };
            take(c, value);
        }
    }

    unsafe fn auxiliary_classifier(&self, head: &Auxiliary) {
        let (stage, size) = (&head.second, head.second.out);
        let share = f64::from(self.pass.regularisation.auxiliary_weight);
        let inverse = 1.0 / size.pixels() as f32;
        let (classifier, mut loss) = (head.classifier, 0.0);
        for image in self.images.clone() {
            // SAFETY: image areas hold at least this head's channels and its classes.
            unsafe {
                let area = |i: usize, len| std::slice::from_raw_parts_mut(self.image[i], len);
                let (features, back) = (area(0, size.channels), area(1, size.channels));
                let logits = area(2, classifier.classes);
                let (y, g) = (
                    self.at(stage.y, image).at,
                    self.at(stage.gradient, image).at,
                );
                features.fill(0.0);
                for pixel in 0..size.pixels() {
                    let y = y.add(pixel * size.channels);
                    self.normalised(stage, y, |c, v| features[c] += v.max(0.0) * inverse);
                }
                self.classify(classifier, features, logits);
                let label = self.labels[image];
                loss += self.classifier_back(classifier, share, label, features, logits, back)[0];
                for pixel in 0..size.pixels() {
                    let at = pixel * size.channels;
                    self.normalised(stage, y.add(at), |c, value| {
                        let gradient = if value > 0.0 { back[c] * inverse } else { 0.0 };
                        *g.add(at + c) = gradient;
                    });
                }
                self.pair_sums(size, g, y, stage.sums);
            }
        }
        // SAFETY: every thread has its own result, in which the head has left its loss.
        unsafe { (*self.shared.results.add(self.thread))[0] += share * loss };
    }

    unsafe fn auxiliary_second_back(&self, head: &Auxiliary) {
        let (first, second) = (&head.first, &head.second);
        let channels = first.out.channels;
        // SAFETY: places and chunks have the sizes of the plan.
        unsafe {
            for image in self.images.clone() {
                let g = self.at(first.gradient, image).at;
                g.write_bytes(0, first.out.len());
            }
            for (start, count) in self.groups(second.out) {
                if self.mode.wanted.weights() {
                    self.gather_squares(head, start, count);
                }
                self.stage_back(second, self.chunk[0], start, count, self.chunk[2]);
                for row in 0..count {
                    for (tap, to) in squares(head, start + row).into_iter().enumerate() {
                        let from = self.chunk[2].add((4 * row + tap) * channels);
                        add(self.pixel(first.gradient, to), from, 1.0, channels);
                    }
                }
            }
            for image in self.images.clone() {
                let (y, g) = (
                    self.at(first.y, image).at,
                    self.at(first.gradient, image).at,
                );
                for pixel in 0..first.out.pixels() {
                    let at = pixel * channels;
                    self.normalised(first, y.add(at), |c, value| {
                        if value <= 0.0 {
                            *g.add(at + c) = 0.0;
                        }
                    });
                }
                self.pair_sums(first.out, g, y, first.sums);
            }
        }
    }

    unsafe fn auxiliary_first_back(&self, head: &Auxiliary) {
        let channels = head.size.channels;
        // SAFETY: places have the sizes of the plan, image area 1 holds an image of the source.
        unsafe {
            for (start, count) in self.groups(head.first.out) {
                // What was pooled is needed no more: its gradient takes its place.
                let pooled = self.pixel(head.pooled, start);
                self.stage_back(&head.first, pooled, start, count, pooled);
            }
            for image in self.images.clone() {
                self.image[1].write_bytes(0, head.size.len());
                let pooled = self.at(head.pooled, image).at;
                for (out, input) in pool_taps(head) {
                    let to = self.image[1].add(input * channels);
                    add(to, pooled.add(out * channels), POOL_SHARE, channels);
                }
                let out = self.at(head.source_gradient, image);
                self.masked(head.size, head.source, image, out, head.source_gradient_add);
            }
        }
    }

    /// A group of pixels back through a convolution: the gradient of its weights from `a`, and that of `a` into `to`.
    unsafe fn stage_back(
        &self,
        stage: &Stage,
        a: *const f32,
        start: usize,
        count: usize,
        to: *mut f32,
    ) {
        let outputs = stage.out.channels;
        // SAFETY: `a` and `to` hold `count` rows; places and chunks have the sizes of the plan.
        unsafe {
            let g = self.pixel(stage.gradient, start);
            let d = match stage.norm.map(|norm| &self.plan.norms[norm]) {
                None => g,
                Some(norm) => {
                    let mut terms = Terms::new();
                    terms.push(g, outputs, self.vector(norm.a_vector));
                    let upstream = Upstream {
                        terms: &terms,
                        norm,
                        y: self.pixel(stage.y, start),
                    };
                    let line = Size {
                        width: 1,
                        ..stage.out
                    };
                    self.normalised_rows(&upstream, line, 0, count);
                    self.chunk[1]
                }
            };
            if self.mode.wanted.weights() {
                let job = PointwiseWeights {
                    a,
                    d,
                    weights: self.gradient(stage.kernel),
                    pixels: count,
                    inputs: stage.inputs,
                    outputs,
                };
                (self.table(outputs).pointwise_weight_gradient)(&job);
            }
            let kernel = self.transposed(stage.transposed);
            self.product(d, outputs, kernel, to, stage.inputs, count);
        }
    }
}

/// Every output of the pool with every input that it reads, as pixels of an image.
fn pool_taps(head: &Auxiliary) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (width, out, stride) = (head.size.width, head.pooled_size, head.stride);
    let taps = AUXILIARY_POOL * AUXILIARY_POOL;
    (0..out.pixels() * taps).map(move |i| {
        let (pixel, tap) = (i / taps, i % taps);
        let y = pixel / out.width * stride + tap / AUXILIARY_POOL;
        let x = pixel % out.width * stride + tap % AUXILIARY_POOL;
        (pixel, y * width + x)
    })
}

/// The four pixels that an output of the second convolution reads, both counted over images.
fn squares(head: &Auxiliary, out: usize) -> [usize; 4] {
    let (from, to) = (head.first.out, head.second.out);
    let (image, pixel) = (out / to.pixels(), out % to.pixels());
    let corner = image * from.pixels() + pixel / to.width * from.width + pixel % to.width;
    [0, 1, from.width, from.width + 1].map(|step| corner + step)
}

/// `to += scale from`, `len` values each.
///
/// # Safety
/// Both hold as many, and do not overlap.
unsafe fn add(to: *mut f32, from: *const f32, scale: f32, len: usize) {
    // SAFETY: the caller's promise.
    let (to, from) = unsafe {
        (
            std::slice::from_raw_parts_mut(to, len),
            std::slice::from_raw_parts(from, len),
        )
    };
    for (sum, value) in to.iter_mut().zip(from) {
        *sum += scale * value;
    }
}

//! Classifiers: ties, labels that are no class, more classes and channels than a block has threads.

use asap_kernels::device::abi::{ClassifierGradient, Head, Outcome, Step, View};

use super::{Bench, SUMS, blocks, close, numbers, step};

/// Images of the batch; one more than those of the step.
const BATCH: usize = 5;
const IMAGES: usize = BATCH - 1;

struct Case {
    channels: usize,
    classes: usize,
    pixels: usize,
    auxiliary: bool,
    labels: [u32; BATCH],
}

struct Found {
    features: Vec<f32>,
    logits: Vec<f32>,
    logit_gradients: Vec<f32>,
    results: Vec<f64>,
    gradient: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    outcome: Vec<f64>,
}

impl Case {
    fn source(&self) -> Vec<f32> {
        numbers(BATCH * self.pixels * self.channels, 40)
    }

    fn coefficients(&self) -> [Vec<f32>; 2] {
        [41, 42].map(|seed| {
            numbers(self.channels, seed)
                .iter()
                .map(|v| v * 0.25)
                .collect()
        })
    }

    fn weight(&self) -> Vec<f32> {
        let weight = numbers(self.classes * self.channels, 43);
        weight
            .iter()
            .map(|v| v * 0.1 / (self.channels as f32).sqrt())
            .collect()
    }

    fn bias(&self) -> Vec<f32> {
        numbers(self.classes, 44).iter().map(|v| v * 0.1).collect()
    }

    fn run(&self, weight: &[f32], bias: &[f32], settings: Step) -> Found {
        let mut bench = Bench::new(45);
        let (channels, classes) = (self.channels, self.classes);
        let [a, b] = self.coefficients().map(|v| bench.put(&v));
        let y = bench.tensor(&self.source(), self.pixels, channels);
        let gradient = bench.tensor(
            &vec![-99.0; BATCH * self.pixels * channels],
            self.pixels,
            channels,
        );
        let job = Head {
            source: View { y, a, b },
            weight: bench.put(weight),
            bias: bench.put(bias),
            labels: bench.put(&self.labels),
            features: bench.put(&vec![-99.0_f32; BATCH * channels]),
            logits: bench.put(&vec![-99.0_f32; BATCH * classes]),
            logit_gradients: bench.put(&vec![-99.0_f32; BATCH * classes]),
            results: bench.put(&[-99.0; 2 * BATCH]),
            gradient,
            pixels: self.pixels as u32,
            channels: channels as u32,
            classes: classes as u32,
            auxiliary: u32::from(self.auxiliary),
        };
        bench.run("head", [BATCH, 1], SUMS, &[job], settings);
        let classifier = ClassifierGradient {
            features: job.features,
            logit_gradients: job.logit_gradients,
            weight: bench.put(&vec![-99.0_f32; classes * channels]),
            bias: bench.put(&vec![-99.0_f32; classes]),
            channels: channels as u32,
            classes: classes as u32,
        };
        bench.run(
            "classifier_gradient",
            blocks(classes * channels),
            0,
            &[classifier],
            settings,
        );
        let outcome = Outcome {
            results: job.results,
            auxiliary: job.results,
            outcome: bench.put(&[-99.0; 3]),
        };
        bench.run("outcome", [1, 1], SUMS, &[outcome], settings);
        Found {
            features: bench.read(job.features, BATCH * channels),
            logits: bench.read(job.logits, BATCH * classes),
            logit_gradients: bench.read(job.logit_gradients, BATCH * classes),
            results: bench.read_f64(job.results, 2 * BATCH),
            gradient: bench.read(gradient.at, BATCH * self.pixels * channels),
            weight: bench.read(classifier.weight, classes * channels),
            bias: bench.read(classifier.bias, classes),
            outcome: bench.read_f64(outcome.outcome, 2),
        }
    }

    /// What is averaged: source, through coefficients and for the auxiliary head a ReLU.
    fn read(&self) -> Vec<f64> {
        let [a, b] = self.coefficients();
        let value = |(i, y): (usize, &f32)| {
            let value = a[i % self.channels] * y + b[i % self.channels];
            f64::from(if self.auxiliary {
                value.max(0.0)
            } else {
                value
            })
        };
        self.source().iter().enumerate().map(value).collect()
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

#[test]
fn loss_and_gradients_are_those_of_the_formulas() {
    for (channels, classes, pixels, auxiliary) in [
        (8, 3, 7, false),
        (24, 10, 4, true),
        (1032, 2, 1, false),
        (16, 300, 49, false),
    ] {
        let labels = [0, 1, classes as u32 - 1, 1, 0];
        let case = Case {
            channels,
            classes,
            pixels,
            auxiliary,
            labels,
        };
        let (weight, bias) = (case.weight(), case.bias());
        let settings = Step {
            label_smoothing: 0.1,
            auxiliary_weight: 0.4,
            ..step(IMAGES)
        };
        let found = case.run(&weight, &bias, settings);
        let share = if auxiliary { f64::from(0.4_f32) } else { 1.0 };
        let spread = f64::from(0.1_f32);
        let read = case.read();
        let (mut results, mut weight_gradient) = (Vec::new(), vec![0.0; classes * channels]);
        let (mut bias_gradient, mut gradient) = (vec![0.0; classes], Vec::new());
        let weight: Vec<f64> = weight.into_iter().map(f64::from).collect();
        for image in 0..IMAGES {
            let of_image = &read[image * pixels * channels..][..pixels * channels];
            let mean =
                |c: usize| of_image.iter().skip(c).step_by(channels).sum::<f64>() / pixels as f64;
            let features: Vec<f64> = (0..channels).map(mean).collect();
            let row = |class: usize| &weight[class * channels..][..channels];
            let dot = |class| {
                row(class)
                    .iter()
                    .zip(&features)
                    .map(|(w, x)| w * x)
                    .sum::<f64>()
            };
            let logits: Vec<f64> = (0..classes)
                .map(|class| f64::from(bias[class]) + dot(class))
                .collect();
            close(
                &found.features[image * channels..][..channels],
                &narrow(&features),
                1e-5,
            );
            close(
                &found.logits[image * classes..][..classes],
                &narrow(&logits),
                1e-5,
            );
            let total = logits.iter().map(|l| l.exp()).sum::<f64>();
            let target = |class: usize| {
                let certain = if class == labels[image] as usize {
                    1.0 - spread
                } else {
                    0.0
                };
                certain + spread / classes as f64
            };
            let loss: f64 = (0..classes)
                .map(|class| target(class) * (total.ln() - logits[class]))
                .sum();
            let largest = logits.iter().copied().fold(f64::MIN, f64::max);
            let correct = !auxiliary && logits[labels[image] as usize] == largest;
            results.extend([share * loss, f64::from(u8::from(correct))]);
            let back: Vec<f64> = (0..classes)
                .map(|class| share * (logits[class].exp() / total - target(class)) / IMAGES as f64)
                .collect();
            let mut of_features = vec![0.0; channels];
            for (class, g) in back.iter().enumerate() {
                bias_gradient[class] += g;
                for c in 0..channels {
                    weight_gradient[class * channels + c] += g * features[c];
                    of_features[c] += g * row(class)[c] / pixels as f64;
                }
            }
            let through = |(i, v): (usize, &f64)| {
                if *v > 0.0 || !auxiliary {
                    of_features[i % channels]
                } else {
                    0.0
                }
            };
            gradient.extend(of_image.iter().enumerate().map(through));
        }
        let (loss, correct) = results
            .chunks(2)
            .fold((0.0, 0.0), |sums, r| (sums.0 + r[0], sums.1 + r[1]));
        // The results stand for both heads here.
        close(
            &narrow(&found.outcome),
            &narrow(&[2.0 * loss / IMAGES as f64, correct]),
            1e-5,
        );
        results.extend([0.0, 0.0]);
        close(&narrow(&found.results), &narrow(&results), 1e-5);
        close(&found.weight, &narrow(&weight_gradient), 1e-5);
        close(&found.bias, &narrow(&bias_gradient), 1e-5);
        let (written, beyond) = found.gradient.split_at(IMAGES * pixels * channels);
        close(written, &narrow(&gradient), 1e-6);
        assert!(beyond.iter().all(|v| *v == -99.0));
    }
}

/// Two channels of weights that are 0, and these biases: what every image's logits are.
fn with_logits(bias: &[f32], labels: [u32; BATCH], settings: Step) -> Found {
    let case = Case {
        channels: 8,
        classes: bias.len(),
        pixels: 2,
        auxiliary: false,
        labels,
    };
    case.run(&vec![0.0; 8 * bias.len()], bias, settings)
}

#[test]
fn the_first_of_equal_logits_wins() {
    let found = with_logits(&[1.0, 3.0, 3.0], [0, 1, 2, 1, 1], step(IMAGES));
    let correct: Vec<f64> = found.results.into_iter().skip(1).step_by(2).collect();
    assert_eq!(correct, [0.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(found.outcome[1], 2.0);
}

#[test]
fn a_label_that_is_no_class_has_no_finite_loss() {
    for label in [3, u32::MAX] {
        let found = with_logits(&[1.0, 3.0, 2.0], [0, label, 2, 1, 1], step(IMAGES));
        let finite: Vec<bool> = found.results.chunks(2).map(|r| r[0].is_finite()).collect();
        assert_eq!(finite, [true, false, true, true, true], "label {label}");
        assert_eq!(found.results[3], 0.0);
        assert!(!found.outcome[0].is_finite());
    }
}

#[test]
fn outside_of_training_there_are_logits_and_nothing_else() {
    let settings = Step {
        train: 0,
        want_weights: 0,
        ..step(IMAGES)
    };
    let found = with_logits(&[1.0, 3.0, 2.0], [0, 1, 2, 3, 4], settings);
    assert_eq!(
        found.logits,
        [[1.0, 3.0, 2.0].repeat(IMAGES), vec![-99.0; 3]].concat()
    );
    assert_eq!(found.results, [0.0; 2 * BATCH]);
    for untouched in [
        found.logit_gradients,
        found.gradient,
        found.weight,
        found.bias,
    ] {
        assert!(untouched.iter().all(|v| *v == -99.0));
    }
}

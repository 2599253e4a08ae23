//! How well a network classifies: accuracy, by class, which classes it mistakes for which, and whether it knows when it
//! is right.

mod calibration;
mod classes;
mod probabilities;
mod views;

use std::sync::Arc;
use std::time::Instant;

use asap_data::{BatchConfig, Batches, Dataset, Normalisation, Pass};
use asap_genotype::OpWeights;
use asap_space::Network;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use calibration::Calibration;
use probabilities::{argmax, cross_entropy, rank};

pub use classes::ClassResult;
pub use views::Views;

/// A label counts as found when it is among so many of the likeliest classes.
const TOP: usize = 5;

/// What a network makes of a set of images, in eval mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How many images there are.
    pub images: usize,
    /// How each of them was shown to the network.
    pub views: Views,
    /// Share of them that were classified rightly, 0 to 1. Ties go to the class with the lower label.
    pub accuracy: f64,
    /// Share of them whose class is among the five likeliest, 0 to 1.
    pub top5: f64,
    /// Mean cross-entropy.
    pub loss: f64,
    /// Expected calibration error over 15 bins, 0 to 1: by how much the probability that the network gives to its answer
    /// differs from the share of right answers.
    pub calibration_error: f64,
    /// The same by class, in the order of the labels.
    pub classes: Vec<ClassResult>,
    /// How often an image of class `row` was taken for class `column`.
    pub confusion: Vec<Vec<usize>>,
    /// Images that were classified in a second, with what it takes to prepare their batches.
    pub images_per_second: f64,
}

/// Images to evaluate on: some of a data set, as the network was trained to see them.
#[derive(Clone, Debug)]
pub struct EvaluationImages {
    /// The data set.
    pub dataset: Arc<Dataset>,
    /// Which of its images.
    pub indices: Arc<[u32]>,
    /// Mean and deviation that the training images were normalised with.
    pub normalisation: Normalisation,
}

impl EvaluationImages {
    /// All images of `dataset`.
    pub fn all(dataset: Arc<Dataset>, normalisation: Normalisation) -> Self {
        let indices = (0..dataset.len() as u32).collect();
        Self {
            dataset,
            indices,
            normalisation,
        }
    }
}

/// What `network` with `op_weights` makes of `images`.
///
/// # Errors
/// The images do not fit the network.
pub fn evaluate(
    network: &mut Network,
    op_weights: &OpWeights,
    images: &EvaluationImages,
    views: Views,
) -> Result<Evaluation> {
    let start = Instant::now();
    let classes = network.config().classes;
    let mut confusion = vec![vec![0_usize; classes]; classes];
    let mut calibration = Calibration::default();
    let (mut loss, mut in_top) = (0.0, 0);
    for_each_batch(network, op_weights, images, views, |logits, labels| {
        for (logits, &label) in logits.chunks_exact(classes).zip(labels) {
            let label = label as usize;
            let answer = argmax(logits);
            loss += cross_entropy(logits, label);
            in_top += usize::from(rank(logits, label) < TOP);
            let confidence = (-cross_entropy(logits, answer)).exp();
            calibration.add(confidence, answer == label);
            confusion[label][answer] += 1;
        }
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let count = images.indices.len();
    let correct: usize = (0..classes).map(|class| confusion[class][class]).sum();
    let share = |part: usize| part as f64 / count.max(1) as f64;
    Ok(Evaluation {
        images: count,
        views,
        accuracy: share(correct),
        top5: share(in_top),
        loss: loss / count.max(1) as f64,
        calibration_error: calibration.expected_error(),
        classes: classes::by_class(&confusion, images.dataset.classes()),
        confusion,
        images_per_second: count as f64 / seconds.max(f64::MIN_POSITIVE),
    })
}

/// The logits of `images`, `[N, classes]` row by row, and their labels.
pub(crate) fn logits(
    network: &mut Network,
    op_weights: &OpWeights,
    images: &EvaluationImages,
) -> Result<(Vec<f32>, Vec<u32>)> {
    let (mut all_logits, mut all_labels) = (Vec::new(), Vec::new());
    for_each_batch(
        network,
        op_weights,
        images,
        Views::Plain,
        |logits, labels| {
            all_logits.extend_from_slice(logits);
            all_labels.extend_from_slice(labels);
        },
    )?;
    Ok((all_logits, all_labels))
}

/// Share of the rows of `logits` whose largest entry is that of the label.
pub(crate) fn accuracy(logits: &[f32], labels: &[u32]) -> f64 {
    let classes = logits.len() / labels.len().max(1);
    let rows = logits.chunks_exact(classes.max(1)).zip(labels);
    let correct = rows
        .filter(|(logits, label)| argmax(logits) == **label as usize)
        .count();
    correct as f64 / labels.len().max(1) as f64
}

fn for_each_batch(
    network: &mut Network,
    op_weights: &OpWeights,
    images: &EvaluationImages,
    views: Views,
    mut look: impl FnMut(&[f32], &[u32]),
) -> Result<()> {
    let config = BatchConfig {
        batch: network.execution().batch,
        normalisation: images.normalisation.clone(),
        pass: Pass::Evaluation,
    };
    let batches = Batches::new(
        Arc::clone(&images.dataset),
        Arc::clone(&images.indices),
        &config,
    )?;
    for batch in batches.epoch(0, 0) {
        let mut batch = batch?;
        let logits = views.logits(network, op_weights, &mut batch.pixels)?;
        look(&logits, &batch.labels);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_counts_rows_whose_label_leads() {
        assert_eq!(
            accuracy(&[0.1, 0.9, 0.8, 0.2, 0.3, 0.7], &[1, 1, 1]),
            2.0 / 3.0
        );
        assert_eq!(accuracy(&[], &[]), 0.0);
    }
}

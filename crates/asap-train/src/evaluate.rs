//! How well a network classifies: accuracy, by class, and which classes it mistakes for which.

use std::sync::Arc;
use std::time::Instant;

use asap_data::{BatchConfig, Batches, Dataset, Normalisation, Pass};
use asap_genotype::OpWeights;
use asap_space::Network;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The images of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassResult {
    /// Name of the class.
    pub name: String,
    /// How many images belong to it.
    pub images: usize,
    /// Share of them that were classified rightly, 0 to 1; 0 when there are none.
    pub accuracy: f64,
}

/// What a network makes of a set of images, in eval mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How many images there are.
    pub images: usize,
    /// Share of them that were classified rightly, 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy.
    pub loss: f64,
    /// The same by class, in the order of the labels.
    pub classes: Vec<ClassResult>,
    /// How often an image of class `row` was taken for class `column`.
    pub confusion: Vec<Vec<usize>>,
    /// Images that went through the network in a second.
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

/// What `network` with `op_weights` makes of `images`. Ties go to the class with the lower label.
///
/// # Errors
/// The images do not fit the network.
pub fn evaluate(
    network: &mut Network,
    op_weights: &OpWeights,
    images: &EvaluationImages,
) -> Result<Evaluation> {
    let start = Instant::now();
    let classes = network.config().classes;
    let mut confusion = vec![vec![0_usize; classes]; classes];
    let mut loss = 0.0;
    for_each_batch(network, op_weights, images, |logits, labels| {
        for (logits, &label) in logits.chunks_exact(classes).zip(labels) {
            loss += cross_entropy(logits, label as usize);
            confusion[label as usize][argmax(logits)] += 1;
        }
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let count = images.indices.len();
    let correct: usize = (0..classes).map(|class| confusion[class][class]).sum();
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let names = images.dataset.classes();
    let classes = confusion
        .iter()
        .zip(names)
        .enumerate()
        .map(|(class, (row, name))| {
            let images = row.iter().sum();
            ClassResult {
                name: name.clone(),
                images,
                accuracy: share(row[class], images),
            }
        });
    Ok(Evaluation {
        images: count,
        accuracy: share(correct, count),
        loss: loss / count.max(1) as f64,
        classes: classes.collect(),
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
    for_each_batch(network, op_weights, images, |logits, labels| {
        all_logits.extend_from_slice(logits);
        all_labels.extend_from_slice(labels);
    })?;
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
        let logits = network.logits(&batch.pixels, op_weights)?;
        look(&logits, &batch.labels);
    }
    Ok(())
}

/// Index of the largest value, the first one of equals.
fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// `log(sum of exp(logits)) - logits[label]`, in f64 and without overflow.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let largest = f64::from(logits[argmax(logits)]);
    let sum: f64 = logits
        .iter()
        .map(|&logit| (f64::from(logit) - largest).exp())
        .sum();
    sum.ln() + largest - f64::from(logits[label])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_wins() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(argmax(&[0.0]), 0);
    }

    /// From PyTorch 2.15: `cross_entropy(tensor([[1., 2., 3.]]), tensor([0]))`.
    #[test]
    fn the_cross_entropy_is_that_of_pytorch() {
        assert!((cross_entropy(&[1.0, 2.0, 3.0], 0) - 2.407_605_964_444_38).abs() < 1e-12);
        assert!(cross_entropy(&[1e5, 0.0], 1).is_finite());
    }

    #[test]
    fn accuracy_counts_rows_whose_label_leads() {
        assert_eq!(
            accuracy(&[0.1, 0.9, 0.8, 0.2, 0.3, 0.7], &[1, 1, 1]),
            2.0 / 3.0
        );
        assert_eq!(accuracy(&[], &[]), 0.0);
    }
}

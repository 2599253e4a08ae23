//! The promise of annealing, checked in every run: what the search ends with is the network it trained.
//!
//! *Discretisation gap*: the supernet just before any forced decision against the search form of the
//! found network. It is within rounding when nothing was forced, and tells what forcing cost otherwise.
//! *Derivation difference*: the supernet after all decisions against the search form, which is built
//! anew from the genotype with the supernet's weights. It is always within rounding.

use asap_anneal::{Annealer, Moment};
use asap_genotype::{Genotype, OpWeights, Topology};
use asap_space::Network;

use crate::error::Result;
use crate::evaluate::{Evaluation, EvaluationImages, Views, accuracy, evaluate, logits};

/// What a search is judged by.
pub(crate) struct SearchImages {
    /// The images of the accuracy after every epoch.
    pub(crate) validation: EvaluationImages,
    /// Those of them on which networks are compared.
    pub(crate) compared: EvaluationImages,
}

/// What the end of a search comes to.
pub(crate) struct Decision {
    pub(crate) genotype: Genotype,
    /// Largest absolute difference of a logit between the undecided supernet and the search form.
    pub(crate) discretisation_gap: f64,
    /// Accuracy of the search form less that of the undecided supernet.
    pub(crate) discretisation_accuracy_change: f64,
    /// Largest absolute difference of a logit between the decided supernet and the search form.
    pub(crate) derivation_difference: f64,
    pub(crate) compared_images: usize,
    /// The search form on all validation images.
    pub(crate) validation: Evaluation,
}

/// Forces what `annealer` has left open, and compares `supernet` before and after with the search form.
pub(crate) fn decide(
    mut supernet: Network,
    annealer: &mut Annealer,
    at: Moment,
    temperature: f64,
    images: &SearchImages,
) -> Result<Decision> {
    let SearchImages {
        validation,
        compared,
    } = images;
    let undecided = Answers::of(&mut supernet, &annealer.op_weights(temperature), compared)?;
    annealer.force(at, temperature);
    let genotype = annealer.genotype()?;
    let topology = Topology::from_genotype(&genotype);
    let mut search_form = supernet.derive(&topology)?;
    let ones = OpWeights::ones(&topology);
    let found = Answers::of(&mut search_form, &ones, compared)?;
    supernet.prune(annealer.topology().clone())?;
    let decided = Answers::of(&mut supernet, &annealer.op_weights(temperature), compared)?;
    Ok(Decision {
        genotype,
        discretisation_gap: undecided.largest_difference(&found),
        discretisation_accuracy_change: found.accuracy() - undecided.accuracy(),
        derivation_difference: decided.largest_difference(&found),
        compared_images: found.labels.len(),
        validation: evaluate(&mut search_form, &ones, validation, Views::Plain)?,
    })
}

/// What a network makes of the compared images.
struct Answers {
    logits: Vec<f32>,
    labels: Vec<u32>,
}

impl Answers {
    /// The answers of `network`, in eval mode.
    fn of(
        network: &mut Network,
        op_weights: &OpWeights,
        images: &EvaluationImages,
    ) -> Result<Self> {
        let (logits, labels) = logits(network, op_weights, images)?;
        Ok(Self { logits, labels })
    }

    /// Largest absolute difference of a logit; not a number if one of them is none.
    fn largest_difference(&self, other: &Self) -> f64 {
        let differences = self
            .logits
            .iter()
            .zip(&other.logits)
            .map(|(a, b)| f64::from(*a) - f64::from(*b));
        differences.fold(0.0, |largest, difference| {
            // `f64::max` would pass over what is no number.
            if difference.abs() > largest || difference.is_nan() {
                difference.abs()
            } else {
                largest
            }
        })
    }

    /// Share of the images that are classified rightly.
    fn accuracy(&self) -> f64 {
        accuracy(&self.logits, &self.labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(logits: &[f32]) -> Answers {
        Answers {
            logits: logits.to_vec(),
            labels: vec![0; logits.len() / 2],
        }
    }

    #[test]
    fn the_largest_difference_counts_in_either_direction() {
        let (one, other) = (
            answers(&[1.0, 2.0, 3.0, 4.0]),
            answers(&[1.0, 2.5, 0.0, 4.0]),
        );
        assert_eq!(one.largest_difference(&other), 3.0);
        assert_eq!(other.largest_difference(&one), 3.0);
        assert_eq!(one.largest_difference(&one), 0.0);
    }

    #[test]
    fn what_is_no_number_is_not_passed_over() {
        let (one, other) = (answers(&[f32::NAN, 1.0]), answers(&[1.0, 1.0]));
        assert!(one.largest_difference(&other).is_nan());
    }
}

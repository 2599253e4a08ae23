//! The images of a run, divided: held out, for the weights, for the alphas, for the final training.

use std::sync::Arc;

use asap_data::{
    Augmentation, BatchConfig, Batches, Dataset, Normalisation, Part, Pass, Split, SplitConfig,
    stratified_subset,
};

use asap_space::Network;

use crate::config::{AugmentationConfig, RunConfig};
use crate::error::Result;
use crate::evaluate::EvaluationImages;
use crate::image_shape::ImageShape;
use crate::image_stream::ImageStream;
use crate::learner::Plan;
use crate::progress::Phase;
use crate::seed::{Stream, seed_of};

/// Where a run gets its images: a configuration's files, or anything a caller has.
pub trait ImageSource {
    /// The images of one part. A run asks for [`Part::Test`] once, after training.
    ///
    /// # Errors
    /// They cannot be read.
    fn load(&self, part: Part) -> Result<Dataset>;
}

/// Images of the alphas that stand in for a validation set when nothing is held out: enough for a figure
/// per epoch, and a fraction of what DARTS goes through for it.
const STAND_IN_IMAGES: usize = 2560;
/// Validation images on which the supernet and the found network are compared (ours).
const COMPARED_IMAGES: usize = 256;

/// At most this share of the images, as one part in so many, is held out: a small folder keeps most of
/// its images for training whatever the preset says.
const LARGEST_HELD_OUT: usize = 5;

/// The training images of a run.
pub(crate) struct RunData {
    pub(crate) dataset: Arc<Dataset>,
    pub(crate) shape: ImageShape,
    pub(crate) normalisation: Normalisation,
    held_out: Option<Arc<[u32]>>,
    validation: Arc<[u32]>,
    compared: Arc<[u32]>,
    weights: Arc<[u32]>,
    alphas: Arc<[u32]>,
    training: Arc<[u32]>,
}

impl RunData {
    /// Divides `dataset` as `config` says; every class is in every part by its share.
    pub(crate) fn new(config: &RunConfig, dataset: Dataset) -> Result<Self> {
        let all: Vec<u32> = (0..dataset.len() as u32).collect();
        let held_out = match held_out_images(config, &dataset) {
            0 => Vec::new(),
            count => {
                let seed = seed_of(config.seed, Stream::Validation);
                stratified_subset(&dataset, &all, count, seed)?
            }
        };
        let rest: Vec<u32> = all
            .into_iter()
            .filter(|index| held_out.binary_search(index).is_err())
            .collect();
        let halves = SplitConfig {
            first_share: 0.5,
            first_limit: None,
            second_limit: None,
            seed: seed_of(config.seed, Stream::Halves),
        };
        let split = Split::stratified(&dataset, &rest, &halves)?;
        // Every class is in every part: images of a folder are in the order of their classes, so the
        // first ones would not do.
        let part = |indices: &[u32], count: usize| {
            let count = count.max(dataset.classes().len());
            stratified_subset(
                &dataset,
                indices,
                count,
                seed_of(config.seed, Stream::Compared),
            )
        };
        let validation = match held_out.is_empty() {
            true => part(&split.second, STAND_IN_IMAGES)?,
            false => held_out.clone(),
        };
        let compared = part(&validation, COMPARED_IMAGES)?;
        Ok(Self {
            shape: ImageShape::of(&dataset),
            normalisation: Normalisation::of(&dataset, &rest)?,
            dataset: Arc::new(dataset),
            held_out: (!held_out.is_empty()).then(|| held_out.into()),
            validation: validation.into(),
            compared: compared.into(),
            weights: split.first.into(),
            alphas: split.second.into(),
            training: rest.into(),
        })
    }

    /// How many images the final training uses.
    pub(crate) fn training_images(&self) -> usize {
        self.training.len()
    }

    /// What the search is validated on: the images held out or, if there are none, some of the alphas'.
    pub(crate) fn validation(&self) -> EvaluationImages {
        self.evaluation(&self.validation)
    }

    /// The validation images on which networks are compared.
    pub(crate) fn compared(&self) -> EvaluationImages {
        self.evaluation(&self.compared)
    }

    /// The images held out, if there are any.
    pub(crate) fn held_out(&self) -> Option<EvaluationImages> {
        self.held_out
            .as_ref()
            .map(|indices| self.evaluation(indices))
    }

    fn evaluation(&self, indices: &Arc<[u32]>) -> EvaluationImages {
        EvaluationImages {
            dataset: Arc::clone(&self.dataset),
            indices: Arc::clone(indices),
            normalisation: self.normalisation.clone(),
        }
    }

    /// What trains the weights of the supernet and what trains the alphas, after so many steps of either.
    pub(crate) fn search_images(
        &self,
        config: &RunConfig,
        network: &mut Network,
        weight_steps: usize,
        alpha_steps: usize,
    ) -> Result<(ImageStream, ImageStream)> {
        let weights = self.search_batches(&self.weights, config, Stream::SearchWeights)?;
        let weights = ImageStream::new(network, weights, weight_steps, None)?;
        let alphas = self.search_batches(&self.alphas, config, Stream::SearchAlphas)?;
        let alphas = ImageStream::new(network, alphas, alpha_steps, Some(&weights))?;
        Ok((weights, alphas))
    }

    fn search_batches(
        &self,
        indices: &Arc<[u32]>,
        config: &RunConfig,
        stream: Stream,
    ) -> Result<Batches> {
        let seed = seed_of(config.seed, stream);
        self.batches(
            indices,
            config.search.batch,
            config.search.augmentation,
            seed,
        )
    }

    /// What trains the found network, after so many steps.
    pub(crate) fn train_images(
        &self,
        config: &RunConfig,
        network: &mut Network,
        steps: usize,
    ) -> Result<ImageStream> {
        let seed = seed_of(config.seed, Stream::Training);
        let train = &config.train;
        let batches = self.batches(&self.training, train.batch, train.augmentation, seed)?;
        ImageStream::new(network, batches, steps, None)
    }

    fn batches(
        &self,
        indices: &Arc<[u32]>,
        batch: usize,
        augmentation: AugmentationConfig,
        seed: u64,
    ) -> Result<Batches> {
        let augmentation = Augmentation::from(augmentation);
        let config = BatchConfig {
            batch,
            normalisation: self.normalisation.clone(),
            pass: Pass::Training { seed, augmentation },
        };
        Ok(Batches::new(
            Arc::clone(&self.dataset),
            Arc::clone(indices),
            &config,
        )?)
    }

    /// How long the search may take, in steps.
    pub(crate) fn search_plan(&self, config: &RunConfig) -> Plan {
        let search = &config.search;
        Plan {
            phase: Phase::Search,
            epochs: search.epochs,
            steps: steps(search.steps_per_epoch, self.weights.len(), search.batch),
            learning_rate: search.learning_rate.into(),
        }
    }

    /// How long the training takes, in steps.
    pub(crate) fn train_plan(&self, config: &RunConfig) -> Plan {
        let train = &config.train;
        Plan {
            phase: Phase::Train,
            epochs: train.epochs,
            steps: steps(train.steps_per_epoch, self.training.len(), train.batch),
            learning_rate: train.learning_rate,
        }
    }
}

/// How many of the training images `dataset` are held out.
pub(crate) fn held_out_images(config: &RunConfig, dataset: &Dataset) -> usize {
    // One of each class at least, or it is no sample of them.
    let largest = (dataset.len() / LARGEST_HELD_OUT).max(dataset.classes().len());
    config.data.validation_images.min(largest)
}

/// How many images the search is validated on after every epoch.
pub(crate) fn validated_images(held_out: usize, half: usize) -> usize {
    if held_out > 0 {
        held_out
    } else {
        half.min(STAND_IN_IMAGES)
    }
}

/// Steps of an epoch: as many as are asked for or, for 0, one pass over the images.
pub(crate) fn steps(asked: usize, images: usize, batch: usize) -> usize {
    match asked {
        0 => (images / batch).max(1),
        asked => asked,
    }
}

impl From<AugmentationConfig> for Augmentation {
    fn from(config: AugmentationConfig) -> Self {
        let AugmentationConfig {
            crop_padding,
            flip,
            cutout,
            resized_crop,
            auto_augment,
            colour_jitter,
        } = config;
        Self {
            crop_padding,
            flip,
            cutout: (cutout > 0).then_some(cutout),
            resized_crop: (resized_crop != 0.0).then_some(resized_crop),
            auto_augment,
            colour_jitter,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::presets::Preset;
    use asap_data::DatasetParts;
    use std::collections::BTreeSet;

    /// In the order of the classes, as the images of a folder are.
    fn dataset(per_class: usize, classes: usize) -> Dataset {
        Dataset::new(DatasetParts {
            name: "blank".to_owned(),
            height: 4,
            width: 4,
            channels: 1,
            classes: (0..classes).map(|class| class.to_string()).collect(),
            images: vec![7; per_class * classes * 16],
            labels: (0..per_class * classes)
                .map(|index| (index / per_class) as u32)
                .collect(),
        })
        .unwrap()
    }

    fn labels(images: &EvaluationImages) -> BTreeSet<u32> {
        images
            .indices
            .iter()
            .map(|&index| images.dataset.labels()[index as usize])
            .collect()
    }

    #[test]
    fn no_image_is_in_two_parts_and_every_class_is_in_all() {
        let mut config = Preset::Quick.config();
        config.data.validation_images = 300;
        let data = RunData::new(&config, dataset(500, 4)).unwrap();
        let held_out = data.held_out().unwrap();
        let parts = [&held_out.indices, &data.weights, &data.alphas];
        assert_eq!(parts.map(|part| part.len()), [300, 850, 850]);
        let all: BTreeSet<u32> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        assert_eq!(all.len(), 2000);
        assert_eq!(data.training_images(), 1700);
        assert!(
            data.training
                .iter()
                .all(|index| !held_out.indices.contains(index))
        );
        assert_eq!(data.validation().indices, held_out.indices);
        assert_eq!(
            (
                data.compared().indices.len(),
                labels(&data.compared()).len()
            ),
            (256, 4)
        );
    }

    #[test]
    fn without_images_held_out_those_of_the_alphas_stand_in() {
        let mut config = Preset::Quick.config();
        config.data.validation_images = 0;
        let data = RunData::new(&config, dataset(1500, 4)).unwrap();
        assert!(data.held_out().is_none());
        let validation = data.validation();
        assert_eq!(
            (validation.indices.len(), labels(&validation).len()),
            (2560, 4)
        );
        assert!(
            validation
                .indices
                .iter()
                .all(|index| data.alphas.contains(index))
        );
    }

    #[test]
    fn a_small_folder_keeps_most_of_its_images_for_training() {
        let config = Preset::Quick.config();
        let data = RunData::new(&config, dataset(10, 3)).unwrap();
        assert_eq!(data.held_out().unwrap().indices.len(), 6);
        assert_eq!(data.training_images(), 24);
        assert_eq!(
            data.search_plan(&config).steps,
            config.search.steps_per_epoch
        );
    }

    #[test]
    fn an_epoch_without_a_number_of_steps_is_one_pass() {
        assert_eq!(
            (steps(0, 100, 32), steps(0, 5, 32), steps(7, 100, 32)),
            (3, 1, 7)
        );
    }
}

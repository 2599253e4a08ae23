//! `network.safetensors`: a trained network with all that is needed to use it.

use std::path::Path;
use std::sync::Arc;

use asap_data::{Dataset, Normalisation};
use asap_genotype::{Genotype, OpWeights, Topology};
use asap_space::{Execution, Form, Network, NetworkConfig, StemForm};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, EvaluationImages, Views, evaluate};
use crate::image_shape::ImageShape;
use crate::tensor_file;

const FORMAT: &str = "asap-network";
const VERSION: u32 = 1;

/// A trained network in its final form, and the images it was made for.
pub struct SavedNetwork {
    /// The network.
    pub network: Network,
    /// What its cells are.
    pub genotype: Genotype,
    /// Names of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// Mean and deviation that its images are normalised with.
    pub normalisation: Normalisation,
}

#[derive(Serialize, Deserialize)]
struct Description {
    format: String,
    version: u32,
    channels: usize,
    cells: usize,
    image_channels: usize,
    height: usize,
    width: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    stem: StemForm,
    #[serde(default, skip_serializing_if = "is_default")]
    auxiliary: bool,
    classes: Vec<String>,
    normalisation: Normalisation,
    genotype: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl SavedNetwork {
    /// The network in the file at `path`, to compute as `execution` says.
    ///
    /// # Errors
    /// The file cannot be read, or holds no network of this version.
    pub fn load(path: &Path, execution: Execution) -> Result<Self> {
        let (description, tensors): (Description, _) = tensor_file::read(path)?;
        let Description {
            format, version, ..
        } = &description;
        if format != FORMAT || *version != VERSION {
            let message =
                format!("is {format} version {version}, expected {FORMAT} version {VERSION}");
            return Err(Error::malformed(path, message));
        }
        let genotype = Genotype::from_json(&description.genotype)?;
        let config = NetworkConfig {
            channels: description.channels,
            cells: description.cells,
            classes: description.classes.len(),
            image_channels: description.image_channels,
            height: description.height,
            width: description.width,
            form: Form::Final,
            stem: description.stem,
            auxiliary: description.auxiliary,
        };
        let topology = Topology::from_genotype(&genotype);
        let mut network = Network::new(config, topology, execution, 0)?;
        network.load_tensors(&tensors)?;
        let Description {
            classes,
            normalisation,
            ..
        } = description;
        Ok(Self {
            network,
            genotype,
            classes,
            normalisation,
        })
    }

    /// Writes the network to `path`, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let config = self.network.config();
        let description = Description {
            format: FORMAT.to_owned(),
            version: VERSION,
            channels: config.channels,
            cells: config.cells,
            image_channels: config.image_channels,
            height: config.height,
            width: config.width,
            stem: config.stem,
            auxiliary: config.auxiliary,
            classes: self.classes.clone(),
            normalisation: self.normalisation.clone(),
            genotype: self.genotype.to_json(),
        };
        tensor_file::write(path, &description, &self.network.tensors()?)
    }

    /// How well it classifies all images of `dataset`, each shown as `views` says.
    ///
    /// # Errors
    /// The images have another size or number of channels, or other classes.
    pub fn evaluate(&mut self, dataset: Arc<Dataset>, views: Views) -> Result<Evaluation> {
        let config = self.network.config();
        let expected = ImageShape {
            height: config.height,
            width: config.width,
            channels: config.image_channels,
            classes: config.classes,
        };
        let found = ImageShape::of(&dataset);
        if found != expected {
            return Err(Error::OtherImages {
                name: dataset.name().to_owned(),
                expected,
                found,
            });
        }
        let differ = |(expected, found): &(&String, &String)| expected != found;
        if let Some((expected, found)) = self.classes.iter().zip(dataset.classes()).find(differ) {
            return Err(Error::OtherClasses {
                name: dataset.name().to_owned(),
                expected: expected.clone(),
                found: found.clone(),
            });
        }
        let ones = OpWeights::ones(self.network.topology());
        let images = EvaluationImages::all(dataset, self.normalisation.clone());
        evaluate(&mut self.network, &ones, &images, views)
    }
}

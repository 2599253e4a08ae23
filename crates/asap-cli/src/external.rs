//! Weights of other programs: state dicts of the reference implementation of DARTS, and raw inputs to compare with.

mod inputs;
mod pass;

use crate::tensor_file::{all_floats, open};
use crate::{genotypes, output};
use anyhow::{Context, Result, ensure};
use asap_data::{Dataset, Normalisation};
use asap_genotype::{Genotype, Listing};
use asap_space::{
    DartsLayout, DartsNetwork, Execution, NamedTensor, Network, NetworkConfig, Regularisation,
};
use asap_train::{SavedNetwork, TrainConfig};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

pub(crate) use pass::run;

/// Weights that another program trained.
#[derive(clap::Args)]
pub(crate) struct WeightFlags {
    /// Weights that another program trained, as safetensors
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// The genotype of these weights: a published name, or a file with JSON or DARTS text
    #[arg(
        long = "genotype",
        value_name = "NAME|FILE",
        id = "genotype_of_weights",
        requires = "weights"
    )]
    pub(crate) genotype: Option<String>,
    /// How the weights are named and shaped
    #[arg(long, value_enum, default_value_t = Layout::Darts, requires = "weights")]
    layout: Layout,
}

/// Who names tensors.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layout {
    /// The state dict of the reference implementation of DARTS, in PyTorch
    Darts,
}

/// What `asap eval` takes besides, to compare with other programs.
#[derive(clap::Args)]
pub(crate) struct PassFlags {
    #[command(flatten)]
    pub(crate) weights: WeightFlags,
    /// Which of the layout's networks the weights are of
    #[arg(long = "network", value_enum, default_value_t = Kind::Derived, id = "kind_of_network", requires = "inputs")]
    kind: Kind,
    /// Compute what --logits and --gradients ask for from these images: safetensors with `images` [N, C, H, W]
    /// (f32, taken as they are), for gradients `labels` [N] (i64), for the search network `alphas_normal` and
    /// `alphas_reduce` [14, 8]
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    pub(crate) inputs: Option<PathBuf>,
    /// Write the `logits` of evaluation [N, classes] to this file
    #[arg(long, value_name = "OUT", requires = "inputs")]
    logits: Option<PathBuf>,
    /// Write `loss` [1] and the gradient of every parameter after one pass in training mode to this file
    #[arg(long, value_name = "OUT", requires = "inputs")]
    gradients: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// That of a genotype
    Derived,
    /// The supernet of all eight operations, `none` too
    Search,
}

/// A state dict that was read, and which network it is of.
struct StateDict {
    path: PathBuf,
    tensors: Vec<NamedTensor>,
    /// Absent for the search network.
    listing: Option<Listing>,
}

impl StateDict {
    /// The state dict that flags name.
    fn read(path: &Path, listing: Option<Listing>) -> Result<Self> {
        let counter = |name: &str| name.ends_with(".num_batches_tracked");
        Ok(Self {
            path: path.to_owned(),
            tensors: open(path, |file| all_floats(file, counter))?,
            listing,
        })
    }

    /// That of a derived network.
    ///
    /// # Errors
    /// If the file cannot be read, or there is no such genotype.
    fn derived(weights: &Path, genotype: Option<&String>) -> Result<Self> {
        let genotype = genotype.context("--weights: expected --genotype NAME|FILE beside it")?;
        Self::read(weights, Some(genotypes::listing(genotype)?))
    }

    /// Its layout, for images of this height and width.
    ///
    /// # Errors
    /// If it is that of no such network; the message names the file.
    fn layout(&self, image: [usize; 2]) -> Result<DartsLayout> {
        let network = match &self.listing {
            Some(listing) => DartsNetwork::Derived(listing),
            None => DartsNetwork::Search,
        };
        DartsLayout::of_state_dict(&self.tensors, network, image).with_context(|| self.place())
    }

    /// The network of a layout.
    ///
    /// # Errors
    /// If tensors are missing, misshapen or of no network; the message names the file and the tensors.
    fn network(&self, layout: &DartsLayout, execution: Execution) -> Result<Network> {
        layout
            .network(&self.tensors, execution)
            .with_context(|| self.place())
    }

    fn genotype(&self) -> Result<&Genotype> {
        let listing = self
            .listing
            .as_ref()
            .context("the search network has no genotype")?;
        Ok(listing.genotype())
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }
}

impl WeightFlags {
    /// The network of these weights for images like those of `training`, normalised by their mean and deviation.
    ///
    /// # Errors
    /// If there are no such weights, or they are for other images.
    pub(crate) fn saved_network(
        &self,
        training: &Dataset,
        execution: Execution,
    ) -> Result<SavedNetwork> {
        let StateDictFor { state_dict, layout } = self.state_dict_for(training)?;
        let indices: Vec<u32> = (0..training.len() as u32).collect();
        Ok(SavedNetwork {
            network: state_dict.network(&layout, execution)?,
            genotype: state_dict.genotype()?.clone(),
            classes: training.classes().to_vec(),
            normalisation: Normalisation::of(training, &indices)?,
        })
    }

    /// The weights that a training of the network on images like those of `training` starts from.
    ///
    /// # Errors
    /// As [`Self::saved_network`].
    pub(crate) fn start(&self, training: &Dataset) -> Result<Start> {
        let StateDictFor { state_dict, layout } = self.state_dict_for(training)?;
        Ok(Start {
            genotype: state_dict.genotype()?.clone(),
            tensors: layout
                .tensors(&state_dict.tensors)
                .with_context(|| state_dict.place())?,
            network: layout.config().clone(),
        })
    }

    fn state_dict_for(&self, dataset: &Dataset) -> Result<StateDictFor> {
        let weights = self.weights.as_ref().context("expected --weights FILE")?;
        let state_dict = StateDict::derived(weights, self.genotype.as_ref())?;
        let layout = state_dict.layout([dataset.height(), dataset.width()])?;
        let config = layout.config();
        let found = (dataset.channels(), dataset.classes().len());
        ensure!(
            found == (config.image_channels, config.classes),
            "{}: expected images of {} channels and {} classes, as {} has; found {} and {}",
            dataset.name(),
            config.image_channels,
            config.classes,
            weights.display(),
            found.0,
            found.1,
        );
        Ok(StateDictFor { state_dict, layout })
    }
}

/// A state dict with the layout that it has for some images.
struct StateDictFor {
    state_dict: StateDict,
    layout: DartsLayout,
}

/// What a training starts from.
pub(crate) struct Start {
    pub(crate) genotype: Genotype,
    network: NetworkConfig,
    pub(crate) tensors: Vec<NamedTensor>,
}

impl Start {
    /// Makes the network of a training that of the weights, which know their size. An auxiliary head that the settings
    /// have and the weights have not is told of.
    pub(crate) fn set_size(&self, train: &mut TrainConfig) {
        train.channels = self.network.channels;
        train.cells = self.network.cells;
        train.stem = self.network.stem;
        if !self.network.auxiliary {
            if train.auxiliary_weight > 0.0 {
                output::note("the weights have no auxiliary head: it trains without one");
            }
            train.auxiliary_weight = 0.0;
        } else if train.auxiliary_weight == 0.0 {
            train.auxiliary_weight = f64::from(Regularisation::default().auxiliary_weight);
        }
    }
}

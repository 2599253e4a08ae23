#![doc = include_str!("../README.md")]

mod augmentation;
mod batches;
mod cifar;
mod classes;
mod dataset;
mod description;
mod develop;
mod embedded;
mod error;
mod folder;
#[cfg(feature = "hub")]
mod hub;
mod idx;
mod manifest;
mod normalisation;
mod parallel;
mod random;
mod resize;
mod source;
mod split;

pub use dataset::{Dataset, DatasetParts, Part};
pub use error::{Error, Result};

pub use source::{LoadConfig, Source, open};

pub use cifar::{cifar10, cifar100};
pub use folder::folder;
#[cfg(feature = "hub")]
pub use hub::{HubSet, hub};
pub use idx::{fashion_mnist, idx};

pub use description::Description;
pub use embedded::datasets_folder;
pub use manifest::{Manifest, ManifestFile};

pub use split::{Split, SplitConfig, stratified_subset};

pub use augmentation::Augmentation;
pub use batches::{Batch, BatchConfig, Batches, Pass, Prepared};
pub use normalisation::Normalisation;

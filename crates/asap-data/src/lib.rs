#![doc = include_str!("../README.md")]

mod augmentation;
mod auto_augment;
mod batches;
mod checksum;
mod cifar;
mod cinic10;
mod classes;
mod colour;
mod colour_jitter;
mod csv_table;
mod dataset;
mod description;
mod develop;
mod embedded;
mod error;
#[cfg(feature = "fetch")]
mod fetch;
mod folder;
mod freiburg;
#[cfg(test)]
mod golden;
#[cfg(feature = "hub")]
mod hub;
mod hue;
mod idx;
mod imagenet;
mod indexed;
mod manifest;
mod matlab;
mod memory;
mod normalisation;
mod parallel;
mod pictures;
mod random;
mod resize;
mod resized_crop;
mod source;
mod split;
mod svhn;
mod warp;

pub use dataset::{Dataset, DatasetParts, Part};
pub use error::{Error, Result};

pub use source::{LoadConfig, Source, open};

pub use cifar::{cifar10, cifar100};
pub use cinic10::cinic10;
pub use csv_table::csv;
pub use folder::folder;
pub use freiburg::freiburg_groceries;
#[cfg(feature = "hub")]
pub use hub::{HubSet, hub};
pub use idx::{fashion_mnist, idx};
pub use imagenet::{imagenet, tiny_imagenet};
pub use svhn::{svhn, svhn_extra};

pub use checksum::{Algorithm, Checksum};
pub use description::Description;
pub use embedded::datasets_folder;
#[cfg(feature = "fetch")]
pub use fetch::{FetchEvent, Fetched, fetch};
pub use manifest::{Download, Manifest, ManifestFile};

pub use split::{Split, SplitConfig, stratified_subset};

pub use augmentation::Augmentation;
pub use batches::{Batch, BatchConfig, Batches, Pass, Prepared};
pub use colour_jitter::ColourJitter;
pub use indexed::{Draws, IndexedBatch, IndexedBatches, IndexedImage};
pub use normalisation::Normalisation;

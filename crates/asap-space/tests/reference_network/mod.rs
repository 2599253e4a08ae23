//! The plain form of a whole network, assembled from the reference forms of its kernels.

pub(crate) mod agreement;
pub(crate) mod random;

mod cell;
mod golden;
mod golden_file;
mod network;
mod path;

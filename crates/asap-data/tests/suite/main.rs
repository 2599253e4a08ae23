//! Data from files of their true formats to batches.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod batches;
mod cifar;
mod embedded;
mod files;
mod folder;
mod folder_pictures;
mod idx;
mod source;
mod split;

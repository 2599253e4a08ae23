//! Data from files of their true formats to batches.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod batches;
mod cifar;
mod csv;
mod embedded;
#[cfg(feature = "fetch")]
mod fetch;
mod files;
mod folder;
mod folder_pictures;
mod idx;
mod known_folders;
mod source;
mod split;
mod streamed;
mod svhn;

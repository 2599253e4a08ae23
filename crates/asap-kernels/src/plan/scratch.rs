//! Room that a thread works in, and how many rows it takes at a time.

/// f32 of every scratch area of a thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scratch {
    /// A padded tile, and as many for the gradient's.
    pub(crate) tile: usize,
    /// An image without padding: the raw source, its gradient through ReLU, its gradient around ReLU.
    pub(crate) image: usize,
    /// Rows of pixels on their way through a product, four of them.
    pub(crate) chunk: usize,
}

/// f32 of a chunk of rows: two of them fit the first-level cache beside the tile's rows.
pub(crate) const CHUNK: usize = 2048;

/// Rows of `width` pixels of `channels` that make up a chunk; at least one.
pub(crate) fn chunk_rows(width: usize, channels: usize) -> usize {
    (CHUNK / (width * channels)).max(1)
}

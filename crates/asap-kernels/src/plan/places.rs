//! Where tensors lie, and how large they are.

/// An image's tensor within a buffer: `pixel` f32 from pixel to pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) buffer: usize,
    /// First value of the first image.
    pub(crate) at: usize,
    pub(crate) pixel: usize,
}

/// A buffer that has no place yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    /// f32 of an image.
    pub(crate) len: usize,
    /// Whether its images lie side by side; then it shares memory with no other buffer.
    pub(crate) side_by_side: bool,
}

/// A buffer in the arena, in f32 whatever the buffer holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferAt {
    /// First value of the first image.
    pub(crate) offset: usize,
    /// f32 from image to image.
    pub(crate) image: usize,
}

/// All buffers in the arena.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrangement {
    pub(crate) buffers: Vec<BufferAt>,
    /// f32 that the buffers take.
    pub(crate) len: usize,
}

/// A tensor that tasks read: `a y + b` if a normalisation stands in between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) place: Place,
    pub(crate) norm: Option<usize>,
}

/// Height, width and padded channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Size {
    pub(crate) fn pixels(self) -> usize {
        self.height * self.width
    }
    pub(crate) fn len(self) -> usize {
        self.pixels() * self.channels
    }
    pub(crate) fn strided(self, stride: usize) -> Self {
        Self {
            height: self.height.div_ceil(stride),
            width: self.width.div_ceil(stride),
            ..self
        }
    }
}

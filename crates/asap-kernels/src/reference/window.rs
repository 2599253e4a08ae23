//! The window of a convolution or a pool: which input pixels an output pixel reads.
//!
//! Every window here is padded by `dilation * (kernel - 1) / 2` on each side, rounded down, so with an odd
//! kernel stride 1 keeps the size and stride 2 gives `ceil(size / 2)`.

/// A square window, its stride and its dilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Taps along one side: an odd number, or 2, which leaves one row and column less.
    pub kernel: usize,
    /// Input pixels from one output pixel to the next.
    pub stride: usize,
    /// Input pixels from one tap to the next.
    pub dilation: usize,
}

/// One tap of a window that lies inside the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Number of the tap in its window, row by row.
    pub index: usize,
    /// Row of the input pixel.
    pub y: usize,
    /// Column of the input pixel.
    pub x: usize,
}

impl Window {
    /// Number of taps.
    pub fn area(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Rows or columns of padding on each side.
    pub fn padding(&self) -> usize {
        self.dilation * (self.kernel - 1) / 2
    }

    /// Output rows for so many input rows, or columns for columns.
    pub fn output_size(&self, size: usize) -> usize {
        (size + 2 * self.padding() - self.dilation * (self.kernel - 1) - 1) / self.stride + 1
    }

    /// The taps of output pixel `(y, x)` that lie inside an image of `h` x `w` pixels, row by row.
    pub fn taps(&self, [y, x]: [usize; 2], [h, w]: [usize; 2]) -> impl Iterator<Item = Tap> {
        let window = *self;
        (0..self.area()).filter_map(move |index| {
            Some(Tap {
                index,
                y: window.input_coordinate(y, index / window.kernel, h)?,
                x: window.input_coordinate(x, index % window.kernel, w)?,
            })
        })
    }

    fn input_coordinate(&self, output: usize, tap: usize, size: usize) -> Option<usize> {
        (output * self.stride + tap * self.dilation)
            .checked_sub(self.padding())
            .filter(|&coordinate| coordinate < size)
    }
}

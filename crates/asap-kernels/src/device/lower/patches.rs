//! Patches of pixels that a block computes at a time, eight in a row, and the tiles that they read.

use crate::depthwise::Taps;
use crate::device::launch::Precision;
use crate::plan::{Chain, Size};

/// Patches of an image.
pub(super) fn patches(size: Size, rows: usize) -> usize {
    size.height.div_ceil(rows) * size.width.div_ceil(8)
}

/// Rows of a patch of what a chain puts out: twice as many where kernels know that there are 16 channels.
pub(super) fn chain_rows(chain: &Chain, channels: usize, precision: Precision) -> usize {
    match precision != Precision::F32 && chain.taps.stride == 1 {
        true => gradient_rows(channels),
        false => 8,
    }
}

/// Rows of a patch of the gradients of a source. A last group of 16 channels beside groups of 32 has 16 rows, too, and needs less room than
/// those.
pub(super) fn gradient_rows(channels: usize) -> usize {
    if channels == 16 { 16 } else { 8 }
}

/// Pixels of the tile that a patch of so many rows of outputs reads, which leaves out what no output reads.
pub(super) fn chain_tile(chain: &Chain, rows: usize) -> usize {
    let Taps {
        kernel,
        dilation,
        stride,
    } = chain.taps;
    let step = if stride == 2 && dilation == 2 { 2 } else { 1 };
    let span = |outputs: usize| ((outputs - 1) * stride + (kernel - 1) * dilation) / step + 1;
    tile_pixels(span(rows), span(8))
}

/// Pixels of the tile of what depends on a patch of so many rows of a source.
pub(super) fn gradient_tile(kernel: u32, dilation: u32, stride: usize, rows: usize) -> usize {
    let padding = ((kernel - 1) / 2 * dilation) as usize;
    let reach = |pixels: usize| match stride {
        1 => pixels + 2 * padding,
        _ => (pixels - 1 + 2 * padding) / 2 + 2,
    };
    tile_pixels(reach(rows), reach(8))
}

/// Rows of a tile begin an odd number of pixels apart.
fn tile_pixels(rows: usize, columns: usize) -> usize {
    rows * (columns | 1)
}

//! Sources on their way into scratch: padded tiles, rows, images as they are.

use super::Worker;
use crate::elementwise::Load;
use crate::plan::{Size, View};

/// A padded tile: `size` pixels with `halo` zeros around them.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) at: *mut f32,
    pub(super) size: Size,
    pub(super) halo: usize,
}

impl Tile {
    /// f32 from row to row.
    pub(super) fn row(self) -> usize {
        (self.size.width + 2 * self.halo) * self.size.channels
    }

    pub(super) fn len(self) -> usize {
        (self.size.height + 2 * self.halo) * self.row()
    }

    /// f32 from the tile's first value to pixel `(y, x)`; negative positions are in the halo.
    pub(super) fn offset(self, y: isize, x: isize) -> usize {
        let (y, x) = (y + self.halo as isize, x + self.halo as isize);
        y as usize * self.row() + x as usize * self.size.channels
    }
}

impl Worker<'_> {
    /// The tile area, cleared: only its inside is written afterwards.
    ///
    /// # Safety
    /// The plan has asked for a tile of this size.
    pub(super) unsafe fn new_tile(&self, size: Size, halo: usize) -> Tile {
        let tile = Tile {
            at: self.tile,
            size,
            halo,
        };
        // SAFETY: as the caller's.
        unsafe { tile.at.write_bytes(0, tile.len()) };
        tile
    }

    /// `relu(source)` into the inside of a tile.
    ///
    /// # Safety
    /// The source has the tile's size.
    pub(super) unsafe fn load_tile(&self, tile: Tile, source: View, image: usize) {
        let (a, b) = self.view_coefficients(source);
        // SAFETY: as the caller's.
        unsafe {
            let from = self.at(source.place, image);
            (self.table(tile.size.channels).load)(&Load {
                source: from.at,
                source_pixel: from.pixel,
                a,
                b,
                out: tile.at.add(tile.offset(0, 0)),
                out_row: tile.row(),
                height: tile.size.height,
                width: tile.size.width,
                channels: tile.size.channels,
                relu: true,
            });
        }
    }

    /// Rows of `relu(source)` into chunk 0.
    ///
    /// # Safety
    /// The chunk is large enough.
    pub(super) unsafe fn load_rows(
        &self,
        source: View,
        size: Size,
        image: usize,
        top: usize,
        rows: usize,
    ) {
        let (a, b) = self.view_coefficients(source);
        // SAFETY: rows of the source and the chunk.
        unsafe {
            let from = self.at(source.place, image);
            (self.table(size.channels).load)(&Load {
                source: from.at.add(top * size.width * from.pixel),
                source_pixel: from.pixel,
                a,
                b,
                out: self.chunk[0],
                out_row: size.width * size.channels,
                height: rows,
                width: size.width,
                channels: size.channels,
                relu: true,
            });
        }
    }

    /// The source as it is, without padding, into image area 0.
    ///
    /// # Safety
    /// The source has this size.
    pub(super) unsafe fn load_raw(&self, source: View, size: Size, image: usize) {
        let (a, b) = self.view_coefficients(source);
        // SAFETY: as the caller's.
        unsafe {
            let from = self.at(source.place, image);
            (self.table(size.channels).load)(&Load {
                source: from.at,
                source_pixel: from.pixel,
                a,
                b,
                out: self.image[0],
                out_row: size.width * size.channels,
                height: size.height,
                width: size.width,
                channels: size.channels,
                relu: false,
            });
        }
    }
}

//! Allots what tasks use: parameters, normalisations, buffers, sums and vectors.

use super::PlanBuilder;
use crate::layout::ParameterKind;
use crate::padded;
use crate::plan::{
    Buffer, CHUNK, Norm, Parameter, Place, Plan, Size, Statistics, Transpose, chunk_rows,
};

impl PlanBuilder {
    pub(super) fn norm(
        &mut self,
        name: &str,
        channels: usize,
        pixels: usize,
        affine: bool,
    ) -> usize {
        let affine = affine.then(|| {
            [
                self.parameter(format!("{name}.scale"), ParameterKind::Scale { channels }),
                self.parameter(format!("{name}.shift"), ParameterKind::Shift { channels }),
            ]
        });
        let offset = self.plan.statistics_len;
        self.plan.statistics.push(Statistics {
            name: name.to_owned(),
            channels,
            offset,
        });
        let channels = padded(channels);
        self.plan.statistics_len += 2 * channels;
        let norm = Norm {
            channels,
            pixels,
            moments: self.sums(2 * channels),
            a_vector: self.vector(channels),
            b_vector: self.vector(channels),
            mean_vector: self.vector(channels),
            deviation_vector: self.vector(channels),
            back_y_vector: self.vector(channels),
            back_shift_vector: self.vector(channels),
            affine,
            statistics: offset,
        };
        self.plan.norms.push(norm);
        self.plan.norms.len() - 1
    }

    pub(super) fn parameter(&mut self, name: String, kind: ParameterKind) -> usize {
        let offset = self.plan.slab_len;
        self.plan.slab_len += kind.slab_len().next_multiple_of(16);
        self.plan.parameters.push(Parameter { name, kind, offset });
        offset
    }

    /// A parameter that every one of `pixels` outputs uses once: one multiply-accumulate per value and pixel.
    pub(super) fn kernel(&mut self, name: String, kind: ParameterKind, pixels: usize) -> usize {
        self.plan.macs += (kind.count() * pixels) as u64;
        self.parameter(name, kind)
    }

    pub(super) fn transposed(&mut self, from: usize, rows: usize, columns: usize) -> usize {
        let to = self.plan.transposed_len;
        self.plan.transposed_len += (rows * columns).next_multiple_of(16);
        self.plan.transposes.push(Transpose {
            from,
            to,
            rows,
            columns,
        });
        to
    }

    /// A new buffer of this size per image.
    pub(super) fn place(&mut self, size: Size) -> Place {
        self.new_place(size, false)
    }

    /// The same, with one image right after another.
    pub(super) fn place_side_by_side(&mut self, size: Size) -> Place {
        self.new_place(size, true)
    }

    fn new_place(&mut self, size: Size, side_by_side: bool) -> Place {
        self.plan.buffers.push(Buffer {
            len: size.len(),
            side_by_side,
        });
        Place {
            buffer: self.plan.buffers.len() - 1,
            at: 0,
            pixel: size.channels,
        }
    }

    pub(super) fn sums(&mut self, len: usize) -> usize {
        let at = self.plan.sums_len;
        self.plan.sums_len += len;
        at
    }

    pub(super) fn vector(&mut self, len: usize) -> usize {
        let at = self.plan.vectors_len;
        self.plan.vectors_len += len;
        at
    }

    pub(super) fn need_tile(&mut self, size: Size, halo: usize) {
        let tile = (size.height + 2 * halo) * (size.width + 2 * halo) * size.channels;
        self.plan.scratch.tile = self.plan.scratch.tile.max(tile);
        self.plan.scratch.image = self.plan.scratch.image.max(size.len());
    }

    /// Chunks of `out` rows on one side and `inputs` channels on the other.
    pub(super) fn need_products(&mut self, out: Size, inputs: usize) {
        let channels = inputs.max(out.channels);
        let chunk = chunk_rows(out.width, channels) * out.width * channels;
        self.plan.scratch.chunk = self.plan.scratch.chunk.max(chunk.max(CHUNK));
    }

    /// The plan, with a place in the arena for every buffer.
    pub(super) fn lay_out(mut self) -> Plan {
        let norms = self.plan.norms.iter().map(|n| n.channels);
        let banks = self.plan.banks.iter().map(|b| b.size.channels);
        self.plan.ones_len = norms.chain(banks).max().unwrap_or(0);
        self.plan.ones_vector = self.vector(self.plan.ones_len);
        [self.plan.training, self.plan.inference] = self.plan.arrangements(&[]);
        self.plan
    }
}

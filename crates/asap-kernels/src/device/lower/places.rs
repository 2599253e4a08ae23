//! From places in a plan to addresses on the device.

use super::Lowering;
use crate::device::abi::{self, HALF, NEVER_LOST};
use crate::device::launch::Precision;
use crate::plan::{Node, NodeTerm, Norm, Place, Size, Target, View};

/// Bytes of a value.
pub(super) fn value_bytes(tensor: &abi::Tensor) -> f64 {
    match tensor.pixel & HALF {
        0 => 4.0,
        _ => 2.0,
    }
}

impl Lowering<'_> {
    pub(super) fn tensor(&self, place: Place) -> abi::Tensor {
        let buffer = self.buffers[place.buffer];
        if self.half[place.buffer] {
            return abi::Tensor {
                at: self.bases.arena + 4 * buffer.offset as u64 + 2 * place.at as u64,
                image: 2 * buffer.image as u32,
                pixel: place.pixel as u32 | HALF,
            };
        }
        abi::Tensor {
            at: self.bases.arena + 4 * (buffer.offset + place.at) as u64,
            image: buffer.image as u32,
            pixel: place.pixel as u32,
        }
    }

    /// A tensor of this size in the task's scratch.
    pub(super) fn scratch_tensor(&mut self, size: Size) -> abi::Tensor {
        abi::Tensor {
            at: self.new_scratch(self.plan.batch * size.len()),
            image: size.len() as u32,
            pixel: size.channels as u32,
        }
    }

    /// The same, bf16 where chains put out such.
    pub(super) fn chain_scratch(&mut self, size: Size) -> abi::Tensor {
        if self.target.precision != Precision::Bf16 {
            return self.scratch_tensor(size);
        }
        abi::Tensor {
            at: self.new_scratch((self.plan.batch * size.len()).div_ceil(2)),
            image: size.len() as u32,
            pixel: size.channels as u32 | HALF,
        }
    }

    pub(super) fn view(&self, view: View) -> abi::View {
        let (a, b) = match view.norm {
            Some(norm) => {
                let norm = &self.plan.norms[norm];
                (self.vector(norm.a_vector), self.vector(norm.b_vector))
            }
            None => (0, 0),
        };
        abi::View {
            y: self.tensor(view.place),
            a,
            b,
        }
    }

    pub(super) fn vector(&self, at: usize) -> u64 {
        self.bases.vectors + 4 * at as u64
    }

    pub(super) fn weight(&self, at: usize) -> u64 {
        self.bases.weights + 4 * at as u64
    }

    pub(super) fn gradient(&self, at: usize) -> u64 {
        self.bases.gradients + 4 * at as u64
    }

    pub(super) fn op_weight(&self, at: usize) -> u64 {
        self.bases.op_weights + 4 * at as u64
    }

    /// A term that is never lost.
    pub(super) fn plain_term(&self, y: abi::Tensor, scale: u64, shift: u64) -> abi::Term {
        abi::Term {
            y,
            scale,
            shift,
            factor: 0,
            cell: 0,
            weight: NEVER_LOST,
        }
    }

    /// A term that drop-path may lose, if it may.
    pub(super) fn term_of(
        &self,
        term: &NodeTerm,
        y: abi::Tensor,
        scale: u64,
        shift: u64,
    ) -> abi::Term {
        let mut found = self.plain_term(y, scale, shift);
        if let Some(path) = term.drop_path {
            (found.cell, found.weight) = (path.cell as u32, term.weight as u32);
        }
        found
    }

    /// What a node hands back to an operation: its gradient times the operation's coefficient.
    pub(super) fn handed_back(&self, target: Target) -> abi::Term {
        let node: &Node = &self.plan.nodes[target.node];
        let term = &node.terms[target.term];
        let scale = self.vector(term.back_vector);
        self.term_of(term, self.tensor(node.gradient), scale, 0)
    }

    /// What a normalisation adds to its input's gradient: `B y + D`.
    pub(super) fn norm_term(&self, norm: usize, y: abi::Tensor) -> abi::Term {
        let norm: &Norm = &self.plan.norms[norm];
        let (back_y, shift) = (
            self.vector(norm.back_y_vector),
            self.vector(norm.back_shift_vector),
        );
        self.plain_term(y, back_y, shift)
    }

    /// The gradient of what is normalised, from that of what comes out: `a g + B y + D`.
    pub(super) fn through_norm(
        &self,
        norm: usize,
        g: abi::Tensor,
        y: abi::Tensor,
    ) -> [abi::Term; 2] {
        let a = self.vector(self.plan.norms[norm].a_vector);
        [self.plain_term(g, a, 0), self.norm_term(norm, y)]
    }
}

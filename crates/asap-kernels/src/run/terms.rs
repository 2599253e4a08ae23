//! Terms of a mix: what is added up, and the gradients that flow back out of nodes.

use super::Worker;
use crate::elementwise::{Mix, Term};
use crate::plan::{Norm, Size, Target};

/// At most as many terms as a node has incoming edges times operations; sources have fewer.
pub(super) const MAX_TERMS: usize = 64;

/// Terms of a mix on the stack: no allocation within a step.
pub(super) struct Terms {
    terms: [Term; MAX_TERMS],
    len: usize,
}

impl Terms {
    pub(super) fn new() -> Self {
        let nothing = Term {
            values: std::ptr::null(),
            pixel: 0,
            scale: std::ptr::null(),
        };
        Self {
            terms: [nothing; MAX_TERMS],
            len: 0,
        }
    }

    pub(super) fn push(&mut self, values: *const f32, pixel: usize, scale: *const f32) {
        self.terms[self.len] = Term {
            values,
            pixel,
            scale,
        };
        self.len += 1;
    }

    pub(super) fn as_slice(&self) -> &[Term] {
        &self.terms[..self.len]
    }
}

/// Where the gradient of a normalised tensor comes from: `sum_t A_t g_t`, beside `B y + D`.
pub(super) struct Upstream<'a> {
    pub(super) terms: &'a Terms,
    pub(super) norm: &'a Norm,
    /// The tensor before normalisation.
    pub(super) y: *const f32,
}

impl Worker<'_> {
    /// The gradient that an operation's node hands it, for images that keep the operation.
    ///
    /// # Safety
    /// `image` is this thread's.
    pub(super) unsafe fn push_target(&self, terms: &mut Terms, target: Target, image: usize) {
        let node = &self.plan.nodes[target.node];
        let term = &node.terms[target.term];
        if self.keeps(term, image) {
            // SAFETY: `image` is this thread's.
            let g = unsafe { self.at(node.gradient, image) };
            terms.push(g.at, g.pixel, self.vector(term.back_vector));
        }
    }

    /// Rows of `dy = sum_t A_t g_t + B y + D` into chunk 1.
    ///
    /// # Safety
    /// All tensors and the chunk hold these rows.
    pub(super) unsafe fn normalised_rows(
        &self,
        upstream: &Upstream<'_>,
        out: Size,
        top: usize,
        rows: usize,
    ) {
        let skip = top * out.width;
        // SAFETY: all tensors hold these rows.
        unsafe {
            let mut terms = Terms::new();
            for term in upstream.terms.as_slice() {
                terms.push(term.values.add(skip * term.pixel), term.pixel, term.scale);
            }
            let y = upstream.y.add(skip * out.channels);
            terms.push(y, out.channels, self.vector(upstream.norm.back_y_vector));
            (self.table(out.channels).mix)(&Mix {
                terms: terms.as_slice(),
                shift: self.vector(upstream.norm.back_shift_vector),
                out: self.chunk[1],
                out_pixel: out.channels,
                pixels: rows * out.width,
                channels: out.channels,
                add: false,
                ahead: rows * out.width,
            });
        }
    }
}

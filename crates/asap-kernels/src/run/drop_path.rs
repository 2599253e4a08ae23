//! Drop-path: for each image, operations whose output does not reach their node.
//!
//! A lost term is left out of the image's sums, there and back; what survives has its op weight divided by the
//! probability to survive. The normalisation before the node sees every image, so that its backward coefficients come
//! from sums over the images that keep the term, and shifts of nodes differ from image to image.

use super::Worker;
use crate::plan::{Node, NodeTerm};

impl Worker<'_> {
    /// Whether this step may lose the term.
    fn drops(&self, term: &NodeTerm) -> bool {
        self.pass.regularisation.drop_path > 0.0 && term.drop_path.is_some()
    }

    /// Whether the term reaches its node for this image.
    pub(super) fn keeps(&self, term: &NodeTerm, image: usize) -> bool {
        match term.drop_path {
            Some(path) if self.drops(term) => {
                let regularisation = self.pass.regularisation;
                regularisation.path_scale(image, path.cell, term.weight) > 0.0
            }
            _ => true,
        }
    }

    /// What a term that reaches its node is multiplied by, beside its op weight.
    pub(super) fn kept_scale(&self, term: &NodeTerm) -> f32 {
        if self.drops(term) {
            self.pass.regularisation.kept_scale()
        } else {
            1.0
        }
    }

    /// Place of `sum g` over the images that keep the term: the node's own where nothing is dropped.
    pub(super) fn term_sum(&self, node: &Node, term: &NodeTerm) -> usize {
        match term.drop_path {
            Some(path) if self.drops(term) => path.sum,
            _ => node.sum,
        }
    }

    /// Where a term's own `sum g` is added up, null where the node's serves.
    pub(super) fn own_sum(&self, node: &Node, term: &NodeTerm) -> *mut f64 {
        if self.drops(term) {
            self.sum(self.term_sum(node, term))
        } else {
            std::ptr::null_mut()
        }
    }

    /// The shift of a node: for this image, if paths are dropped.
    ///
    /// # Safety
    /// The forward coefficients of the node's terms are those of this step.
    pub(super) unsafe fn node_shift(&self, node: &Node, image: usize) -> *const f32 {
        if node.terms.iter().any(|term| self.drops(term)) {
            // SAFETY: a node's shift and the coefficients of its terms have its channels.
            unsafe {
                let shift = self.vector(node.shift_vector);
                let shift = std::slice::from_raw_parts_mut(shift, node.size.channels);
                shift.fill(0.0);
                let kept = node.terms.iter().filter(|term| self.keeps(term, image));
                for (term, norm) in kept.filter_map(|term| Some((term, term.y.norm?))) {
                    let weight = self.pass.op_weights[term.weight] * self.kept_scale(term);
                    let b = self.vector(self.plan.norms[norm].b_vector);
                    let b = std::slice::from_raw_parts(b, shift.len());
                    for (sum, b) in shift.iter_mut().zip(b) {
                        *sum += weight * b;
                    }
                }
            }
        }
        self.vector(node.shift_vector)
    }
}

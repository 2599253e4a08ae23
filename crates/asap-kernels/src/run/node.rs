//! A node: the weighted sum of its terms, and the sums that its gradient gives.

use super::Worker;
use super::terms::{MAX_TERMS, Terms};
use crate::elementwise::{Factor, Mix, Products};
use crate::plan::Node;

impl Worker<'_> {
    /// The weighted sum of a node's terms.
    ///
    /// # Safety
    /// See [`Self::input`].
    pub(super) unsafe fn node(&self, node: &Node) {
        // SAFETY: the terms of this thread's images are complete.
        unsafe {
            self.node_scales(node);
            for image in self.images.clone() {
                let mut terms = Terms::new();
                for term in node.terms.iter().filter(|term| self.keeps(term, image)) {
                    let y = self.at(term.y.place, image);
                    terms.push(y.at, y.pixel, self.vector(term.scale_vector));
                }
                let out = self.at(node.value, image);
                (self.table(node.size.channels).mix)(&Mix {
                    terms: terms.as_slice(),
                    shift: self.node_shift(node, image),
                    out: out.at,
                    out_pixel: out.pixel,
                    pixels: node.size.pixels(),
                    channels: node.size.channels,
                    add: false,
                    ahead: 16,
                });
            }
        }
    }

    /// `sum g` of a node and `sum g y` of its terms.
    ///
    /// # Safety
    /// See [`Self::input`].
    pub(super) unsafe fn node_sums(&self, node: &Node) {
        let (channels, pixels) = (node.size.channels, node.size.pixels());
        for image in self.images.clone() {
            // SAFETY: the node's gradient is complete for this thread's images.
            unsafe {
                let g = self.at(node.gradient, image);
                let nothing = Factor {
                    y: std::ptr::null(),
                    y_pixel: 0,
                    sum_g: std::ptr::null_mut(),
                    sum_gy: std::ptr::null_mut(),
                };
                let (mut terms, mut len) = ([nothing; MAX_TERMS], 0);
                for term in node.terms.iter().filter(|term| self.keeps(term, image)) {
                    if term.normalised || self.mode.wanted.op_weights() {
                        let y = self.at(term.y.place, image);
                        terms[len] = Factor {
                            y: y.at,
                            y_pixel: y.pixel,
                            sum_g: self.own_sum(node, term),
                            sum_gy: self.sum(term.products),
                        };
                        len += 1;
                    }
                }
                (self.table(channels).products)(&Products {
                    g: g.at,
                    g_pixel: g.pixel,
                    pixels,
                    channels,
                    sum_g: self.sum(node.sum),
                    terms: &terms[..len],
                });
            }
        }
    }
}

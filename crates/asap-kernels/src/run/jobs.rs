//! Small jobs that several tasks have: products, and sums over what was written.

use super::{Image, Worker};
use crate::elementwise::{Factor, Masked, Moments, Products};
use crate::plan::{Norm, Size, View};
use crate::pointwise::{Pointwise, PointwiseWeights};

impl Worker<'_> {
    /// `out = a b` for contiguous `[pixels, inputs]` and `[inputs, outputs]`.
    ///
    /// # Safety
    /// The arrays have these sizes.
    pub(super) unsafe fn product(
        &self,
        a: *const f32,
        inputs: usize,
        b: *const f32,
        out: *mut f32,
        outputs: usize,
        pixels: usize,
    ) {
        let job = Pointwise {
            a,
            b,
            out,
            out_pixel: outputs,
            pixels,
            inputs,
            outputs,
            add: false,
        };
        // SAFETY: as the caller's.
        unsafe { (self.table(outputs).pointwise)(&job) };
    }

    /// Adds `chunk 0 ^T chunk 1` to a pointwise kernel's gradient.
    ///
    /// # Safety
    /// The chunks hold `pixels` pixels.
    pub(super) unsafe fn pointwise_weights(
        &self,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        pixels: usize,
    ) {
        let job = PointwiseWeights {
            a: self.chunk[0],
            d: self.chunk[1],
            weights: self.gradient(kernel),
            pixels,
            inputs,
            outputs,
        };
        // SAFETY: the chunks hold `pixels` pixels.
        unsafe { (self.table(outputs).pointwise_weight_gradient)(&job) };
    }

    /// Adds to the moments of a normalisation; only training reads them.
    ///
    /// # Safety
    /// `y` holds `pixels` pixels.
    pub(super) unsafe fn moments(&self, norm: &Norm, y: *const f32, pixels: usize) {
        if self.mode.train {
            let sums = self.sum(norm.moments);
            let job = Moments {
                y,
                pixels,
                channels: norm.channels,
                sums,
                copy: std::ptr::null_mut(),
            };
            // SAFETY: `y` holds `pixels` pixels.
            unsafe { (self.table(norm.channels).moments)(&job) };
        }
    }

    /// `sum g` and `sum g y` of one contiguous pair.
    pub(super) unsafe fn pair_sums(&self, size: Size, g: *const f32, y: *const f32, sums: usize) {
        // SAFETY: both hold an image of this size.
        unsafe {
            (self.table(size.channels).products)(&Products {
                g,
                g_pixel: size.channels,
                pixels: size.pixels(),
                channels: size.channels,
                sum_g: self.sum(sums),
                terms: &[Factor {
                    y,
                    y_pixel: size.channels,
                    sum_g: std::ptr::null_mut(),
                    sum_gy: self.sum(sums + size.channels),
                }],
            });
        }
    }

    /// Writes or adds image area 1 to `out` where the source is positive.
    ///
    /// # Safety
    /// All hold an image of this size.
    pub(super) unsafe fn masked(
        &self,
        size: Size,
        source: View,
        image: usize,
        out: Image,
        add: bool,
    ) {
        let (a, b) = self.view_coefficients(source);
        // SAFETY: all hold an image of this size.
        unsafe {
            let x = self.at(source.place, image);
            (self.table(size.channels).masked)(&Masked {
                gradient: self.image[1],
                x: x.at,
                x_pixel: x.pixel,
                a,
                b,
                out: out.at,
                out_pixel: out.pixel,
                pixels: size.pixels(),
                channels: size.channels,
                add,
            });
        }
    }
}

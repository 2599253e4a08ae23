//! One thread's view of a pass, and the way to everything that tasks read and write.

use std::ops::Range;

use super::engine::Mode;
use super::pass::Pass;
use crate::plan::{BufferAt, Norm, Place, Plan, View};
use crate::table::{Level, Table};
use crate::team::Barrier;

/// What threads write to, each its own part.
pub(super) struct Shared {
    pub(super) private: *mut f32,
    pub(super) sums: *mut f64,
    pub(super) arena: *mut f32,
    pub(super) transposed: *mut f32,
    pub(super) statistics: *mut f32,
    pub(super) gradients: *mut f32,
    pub(super) outputs: *mut f32,
    pub(super) op_weight_gradients: *mut f64,
    pub(super) results: *mut [f64; 2],
}
// SAFETY: threads write disjoint parts: their images of the arena and the outputs, their private memory and sums, their
// share of parameters and transposes; statistics and op weight gradients are thread 0's. What others read, they read
// after a barrier.
unsafe impl Sync for Shared {}

/// One thread's view of a pass.
pub(super) struct Worker<'a> {
    pub(super) plan: &'a Plan,
    /// Where they lie in this pass.
    pub(super) buffers: &'a [BufferAt],
    pub(super) level: Level,
    pub(super) barrier: &'a Barrier,
    pub(super) pass: Pass<'a>,
    pub(super) labels: &'a [u32],
    pub(super) mode: Mode,
    pub(super) shared: &'a Shared,
    pub(super) thread: usize,
    pub(super) threads: usize,
    /// f32 from a thread's private memory to the next thread's.
    pub(super) private_len: usize,
    /// Images of the batch, and this thread's among them.
    pub(super) batch: usize,
    pub(super) images: Range<usize>,
    pub(super) tile: *mut f32,
    pub(super) gradient_tile: *mut f32,
    pub(super) image: [*mut f32; 3],
    pub(super) chunk: [*mut f32; 4],
    pub(super) vectors: *mut f32,
    pub(super) gradients: *mut f32,
    pub(super) sums: *mut f64,
}

/// A tensor of one image as a task sees it.
#[derive(Clone, Copy)]
pub(super) struct Image {
    pub(super) at: *mut f32,
    pub(super) pixel: usize,
}

impl Worker<'_> {
    pub(super) fn table(&self, channels: usize) -> &'static Table {
        self.level.table(channels)
    }

    /// An image's tensor.
    ///
    /// # Safety
    /// `image` is this thread's.
    pub(super) unsafe fn at(&self, place: Place, image: usize) -> Image {
        // SAFETY: the buffer holds `plan.batch` images from its offset on.
        let at = unsafe {
            let buffer = self.buffers[place.buffer];
            let arena = self.shared.arena.add(buffer.offset);
            arena.add(image * buffer.image + place.at)
        };
        Image {
            at,
            pixel: place.pixel,
        }
    }

    /// The coefficients that a view is read through, null where there are none.
    pub(super) fn view_coefficients(&self, view: View) -> (*const f32, *const f32) {
        match view.norm {
            Some(norm) => {
                let norm: &Norm = &self.plan.norms[norm];
                (self.vector(norm.a_vector), self.vector(norm.b_vector))
            }
            None => (std::ptr::null(), std::ptr::null()),
        }
    }

    pub(super) fn vector(&self, at: usize) -> *mut f32 {
        debug_assert!(at < self.plan.vectors_len);
        // SAFETY: vectors were allotted by the builder.
        unsafe { self.vectors.add(at) }
    }

    pub(super) fn sum(&self, at: usize) -> *mut f64 {
        debug_assert!(at < self.plan.sums_len);
        // SAFETY: sums were allotted by the builder.
        unsafe { self.sums.add(at) }
    }

    pub(super) fn parameter(&self, at: usize) -> *const f32 {
        self.pass.parameters[at..].as_ptr()
    }

    pub(super) fn transposed(&self, at: usize) -> *const f32 {
        debug_assert!(at < self.plan.transposed_len);
        // SAFETY: transposes were allotted by the builder.
        unsafe { self.shared.transposed.add(at) }
    }

    pub(super) fn gradient(&self, at: usize) -> *mut f32 {
        debug_assert!(at < self.plan.slab_len);
        // SAFETY: as the parameters.
        unsafe { self.gradients.add(at) }
    }

    /// Adds up a sum over the threads, in their order.
    ///
    /// # Safety
    /// A barrier lies between the last write to the sum and this.
    pub(super) unsafe fn total(&self, at: usize) -> f64 {
        let mut total = 0.0;
        for thread in 0..self.threads {
            // SAFETY: every thread has its own `sums_len` sums.
            total += unsafe { *self.shared.sums.add(thread * self.plan.sums_len + at) };
        }
        total
    }
}

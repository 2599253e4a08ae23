//! The pools of a bank, there and back.

use super::terms::Terms;
use super::{Image, Worker};
use crate::elementwise::Mix;
use crate::plan::Bank;
use crate::pool::{Pool, PoolKind};

impl Worker<'_> {
    /// The pools of one image.
    ///
    /// # Safety
    /// `image` is this thread's.
    pub(super) unsafe fn pools(&self, bank: &Bank, image: usize) {
        if bank.pools.is_empty() {
            return;
        }
        // SAFETY: places have the sizes of the plan, image area 0 holds an image of the source.
        unsafe {
            self.load_raw(bank.source, bank.size, image);
            for pool in &bank.pools {
                let y = self.at(pool.y.place, image);
                (self.table(bank.size.channels).pool)(&self.pool(pool.kind, bank, y));
            }
        }
    }

    /// The pools of a bank for the backward pass, which reads them.
    ///
    /// # Safety
    /// See [`Self::input`].
    pub(super) unsafe fn pools_again(&self, bank: &Bank) {
        for image in self.images.clone() {
            // SAFETY: the source of this thread's images is complete.
            unsafe { self.pools(bank, image) };
        }
    }

    /// The job of a pool over image area 0.
    fn pool(&self, kind: PoolKind, bank: &Bank, y: Image) -> Pool {
        Pool {
            kind,
            stride: bank.stride,
            height: bank.size.height,
            width: bank.size.width,
            channels: bank.size.channels,
            input: self.image[0],
            output: y.at,
            output_gradient: std::ptr::null(),
            input_gradient: std::ptr::null_mut(),
        }
    }

    /// The gradient of the source through its pools, into image area 1.
    ///
    /// # Safety
    /// `image` is this thread's.
    pub(super) unsafe fn bank_pools_back(&self, bank: &Bank, image: usize) {
        let out = bank.size.strided(bank.stride);
        // SAFETY: image areas hold an image of the source, of which `out` is a part at most.
        unsafe {
            self.load_raw(bank.source, bank.size, image);
            self.image[1].write_bytes(0, bank.size.len());
            for pool in &bank.pools {
                let y = self.at(pool.y.place, image);
                let mut terms = Terms::new();
                for target in &pool.targets {
                    self.push_target(&mut terms, *target, image);
                }
                let mut shift = std::ptr::null();
                if let Some(norm) = pool.y.norm.map(|n| &self.plan.norms[n]) {
                    terms.push(y.at, y.pixel, self.vector(norm.back_y_vector));
                    shift = self.vector(norm.back_shift_vector);
                }
                (self.table(out.channels).mix)(&Mix {
                    terms: terms.as_slice(),
                    shift,
                    out: self.image[2],
                    out_pixel: out.channels,
                    pixels: out.pixels(),
                    channels: out.channels,
                    add: false,
                    ahead: 16,
                });
                (self.table(out.channels).pool_gradient)(&Pool {
                    output_gradient: self.image[2],
                    input_gradient: self.image[1],
                    ..self.pool(pool.kind, bank, y)
                });
            }
        }
    }
}

//! Page-locked memory of the host: what is copied through it is copied while the processor goes on. Copies out of ordinary
//! memory may wait for everything that was launched before.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{CudaContext, DriverError, result};

/// The smallest piece: enough for a step, its op weights, and how the images of a batch are shown.
const LEAST_BYTES: usize = 16 << 10;
/// The largest: enough for a batch of images as numbers.
pub(super) const MOST_BYTES: usize = 8 << 20;

/// Memory that stays where it is.
pub(super) struct Pinned {
    at: *mut u8,
    len: usize,
    context: Arc<CudaContext>,
}

// SAFETY: the memory belongs to this value alone.
unsafe impl Send for Pinned {}

impl Pinned {
    fn new(context: &Arc<CudaContext>, len: usize) -> Result<Self, DriverError> {
        context.bind_to_thread()?;
        // SAFETY: the memory is written below before anybody reads it.
        let at = unsafe { result::malloc_host(len, 0) }?.cast::<u8>();
        // SAFETY: `len` bytes have been allocated there.
        unsafe { at.write_bytes(0, len) };
        Ok(Self {
            at,
            len,
            context: Arc::clone(context),
        })
    }

    /// The first `len` bytes.
    pub(super) fn bytes(&mut self, len: usize) -> &mut [u8] {
        assert!(len <= self.len);
        // SAFETY: `self.len` initialised bytes lie there, and nobody else has a reference to them.
        unsafe { std::slice::from_raw_parts_mut(self.at, len) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // An error kept from an earlier call comes back instead, once.
        let bound = self.context.bind_to_thread();
        if bound.or_else(|_| self.context.bind_to_thread()).is_ok() {
            // SAFETY: the memory came from `malloc_host`, and whoever dropped this has waited for its copies.
            let _ = unsafe { result::free_host(self.at.cast::<c_void>()) };
        }
    }
}

/// Memory for copies under way, used again when they are done.
#[derive(Default)]
pub(super) struct Staging {
    free: Vec<Pinned>,
    /// With the number of the copy, rising.
    leaving: VecDeque<(u64, Pinned)>,
    copies: u64,
}

impl Staging {
    /// Memory of at least `len` bytes.
    pub(super) fn take(
        &mut self,
        context: &Arc<CudaContext>,
        len: usize,
    ) -> Result<Pinned, DriverError> {
        let class = len.max(LEAST_BYTES).next_power_of_two();
        match self.free.iter().position(|pinned| pinned.len == class) {
            Some(index) => Ok(self.free.swap_remove(index)),
            None => Pinned::new(context, class),
        }
    }

    /// Takes memory back whose copy has begun.
    pub(super) fn give(&mut self, pinned: Pinned) {
        self.copies += 1;
        self.leaving.push_back((self.copies, pinned));
    }

    /// Takes memory back whose copy is done.
    pub(super) fn give_now(&mut self, pinned: Pinned) {
        self.free.push(pinned);
    }

    /// How many copies have begun.
    pub(super) fn copies(&self) -> u64 {
        self.copies
    }

    /// So many copies are done, the first ones: what runs in order runs to its end in order.
    pub(super) fn done(&mut self, copies: u64) {
        while self
            .leaving
            .front()
            .is_some_and(|(copy, _)| *copy <= copies)
        {
            let first = self.leaving.pop_front();
            self.free.extend(first.map(|(_, pinned)| pinned));
        }
    }
}

//! Page-locked memory of the host: what is copied through it is copied while the processor goes on. Copies out of ordinary
//! memory may wait for everything that was launched before.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{CudaContext, CudaEvent, DriverError, result};

/// Enough for a step, its op weights, and how the images of a batch are shown.
pub(super) const STAGED_BYTES: usize = 16 << 10;

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
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: the memory came from `malloc_host`, and whoever dropped this has waited for its copies.
            let _ = unsafe { result::free_host(self.at.cast::<c_void>()) };
        }
    }
}

/// Memory for copies under way, used again when they are done.
#[derive(Default)]
pub(super) struct Staging {
    free: Vec<Pinned>,
    /// With what has happened when the copy is done, in this order.
    leaving: VecDeque<(Pinned, CudaEvent)>,
}

impl Staging {
    /// Memory of at least `len` bytes.
    pub(super) fn take(
        &mut self,
        context: &Arc<CudaContext>,
        len: usize,
    ) -> Result<Pinned, DriverError> {
        while let Some((_, done)) = self.leaving.front() {
            if !done.try_is_complete()? {
                break;
            }
            self.free
                .extend(self.leaving.pop_front().map(|(pinned, _)| pinned));
        }
        match self.free.iter().position(|pinned| pinned.len >= len) {
            Some(index) => Ok(self.free.swap_remove(index)),
            None => Pinned::new(context, len.max(STAGED_BYTES)),
        }
    }

    /// Takes memory back when `done` has happened.
    pub(super) fn give(&mut self, pinned: Pinned, done: CudaEvent) {
        self.leaving.push_back((pinned, done));
    }

    /// Takes memory back whose copy is done.
    pub(super) fn give_now(&mut self, pinned: Pinned) {
        self.free.push(pinned);
    }
}

//! Memory for activations: zeroed, given back to the system when dropped, in large pages where the system has them.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// f32 values of their own mapping. A step streams through all of them, which with pages of 4 KiB costs an address
/// translation per page and pass.
#[derive(Default)]
pub(crate) struct Memory(Option<MmapMut>);

impl Memory {
    /// `len` zeros.
    ///
    /// # Errors
    /// If the system has not that much memory.
    pub(crate) fn zeroed(len: usize) -> std::io::Result<Self> {
        if len == 0 {
            return Ok(Self::default());
        }
        let map = MmapMut::map_anon(len * size_of::<f32>())?;
        // Only advice: a system without large pages runs on small ones.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Self(Some(map)))
    }
}

impl Deref for Memory {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let bytes = self.0.as_deref().unwrap_or_default();
        // SAFETY: a mapping begins on a page, and every bit pattern is an f32.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<f32>()) }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [f32] {
        let bytes = self.0.as_deref_mut().unwrap_or_default();
        // SAFETY: as above, and the mapping is this value's own.
        unsafe {
            std::slice::from_raw_parts_mut(
                bytes.as_mut_ptr().cast(),
                bytes.len() / size_of::<f32>(),
            )
        }
    }
}

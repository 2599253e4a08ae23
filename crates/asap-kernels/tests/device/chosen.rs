//! The device that tests run on: the host, or the GPU that `ASAP_TEST_DEVICE` names, as `cuda` or `cuda:N`.

use asap_kernels::device::Device;

use crate::host::HostDevice;

const VARIABLE: &str = "ASAP_TEST_DEVICE";

/// The device that was chosen. On the host `seed` begins the orders of threads; a GPU has its own.
///
/// # Panics
/// If a GPU was chosen that cannot be had: the host never stands in for it.
pub(crate) fn device(seed: u32) -> Box<dyn Device> {
    match gpu() {
        Some(ordinal) => cuda(ordinal),
        None => Box::new(HostDevice::new(seed)),
    }
}

/// The number of the GPU that was chosen, none if it is the host.
///
/// # Panics
/// If the variable names something else.
pub(crate) fn gpu() -> Option<usize> {
    let name = std::env::var_os(VARIABLE)?;
    let name = name.to_string_lossy();
    let ordinal = match name.strip_prefix("cuda") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix(':').and_then(|n| n.parse().ok()),
        None => None,
    };
    assert!(
        ordinal.is_some(),
        "{VARIABLE}: expected cuda or cuda:N, found `{name}`"
    );
    ordinal
}

#[cfg(feature = "cuda")]
fn cuda(ordinal: usize) -> Box<dyn Device> {
    use std::cell::RefCell;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    // Who gets or gives back memory may wait for all that runs on a GPU, which is forbidden while another thread records a graph: a
    // test has the GPU for itself until its thread ends.
    static TURN: Mutex<()> = Mutex::new(());
    thread_local! {
        static MINE: RefCell<Option<MutexGuard<'static, ()>>> = const { RefCell::new(None) };
    }
    MINE.with_borrow_mut(|mine| {
        mine.get_or_insert_with(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
    });
    match asap_kernels::device::CudaDevice::new(ordinal) {
        Ok(device) => Box::new(device),
        Err(error) => panic!("{VARIABLE} names a GPU, and there is none to be had: {error}"),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(_ordinal: usize) -> Box<dyn Device> {
    panic!(
        "{VARIABLE} names a GPU, and these tests were built without the feature `cuda`: `cargo xtask cuda test --on-gpu` builds \
         them with it"
    )
}

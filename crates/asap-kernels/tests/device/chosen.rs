//! The device that tests run on, as `ASAP_TEST_DEVICE` names it: the host, unless it is set; `stand-in`, what a build for GPUs does, with
//! a driver that has none (`tests/driver`); or a GPU, `cuda` or `cuda:N`.

use asap_kernels::device::Device;

use crate::host::HostDevice;

const VARIABLE: &str = "ASAP_TEST_DEVICE";

/// What runs the kernels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The host.
    Host,
    /// The host too, behind the driver's functions.
    StandIn,
    /// The GPU with this number.
    Gpu(usize),
}

/// The device that was chosen. On the host `seed` begins the orders of threads; the others have their own.
///
/// # Panics
/// If one was chosen that cannot be had: the host never stands in for it unasked.
pub(crate) fn device(seed: u32) -> Box<dyn Device> {
    match chosen() {
        Chosen::Host => Box::new(HostDevice::new(seed)),
        Chosen::StandIn => {
            #[cfg(feature = "cuda")]
            crate::compile::stand_in();
            cuda(0)
        }
        Chosen::Gpu(ordinal) => cuda(ordinal),
    }
}

/// What was chosen.
///
/// # Panics
/// If the variable names something else.
pub(crate) fn chosen() -> Chosen {
    let Some(name) = std::env::var_os(VARIABLE) else {
        return Chosen::Host;
    };
    let name = name.to_string_lossy();
    if name == "stand-in" {
        return Chosen::StandIn;
    }
    let ordinal = match name.strip_prefix("cuda") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix(':').and_then(|n| n.parse().ok()),
        None => None,
    };
    match ordinal {
        Some(ordinal) => Chosen::Gpu(ordinal),
        None => panic!("{VARIABLE}: expected cuda, cuda:N or stand-in, found `{name}`"),
    }
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
        Err(error) => panic!("{VARIABLE} names a device, and it cannot be had: {error}"),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(_ordinal: usize) -> Box<dyn Device> {
    panic!(
        "{VARIABLE} names a device, and these tests were built without the feature `cuda`: `cargo xtask cuda test` builds them with it"
    )
}

//! What the stand-in does beside being a driver: it fails where it is told to, and tells what it has seen.

use std::ffi::{CString, c_char, c_int, c_uint};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libloading::Library;

use crate::compile;

/// When what is launched runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// When somebody waits for it.
    Late,
    /// At once.
    Early,
    /// At moments that this decides, above 1.
    Seed(u64),
}

/// The stand-in, for one test at a time.
pub(crate) struct StandIn {
    library: &'static Library,
    _turn: MutexGuard<'static, ()>,
}

impl StandIn {
    /// As if nothing had happened before.
    pub(crate) fn new(order: Order) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let stand_in = Self {
            library: compile::stand_in(),
            _turn: turn,
        };
        stand_in.begin(order);
        stand_in
    }

    /// Begins anew: nothing is to fail any more.
    pub(crate) fn begin(&self, order: Order) {
        let order = match order {
            Order::Late => 0,
            Order::Early => 1,
            Order::Seed(seed) => seed,
        };
        self.call::<unsafe extern "C" fn(u64)>("asap_stand_in_begin", |begin| {
            // SAFETY: the type is that of the function in `state.cpp`.
            unsafe { begin(order) }
        });
    }

    /// Lets a call of one of the driver's functions fail with the driver's number `status`, or a launch as it runs (`a kernel`), after
    /// so many that do not; `for_good`: and every call that follows.
    pub(crate) fn fail(&self, function: &str, calls_before: u32, status: u32, for_good: bool) {
        type Fail = unsafe extern "C" fn(*const c_char, c_uint, c_int, c_int);
        let function = CString::new(function).unwrap();
        self.call::<Fail>("asap_stand_in_fail", |fail| {
            // SAFETY: the type is that of the function in `state.cpp`, and the name ends in a zero.
            unsafe {
                fail(
                    function.as_ptr(),
                    calls_before,
                    status as c_int,
                    for_good.into(),
                )
            }
        });
    }

    /// Gives a block at most so many bytes of shared memory.
    pub(crate) fn give_shared(&self, bytes: u32) {
        self.call::<unsafe extern "C" fn(c_uint)>("asap_stand_in_shared", |give| {
            // SAFETY: the type is that of the function in `state.cpp`.
            unsafe { give(bytes) }
        });
    }

    /// Keeps mistakes, which [`Self::finding`] tells, instead of ending the process.
    pub(crate) fn keep_finding(&self) {
        self.call::<unsafe extern "C" fn()>("asap_stand_in_keep", |keep| {
            // SAFETY: the type is that of the function in `state.cpp`.
            unsafe { keep() }
        });
    }

    /// The first mistake.
    pub(crate) fn finding(&self) -> String {
        self.text("asap_stand_in_finding")
    }

    /// What was made and not given back.
    pub(crate) fn left(&self) -> String {
        self.text("asap_stand_in_left")
    }

    fn text(&self, function: &str) -> String {
        let mut text = [0_u8; 1024];
        self.call::<unsafe extern "C" fn(*mut c_char, usize)>(function, |write| {
            // SAFETY: the type is that of the functions in `state.cpp`, and the text has the length given.
            unsafe { write(text.as_mut_ptr().cast(), text.len()) }
        });
        let end = text.iter().position(|byte| *byte == 0).unwrap();
        String::from_utf8(text[..end].to_vec()).unwrap()
    }

    fn call<F: Copy>(&self, function: &str, with: impl FnOnce(F)) {
        // SAFETY: callers name a function with its type, and nothing is called here.
        let function = unsafe { self.library.get::<F>(function) }.unwrap();
        with(*function);
    }
}

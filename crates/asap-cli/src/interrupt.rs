//! Ctrl-C: the first asks the run to save and stop, the second ends the program at once.

use crate::output;
use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code that shells give a program ended by Ctrl-C: 128 and the number of the signal.
pub(crate) const EXIT_CODE: u8 = 130;

/// A flag that becomes true when Ctrl-C is pressed.
///
/// # Errors
/// If the system does not let the program know of Ctrl-C.
pub(crate) fn flag() -> Result<Arc<AtomicBool>> {
    let pressed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&pressed);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_CODE));
        }
        output::note("\nsaving; Ctrl-C again ends at once");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(pressed)
}

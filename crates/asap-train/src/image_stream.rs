//! Batches without an end: pass after pass over the same images, each pass in an order of its own.
//!
//! Which images come, and how they are varied, is a function of the number of the batch alone. A run
//! that goes on at batch `n` sees what it would have seen.

use asap_data::{Batch, Batches, Prepared};

use crate::error::Result;

/// Batches `first`, `first + 1`, ... of an endless series.
pub(crate) struct ImageStream {
    batches: Batches,
    per_pass: usize,
    next: usize,
    pass: Option<Prepared>,
}

impl ImageStream {
    /// A stream that starts at batch `first`.
    pub(crate) fn new(batches: Batches, first: usize) -> Self {
        let per_pass = batches.steps_per_epoch();
        Self {
            batches,
            per_pass,
            next: first,
            pass: None,
        }
    }

    /// The next batch.
    pub(crate) fn next(&mut self) -> Result<Batch> {
        let (pass, position) = (self.next / self.per_pass, self.next % self.per_pass);
        if position == 0 {
            self.pass = None;
        }
        let current = self
            .pass
            .get_or_insert_with(|| self.batches.epoch(pass, position));
        let batch = current.next().expect("a pass has all its batches")?;
        self.next += 1;
        Ok(batch)
    }
}

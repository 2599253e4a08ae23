//! Tests of the annealing as others use it: everything here goes through the public interface.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod forcing;
mod gradients;
mod ledgers;
mod none;
mod planning;
mod properties;
mod pruning;
mod schedules;
mod set;
mod states;
mod walk;

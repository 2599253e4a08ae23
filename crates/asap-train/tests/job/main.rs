//! Whole runs, small enough for a test: to their end, stopped and resumed, and gone wrong.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod failure;
mod recipes;
mod resume;
mod scene;
mod whole;

//! The fast operations compute what the plain reference forms compute: values and every gradient.
//!
//! Everything goes in and out through the public functions for candle, at every instruction set of this processor and
//! with one, two and three threads.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod autograd;
mod bad_arguments;
mod case;
mod cell_inputs;
mod compare;
mod fast;
mod finite_differences;
mod forms;
mod kinks;
mod operations;
mod padding;
mod plain;
mod random;
mod same_bits;

//! Runs a plan: forward and backward over buffers laid out once.
//!
//! Every thread runs every task on its own images; tasks that need sums over all images come after a barrier and are
//! computed by every thread for itself, from the threads' partial sums in a fixed order. So results are the same bit
//! for bit for the same number of threads, and nobody waits for one thread's serial part.

mod auxiliary;
mod bank;
mod chain;
mod coefficients;
mod dense;
mod doors;
mod drop_path;
mod engine;
mod head;
mod input;
mod jobs;
mod node;
mod pass;
mod pools;
mod reduce;
mod shares;
mod stem;
mod tasks;
mod terms;
mod tile;
mod worker;

pub use engine::Engine;
pub use pass::{Outcome, Pass, Wanted};

use worker::{Image, Worker};

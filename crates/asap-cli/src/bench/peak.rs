//! `asap bench peak`: the arithmetic that this machine can do, in f32 operations per second.
//!
//! Every thread multiplies matrices of its own, all at the same time, with candle's product: blocked for
//! registers and caches, so that arithmetic alone limits it. A step of a network cannot be faster than its own
//! arithmetic at this speed.

use crate::output;
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use serde::Serialize;
use std::time::Instant;

/// Rows and columns of a matrix: its packing and its edges no longer show.
const SIZE: usize = 1536;
/// The fastest of them counts: other programs can only take away.
const ROUNDS: usize = 8;

/// Settings of `asap bench peak`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Threads that multiply at the same time [default: as many as the machine has cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// One line of figures.
#[derive(Serialize)]
struct Report {
    threads: usize,
    size: usize,
    /// Of the fastest round, all threads together; a multiply-accumulate is two operations.
    gflops: f64,
    min_round_s: f64,
}

/// Measures and prints the line.
///
/// # Errors
/// If there is no thread to measure, threads cannot be started, or memory is short.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.unwrap_or_else(cores);
    ensure!(threads > 0, "--threads: expected at least 1, found 0");
    output::line(serde_json::to_string(&measure(threads, SIZE)?)?)
}

fn measure(threads: usize, size: usize) -> Result<Report> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .context("cannot start threads")?;
    let (first, second) = (matrix(size)?, matrix(size)?);
    let multiply = || -> Result<()> {
        let products = pool.broadcast(|_| first.matmul(&second));
        products.into_iter().try_for_each(|product| {
            product?;
            Ok(())
        })
    };
    multiply()?; // Wakes the threads and takes the memory.
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        multiply()?;
        fastest = fastest.min(started.elapsed().as_secs_f64());
    }
    let operations = 2.0 * (size as f64).powi(3) * threads as f64;
    Ok(Report {
        threads,
        size,
        gflops: operations / fastest / 1e9,
        min_round_s: fastest,
    })
}

/// Small whole numbers: no infinities, and no subnormal numbers, which are slow.
fn matrix(size: usize) -> Result<Tensor> {
    let values: Vec<f32> = (0..size * size).map(|i| (i % 7 + 1) as f32).collect();
    Ok(Tensor::from_vec(values, (size, size), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn the_rate_is_the_work_of_all_threads_in_the_time_of_a_round() {
        let report = measure(3, 64).unwrap();
        let operations = report.gflops * 1e9 * report.min_round_s;
        let expected = 3.0 * 2.0 * 64.0_f64.powi(3);
        assert!((operations / expected - 1.0).abs() < 1e-9, "{operations}");
        assert!(report.gflops.is_finite() && report.gflops > 0.0);
    }
}

//! One round: what both programs and the peak measurement said, and whether it counts.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The least share of its threads that a program must have had. With less, something else ran beside it.
const LEAST_SHARE: f64 = 0.9;

/// The figures of one run of one program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) seconds: f64,
    pub(super) cpu_seconds: f64,
    pub(super) peak_mib: f64,
    /// Held before there was a network.
    pub(super) base_mib: f64,
}

impl Run {
    fn new(line: &Value) -> Result<Self> {
        Ok(Self {
            seconds: number(line, "median_step_s")?,
            cpu_seconds: number(line, "median_cpu_s")?,
            peak_mib: number(line, "peak_rss_mib")?,
            base_mib: number(line, "base_rss_mib")?,
        })
    }

    pub(super) fn above_base_mib(&self) -> f64 {
        self.peak_mib - self.base_mib
    }

    /// How many threads computed, on average.
    fn busy_threads(&self) -> f64 {
        self.cpu_seconds / self.seconds
    }
}

/// Both programs, one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Round {
    pub(super) asap: Run,
    pub(super) peer: Run,
    /// Multiply-accumulates of a forward pass over one batch.
    pub(super) macs: f64,
    /// f32 operations a second that the machine can do, in units of 1e9.
    pub(super) peak_gflops: f64,
}

impl Round {
    /// A round from the three lines that were printed.
    ///
    /// # Errors
    /// If a figure is missing, or the programs did not compute the same network on as many images.
    pub(super) fn new(peak: &Value, asap: &Value, peer: &Value) -> Result<Self> {
        for field in ["macs_per_image", "weights", "batch", "threads"] {
            let (ours, theirs) = (number(asap, field)?, number(peer, field)?);
            ensure!(
                ours == theirs,
                "the programs differ in {field}: {ours} in asap, {theirs} in PyTorch"
            );
        }
        Ok(Self {
            asap: Run::new(asap).context("asap")?,
            peer: Run::new(peer).context("PyTorch")?,
            macs: number(asap, "macs_per_image")? * number(asap, "batch")?,
            peak_gflops: number(peak, "gflops")?,
        })
    }

    /// Whether both programs had `threads` threads to themselves.
    pub(super) fn is_quiet(&self, threads: f64) -> bool {
        [self.asap, self.peer]
            .iter()
            .all(|run| run.busy_threads() >= LEAST_SHARE * threads)
    }
}

/// A round in one line, for who watches.
pub(super) fn described(round: &Round, number: u32, size: &str, threads: f64) -> String {
    let run = |run: &Run| {
        format!(
            "{:.3} s, {:.2} threads busy",
            run.seconds,
            run.busy_threads()
        )
    };
    let mut text = format!(
        "{size}, round {number}: asap {}; PyTorch {}",
        run(&round.asap),
        run(&round.peer)
    );
    if !round.is_quiet(threads) {
        let least = LEAST_SHARE * threads;
        text += &format!("; left out, since less than {least:.2} were busy");
    }
    text
}

fn number(line: &Value, field: &str) -> Result<f64> {
    let value = &line[field];
    value
        .as_f64()
        .with_context(|| format!("expected a number in `{field}`, found {value}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use serde_json::json;

    fn line(seconds: f64, cpu: f64) -> Value {
        json!({
            "macs_per_image": 100, "weights": 7, "batch": 4, "threads": 2,
            "median_step_s": seconds, "median_cpu_s": cpu,
            "peak_rss_mib": 300.5, "base_rss_mib": 100.0,
        })
    }

    fn round(asap: &Value, peer: &Value) -> Result<Round> {
        Round::new(&json!({"gflops": 150.0}), asap, peer)
    }

    #[test]
    fn a_round_holds_what_the_lines_say() {
        let round = round(&line(0.5, 1.0), &line(2.0, 3.9)).unwrap();
        assert_eq!((round.asap.seconds, round.peer.seconds), (0.5, 2.0));
        assert_eq!(round.asap.above_base_mib(), 200.5);
        assert_eq!((round.macs, round.peak_gflops), (400.0, 150.0));
    }

    #[test]
    fn a_round_counts_if_both_programs_had_their_threads() {
        for (asap, peer, expected) in [
            (1.8, 1.8, true),
            (2.0, 1.79, false),
            (1.79, 2.0, false),
            (1.0, 1.0, false),
        ] {
            let round = round(&line(1.0, asap), &line(1.0, peer)).unwrap();
            assert_eq!(round.is_quiet(2.0), expected, "{asap} {peer}");
            let text = described(&round, 3, "small", 2.0);
            assert_eq!(text.contains("left out"), !expected, "{text}");
        }
    }

    #[test]
    fn a_missing_figure_is_named() {
        let mut without = line(1.0, 2.0);
        without["median_cpu_s"] = Value::Null;
        let error = format!("{:#}", round(&line(1.0, 2.0), &without).unwrap_err());
        assert!(error.contains("PyTorch") && error.contains("`median_cpu_s`, found null"));
    }

    #[test]
    fn programs_that_compute_something_else_are_not_compared() {
        let mut other = line(1.0, 2.0);
        other["weights"] = json!(8);
        let error = round(&line(1.0, 2.0), &other).unwrap_err().to_string();
        assert!(
            error.contains("weights: 7 in asap, 8 in PyTorch"),
            "{error}"
        );
    }
}

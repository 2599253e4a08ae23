//! One round: what every program said, and whether it counts.

use super::contest;
use super::program::{Programs, number};
use super::subject::{Contender, Subject};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The least share of its threads that a program must have had. With less, something else ran beside it.
const LEAST_SHARE: f64 = 0.9;

/// The figures of one run of one program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) threads: u32,
    pub(super) seconds: f64,
    pub(super) cpu_seconds: f64,
    pub(super) peak_mib: f64,
    /// Held before there was a network.
    pub(super) base_mib: f64,
    /// Multiply-accumulates of a forward pass over one batch.
    pub(super) macs: f64,
    /// f32 operations a second that the machine can do on the same threads, in units of 1e9.
    pub(super) peak_gflops: f64,
}

impl Run {
    fn new(line: &Value, peak_gflops: f64) -> Result<Self> {
        Ok(Self {
            threads: number(line, "threads")? as u32,
            seconds: number(line, "median_step_s")?,
            cpu_seconds: number(line, "median_cpu_s")?,
            peak_mib: number(line, "peak_rss_mib")?,
            base_mib: number(line, "base_rss_mib")?,
            macs: number(line, "macs_per_image")? * number(line, "batch")?,
            peak_gflops,
        })
    }

    pub(super) fn above_base_mib(&self) -> f64 {
        self.peak_mib - self.base_mib
    }

    /// How many threads computed, on average.
    pub(super) fn busy_threads(&self) -> f64 {
        self.cpu_seconds / self.seconds
    }

    fn had_its_threads(&self) -> bool {
        self.busy_threads() >= LEAST_SHARE * f64::from(self.threads)
    }
}

/// All programs, one after the other; a run for each contender.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round(pub(super) Vec<Run>);

impl Round {
    /// Measures the peak, then runs every program.
    ///
    /// # Errors
    /// If a program fails or leaves a figure out, or PyTorch did not compute the network of asap on as many images.
    pub(super) fn measure(programs: &Programs, subject: &Subject) -> Result<Self> {
        let threads = subject.contenders.iter().map(|contender| contender.threads);
        let peaks = threads
            .collect::<BTreeSet<u32>>()
            .into_iter()
            .map(|threads| Ok((threads, programs.peak_gflops(threads)?)))
            .collect::<Result<BTreeMap<u32, f64>>>()?;
        let step = |contender: &Contender| -> Result<(Value, f64)> {
            let threads = contender.threads;
            let line = programs.step(contender.program, threads, &contender.arguments)?;
            Ok((line, peaks[&threads]))
        };
        let lines: Result<Vec<_>> = subject.contenders.iter().map(step).collect();
        Self::new(subject, &lines?)
    }

    /// A round from the lines that were printed, each with the peak of its threads.
    fn new(subject: &Subject, lines: &[(Value, f64)]) -> Result<Self> {
        if let [(asap, _), (peer, _), ..] = lines {
            let fields = ["macs_per_image", "weights", "batch", "threads"];
            contest::same_work(asap, peer, &fields)?;
        }
        let runs = subject.contenders.iter().zip(lines);
        let runs =
            runs.map(|(contender, (line, peak))| Run::new(line, *peak).context(contender.name));
        Ok(Self(runs.collect::<Result<_>>()?))
    }

    /// Whether every program had its threads to itself.
    pub(super) fn is_quiet(&self) -> bool {
        self.0.iter().all(Run::had_its_threads)
    }
}

/// A round in one line, for who watches.
pub(super) fn described(subject: &Subject, number: usize, round: &Round) -> String {
    let mut text = format!("{}, round {number}", subject.name);
    let mut separator = ':';
    for (contender, run) in subject.contenders.iter().zip(&round.0) {
        text += &format!(
            "{separator} {} {:.3} s, {:.2} threads busy",
            contender.name,
            run.seconds,
            run.busy_threads()
        );
        separator = ';';
    }
    let disturbed = subject.contenders.iter().zip(&round.0);
    let disturbed = disturbed.filter(|(_, run)| !run.had_its_threads());
    let names: Vec<&str> = disturbed.map(|(contender, _)| contender.name).collect();
    if !names.is_empty() {
        text += &format!(
            "; left out, since less than {LEAST_SHARE} of the threads were busy in {}",
            names.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::subject::{Size, Step};
    use super::*;
    use serde_json::json;

    fn line(seconds: f64, cpu: f64) -> Value {
        json!({
            "macs_per_image": 100, "weights": 7, "batch": 4, "threads": 2,
            "median_step_s": seconds, "median_cpu_s": cpu,
            "peak_rss_mib": 300.5, "base_rss_mib": 100.0,
        })
    }

    fn subject() -> Subject {
        Subject::search(Size::Small, Step::Weight, 2)
    }

    fn round(asap: &Value, peer: &Value) -> Result<Round> {
        let lines = [(asap.clone(), 150.0), (peer.clone(), 150.0)];
        Round::new(&subject(), &lines)
    }

    #[test]
    fn a_round_holds_what_the_lines_say() {
        let round = round(&line(0.5, 1.0), &line(2.0, 3.9)).unwrap();
        let [asap, peer] = round.0[..] else {
            panic!("a run for each line");
        };
        assert_eq!((asap.seconds, peer.seconds), (0.5, 2.0));
        assert_eq!(asap.above_base_mib(), 200.5);
        assert_eq!((asap.macs, asap.peak_gflops), (400.0, 150.0));
    }

    #[test]
    fn a_round_counts_if_every_program_had_its_threads() {
        for (asap, peer, left_out) in [
            (1.8, 1.8, ""),
            (2.0, 1.79, "busy in PyTorch"),
            (1.79, 2.0, "busy in asap"),
            (1.0, 1.0, "busy in asap, PyTorch"),
        ] {
            let round = round(&line(1.0, asap), &line(1.0, peer)).unwrap();
            assert_eq!(round.is_quiet(), left_out.is_empty(), "{asap} {peer}");
            let text = described(&subject(), 3, &round);
            assert_eq!(text.contains("left out"), !left_out.is_empty(), "{text}");
            assert!(text.ends_with(left_out), "{text}");
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

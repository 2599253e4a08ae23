//! A step of asap and of PyTorch on a GPU, in rounds: the runs, what they must agree in, and how they are started.
//!
//! PyTorch's steps are timed one by one by the card's own clock, asap's by the processor's, from the first to the end of the last,
//! with every pause: if anything, that favours PyTorch. Every round counts in which both programs computed the same.

use super::configuration::{Configuration, Gpu, Trial};
use super::program::{Program, Programs, number};
use super::subject::{Contender, Subject};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Steps of a run that counts: unseen ones, in which algorithms are chosen and graphs recorded, and timed ones.
const STEPS: [&str; 4] = ["--warmup", "5", "--steps", "20"];
/// Steps of a run that finds out whether a configuration is worth more.
const BRIEF: [&str; 4] = ["--warmup", "5", "--steps", "5"];

/// A contest: what is compared, and on which card.
pub(crate) struct Contest<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) subject: &'a Subject,
    pub(crate) gpu: &'a Gpu,
}

/// The figures of one run of one program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GpuRun {
    pub(crate) seconds: f64,
    /// The most that was reserved above the context.
    pub(crate) device_bytes: f64,
    /// Kernels of a step; PyTorch does not say.
    pub(crate) launches: Option<f64>,
}

impl GpuRun {
    fn new(line: &Value) -> Result<Self> {
        Ok(Self {
            seconds: number(line, "median_step_s")?,
            device_bytes: number(line, "device_bytes")?,
            launches: line["launches"].as_f64(),
        })
    }
}

impl Contest<'_> {
    /// Runs PyTorch briefly in a configuration.
    ///
    /// # Errors
    /// If it does not work there.
    pub(crate) fn try_out(&self, configuration: Configuration, trials: &[Trial]) -> Result<Value> {
        let peer = &self.subject.contenders[1];
        self.peer(peer, configuration, trials, &BRIEF)
    }

    /// A step of asap with what each kernel did.
    ///
    /// # Errors
    /// If the program fails.
    pub(crate) fn profile(&self) -> Result<Value> {
        let asap = &self.subject.contenders[0];
        self.asap(asap, &["--profile"])
    }

    /// All programs in turns, PyTorch in its best configuration; a line for each contender.
    ///
    /// # Errors
    /// If a program fails, or PyTorch did not compute the network of asap on as many images.
    pub(crate) fn round(&self, best: Configuration, trials: &[Trial]) -> Result<Vec<Value>> {
        let line = |contender: &Contender| match contender.program {
            Program::Asap => self.asap(contender, &STEPS),
            _ => self.peer(contender, best, trials, &STEPS),
        };
        let lines: Vec<Value> = self
            .subject
            .contenders
            .iter()
            .map(line)
            .collect::<Result<_>>()?;
        runs(self.subject, &lines)?;
        Ok(lines)
    }

    fn asap(&self, contender: &Contender, more: &[&str]) -> Result<Value> {
        let more = more.iter().map(|&word| word.to_owned()).collect();
        self.run(contender, [self.gpu.for_asap(), more].concat())
    }

    fn peer(
        &self,
        contender: &Contender,
        configuration: Configuration,
        trials: &[Trial],
        more: &[&str],
    ) -> Result<Value> {
        let more = more.iter().map(|&word| word.to_owned()).collect();
        let how = configuration.arguments(&self.gpu.device, trials);
        self.run(contender, [how, more].concat())
    }

    fn run(&self, contender: &Contender, more: Vec<String>) -> Result<Value> {
        let arguments = [contender.arguments.clone(), more].concat();
        let line = self
            .programs
            .step(contender.program, contender.threads, &arguments);
        line.context(contender.name)
    }
}

/// The runs of a round from the lines that were printed, one for each contender.
///
/// # Errors
/// If a figure is missing, or PyTorch did not compute the network of asap on as many images.
pub(crate) fn runs(subject: &Subject, lines: &[Value]) -> Result<Vec<GpuRun>> {
    if let [asap, peer, ..] = lines {
        same_work(asap, peer, &["macs_per_image", "weights", "batch"])?;
    }
    let lines = subject.contenders.iter().zip(lines);
    lines
        .map(|(contender, line)| GpuRun::new(line).context(contender.name))
        .collect()
}

/// Refuses to compare programs that differ in a field.
///
/// # Errors
/// If they do, or one of them does not say.
pub(super) fn same_work(asap: &Value, peer: &Value, fields: &[&str]) -> Result<()> {
    for field in fields {
        let (ours, theirs) = (number(asap, field)?, number(peer, field)?);
        ensure!(
            ours == theirs,
            "the programs differ in {field}: {ours} in asap, {theirs} in PyTorch"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::subject::{Size, Step};
    use super::*;
    use serde_json::json;

    fn line() -> Value {
        json!({
            "macs_per_image": 100, "weights": 7, "batch": 4, "median_step_s": 0.01, "device_bytes": 1_048_576,
        })
    }

    #[test]
    fn a_round_counts_whatever_the_processor_did() {
        let subject = Subject::search(Size::Small, Step::Search, 2);
        let mut asap = line();
        asap["launches"] = json!(120);
        asap["median_cpu_s"] = json!(0.0);
        let runs = runs(&subject, &[asap, line()]).unwrap();
        assert_eq!((runs[0].launches, runs[1].launches), (Some(120.0), None));
        assert_eq!(runs[1].device_bytes, 1_048_576.0);
    }

    #[test]
    fn programs_that_compute_something_else_are_not_compared() {
        let subject = Subject::search(Size::Small, Step::Search, 2);
        for field in ["macs_per_image", "weights", "batch"] {
            let mut other = line();
            other[field] = json!(1);
            let error = runs(&subject, &[line(), other]).unwrap_err().to_string();
            assert!(error.contains(&format!("differ in {field}")), "{error}");
        }
    }
}

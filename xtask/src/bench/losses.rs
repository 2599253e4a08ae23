//! `cargo xtask bench --peer PYTHON --losses`: whether both programs compute the same.
//!
//! PyTorch writes the weights, alphas and batches that it starts from, and asap starts from these files. Both then train
//! on: if a program left work out, its losses would take another way. Training amplifies rounding, and PyTorch's own
//! memory layouts are further apart in f32 than asap may be from the truth. So the truth is what asap is held to: the
//! losses of the same steps in float64.

use super::compare::print;
use super::configuration::{Configuration, Gpu, Precision};
use super::program::Programs;
use super::subject::Subject;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Losses that are compared: of so many steps, the first of them before anything is learned.
pub(crate) const STEPS: usize = 5;
/// How far losses of asap may be from float64.
const TOLERANCE: f64 = 1e-3;
/// In less than f32, and on a GPU, which adds up in another order, rounding is what it is: so many times as far as PyTorch there is as
/// good.
const PEER_DISTANCES: f64 = 4.0;
/// The head of the table.
pub(crate) const HEADER: &str = "\
| network | step | program | loss 1 | loss 2 | loss 3 | loss 4 | loss 5 |
|---|---|---|---|---|---|---|---|
";

/// The losses of the programs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Losses {
    pub(crate) precision: Precision,
    pub(crate) on_gpu: bool,
    pub(crate) asap: [f64; STEPS],
    /// PyTorch in the same precision.
    pub(crate) peer: [f64; STEPS],
    /// PyTorch in float64.
    pub(crate) exact: [f64; STEPS],
}

/// Prints the losses of every subject side by side.
///
/// # Errors
/// If a program fails, a file cannot be written, or losses of asap are too far from those in float64.
pub(super) fn run(programs: &Programs, subjects: &[Subject], gpu: Option<&Gpu>) -> Result<()> {
    let mut text = HEADER.to_owned();
    let mut judged = Ok(());
    for subject in subjects {
        let losses = measure(programs, subject, gpu)
            .with_context(|| format!("the losses of {}", subject.name))?;
        text += &losses.rows(subject);
        judged = judged.and(losses.judged().with_context(|| subject.name.clone()));
    }
    print(&text);
    judged
}

/// The losses of a subject in all programs.
///
/// # Errors
/// If a program fails, or a file cannot be written.
pub(crate) fn measure(programs: &Programs, subject: &Subject, gpu: Option<&Gpu>) -> Result<Losses> {
    let precision = gpu.map_or(Precision::F32, |gpu| gpu.precision);
    let for_peer = |precision| match gpu {
        Some(gpu) => Configuration::eager(precision).arguments(&gpu.device, &[]),
        None => Vec::new(),
    };
    // In this order: PyTorch writes what asap reads.
    let peer = losses(programs, subject, 1, for_peer(precision))?;
    let for_asap = gpu.map_or(Vec::new(), Gpu::for_asap);
    let asap = losses(programs, subject, 0, for_asap)?;
    let double = [for_peer(Precision::F32), vec!["--double".to_owned()]].concat();
    let exact = losses(programs, subject, 1, double)?;
    Ok(Losses {
        precision,
        on_gpu: gpu.is_some(),
        asap,
        peer,
        exact,
    })
}

fn losses(
    programs: &Programs,
    subject: &Subject,
    contender: usize,
    more: Vec<String>,
) -> Result<[f64; STEPS]> {
    let contender = &subject.contenders[contender];
    let file = |name: &str| programs.exchange().join(name).display().to_string();
    let start = [
        "--weights".to_owned(),
        file("weights.safetensors"),
        "--inputs".to_owned(),
        file("inputs.safetensors"),
        "--warmup".to_owned(),
        "0".to_owned(),
        "--steps".to_owned(),
        STEPS.to_string(),
    ];
    let arguments = [&contender.arguments[..], &start, &more].concat();
    let line = programs.step(contender.program, contender.threads, &arguments);
    of_line(&line.context(contender.name)?).context(contender.name)
}

impl Losses {
    /// Whether asap is close enough to float64.
    ///
    /// # Errors
    /// If it is not; the message has both distances.
    pub(crate) fn judged(&self) -> Result<()> {
        let (ours, theirs) = (largest(self.distances()), largest(self.peer_distances()));
        let allowed = match self.precision {
            Precision::F32 if !self.on_gpu => TOLERANCE,
            _ => TOLERANCE.max(PEER_DISTANCES * theirs),
        };
        ensure!(
            ours <= allowed,
            "losses are {ours:.5} from float64, more than {allowed:.5}; PyTorch's are {theirs:.5} from it"
        );
        Ok(())
    }

    /// How far asap is from float64.
    fn distances(&self) -> [f64; STEPS] {
        std::array::from_fn(|i| (self.asap[i] - self.exact[i]).abs())
    }

    /// How far PyTorch is from float64.
    fn peer_distances(&self) -> [f64; STEPS] {
        std::array::from_fn(|i| (self.peer[i] - self.exact[i]).abs())
    }

    /// A row for each program and each distance.
    pub(crate) fn rows(&self, subject: &Subject) -> String {
        let precision = self.precision.name();
        let rows = [
            (format!("asap, {precision}"), self.asap),
            (format!("PyTorch, {precision}"), self.peer),
            ("PyTorch, float64".to_owned(), self.exact),
            ("distance of asap".to_owned(), self.distances()),
            ("distance of PyTorch".to_owned(), self.peer_distances()),
        ];
        let row = |(name, values): (String, [f64; STEPS])| {
            let values = values.map(|value| format!("{value:.5}"));
            let step = subject.step.name();
            format!(
                "| {} | {step} | {name} | {} |\n",
                subject.name,
                values.join(" | ")
            )
        };
        rows.into_iter().map(row).collect()
    }
}

fn largest(values: [f64; STEPS]) -> f64 {
    // A loss that is no number is as far away as can be.
    let distance = |value: f64| if value.is_nan() { f64::INFINITY } else { value };
    values.map(distance).into_iter().fold(0.0, f64::max)
}

/// The losses of a JSON value with a field `losses`.
///
/// # Errors
/// If there are not as many as steps.
fn of_line(line: &Value) -> Result<[f64; STEPS]> {
    let losses = &line["losses"];
    if let Some(values) = losses.as_array() {
        // Both programs write what is no number so.
        let finite = !values.contains(&Value::Null);
        ensure!(finite, "a loss is no number, or not finite: {losses}");
    }
    let values: Option<Vec<f64>> = losses
        .as_array()
        .and_then(|values| values.iter().map(Value::as_f64).collect());
    values
        .and_then(|values| values.try_into().ok())
        .with_context(|| format!("expected {STEPS} numbers in `losses`, found {losses}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::subject::{Size, Step};
    use super::*;
    use serde_json::json;

    fn fifth(precision: Precision, asap: f64, peer: f64, exact: f64) -> Losses {
        let losses = |fifth| [2.3, 2.1, 1.9, 1.7, fifth];
        Losses {
            precision,
            on_gpu: precision != Precision::F32,
            asap: losses(asap),
            peer: losses(peer),
            exact: losses(exact),
        }
    }

    #[test]
    fn losses_stand_side_by_side() {
        let losses = fifth(Precision::F32, 1.5002, 1.4990, 1.5);
        let text = losses.rows(&Subject::search(Size::Paper, Step::Search, 2));
        let first =
            "| paper | search | asap, f32 | 2.30000 | 2.10000 | 1.90000 | 1.70000 | 1.50020 |\n";
        let last = "\
            | paper | search | PyTorch, float64 | 2.30000 | 2.10000 | 1.90000 | 1.70000 | 1.50000 |\n\
            | paper | search | distance of asap | 0.00000 | 0.00000 | 0.00000 | 0.00000 | 0.00020 |\n\
            | paper | search | distance of PyTorch | 0.00000 | 0.00000 | 0.00000 | 0.00000 | 0.00100 |\n";
        assert!(text.starts_with(first) && text.ends_with(last), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[test]
    fn asap_is_held_to_float64_whatever_rounding_does_to_pytorch() {
        for (precision, asap, peer, holds) in [
            (Precision::F32, 1.5009, 1.4700, true),
            (Precision::F32, 1.5011, 1.5011, false),
            (Precision::Bf16, 1.5380, 1.4900, true),
            (Precision::Bf16, 1.5410, 1.4900, false),
            (Precision::Tf32, 1.5009, 1.5000, true),
            (Precision::Tf32, f64::NAN, 1.5000, false),
        ] {
            let judged = fifth(precision, asap, peer, 1.5).judged();
            assert_eq!(judged.is_ok(), holds, "{precision:?} {asap} {peer}");
        }
        let there = Losses {
            on_gpu: true,
            ..fifth(Precision::F32, 1.5011, 1.4990, 1.5)
        };
        assert!(there.judged().is_ok(), "sums are added in another order");
        let error = fifth(Precision::F32, 1.502, 1.47, 1.5)
            .judged()
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("0.00200 from float64"), "{text}");
        assert!(text.contains("PyTorch's are 0.03000"), "{text}");
    }

    #[test]
    fn a_line_without_five_losses_is_refused() {
        for (losses, named) in [
            (json!(null), "expected 5 numbers"),
            (json!([1.0, 2.0]), "expected 5 numbers"),
            (json!([1, 2, 3, 4, null]), "a loss is no number"),
        ] {
            let error = of_line(&json!({ "losses": losses })).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
        let five = json!({"losses": [1.0, 2.0, 3.0, 4.0, 5.0]});
        assert_eq!(of_line(&five).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}

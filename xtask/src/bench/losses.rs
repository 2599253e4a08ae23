//! `cargo xtask bench --peer PYTHON --losses`: whether both programs compute the same.
//!
//! PyTorch writes the weights, alphas and batches that it starts from, and asap starts from these files. Both then train
//! on: if a program left work out, its losses would take another way.

use super::compare::print;
use super::program::Programs;
use super::subject::Subject;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Losses that are compared: of so many steps, the first of them before anything is learned.
const STEPS: usize = 5;
/// How far apart losses may be.
const TOLERANCE: f64 = 1e-3;
const HEADER: &str = "\
| network | step | program | loss 1 | loss 2 | loss 3 | loss 4 | loss 5 |
|---|---|---|---|---|---|---|---|
";

/// The losses of both programs.
struct Losses {
    asap: [f64; STEPS],
    peer: [f64; STEPS],
}

/// Prints the losses of every subject side by side.
///
/// # Errors
/// If a program fails, a file cannot be written, or losses are further apart than 1e-3.
pub(super) fn run(programs: &Programs<'_>, subjects: &[Subject]) -> Result<()> {
    let mut text = HEADER.to_owned();
    let mut largest = 0.0_f64;
    for subject in subjects {
        let losses = Losses::measure(programs, subject)
            .with_context(|| format!("the losses of {}", subject.name))?;
        largest = largest.max(losses.largest_difference());
        text += &losses.rows(subject);
    }
    print(&text);
    ensure!(
        largest <= TOLERANCE,
        "losses are {largest:.5} apart, more than {TOLERANCE}"
    );
    Ok(())
}

impl Losses {
    fn measure(programs: &Programs<'_>, subject: &Subject) -> Result<Self> {
        let folder = programs.exchange();
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let file = |name: &str| folder.join(name).display().to_string();
        let more = [
            "--weights".to_owned(),
            file("weights.safetensors"),
            "--inputs".to_owned(),
            file("inputs.safetensors"),
            "--warmup".to_owned(),
            "0".to_owned(),
            "--steps".to_owned(),
            STEPS.to_string(),
        ];
        let losses = |contender: usize| -> Result<[f64; STEPS]> {
            let contender = &subject.contenders[contender];
            let arguments = [&contender.arguments[..], &more].concat();
            let line = programs.step(contender.program, contender.threads, &arguments)?;
            of_line(&line).context(contender.name)
        };
        // PyTorch first: it writes what asap reads.
        let peer = losses(1)?;
        let asap = losses(0)?;
        Ok(Self { asap, peer })
    }

    fn differences(&self) -> [f64; STEPS] {
        std::array::from_fn(|i| (self.asap[i] - self.peer[i]).abs())
    }

    fn largest_difference(&self) -> f64 {
        self.differences().into_iter().fold(0.0, f64::max)
    }

    fn rows(&self, subject: &Subject) -> String {
        let rows = [
            ("asap", self.asap),
            ("PyTorch", self.peer),
            ("difference", self.differences()),
        ];
        let row = |(name, values): (&str, [f64; STEPS])| {
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

fn of_line(line: &Value) -> Result<[f64; STEPS]> {
    let losses = &line["losses"];
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

    #[test]
    fn losses_stand_side_by_side() {
        let losses = Losses {
            asap: [2.3, 2.1, 1.9, 1.7, 1.5],
            peer: [2.3, 2.1, 1.9, 1.6995, 1.5002],
        };
        assert!((losses.largest_difference() - 5e-4).abs() < 1e-12);
        let text = losses.rows(&Subject::search(Size::Paper, Step::Search, 2));
        let last =
            "| paper | search | difference | 0.00000 | 0.00000 | 0.00000 | 0.00050 | 0.00020 |\n";
        assert!(text.ends_with(last), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn a_line_without_five_losses_is_refused() {
        for losses in [json!(null), json!([1.0, 2.0]), json!([1, 2, 3, 4, null])] {
            let error = of_line(&json!({ "losses": losses })).unwrap_err();
            assert!(error.to_string().contains("expected 5 numbers"), "{error}");
        }
        let five = json!({"losses": [1.0, 2.0, 3.0, 4.0, 5.0]});
        assert_eq!(of_line(&five).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}

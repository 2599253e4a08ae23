//! The part that times the kernels of a step one by one and holds each to what bounds it.

use super::Setup;
use super::part::Piece;
use super::record::Outcome;
use crate::bench::bound::{Card, Kernel, bound_seconds, share_near_bound};
use crate::bench::configuration::Precision;
use crate::bench::contest::Contest;
use crate::process::Terms;
use anyhow::Result;
use serde_json::Value;

const HEAD: &str = "\
| kernel | launches | time, ms | share of time | GB | GFLOP | bound / time |
|---|---|---|---|---|---|---|
";

/// The kernels of a search step at paper scale.
///
/// # Errors
/// If asap fails or leaves a figure out.
pub(super) fn measure(setup: &Setup, precision: Precision, terms: &Terms) -> Result<Outcome> {
    let contest = Contest {
        programs: &setup.asap(terms)?,
        subject: &Piece::PROFILED.subject(),
        gpu: &Setup::gpu(precision),
    };
    let line = contest.profile()?;
    Ok(Outcome::new(true, table(&line, precision)?, line))
}

/// A row for each kernel, one for all, and how much of the time is well spent.
fn table(line: &Value, precision: Precision) -> Result<String> {
    let kernels = Kernel::all(line)?;
    let name = line["device"].as_str().unwrap_or("");
    let card = Card::named(name);
    let sum = |figure: fn(&Kernel) -> f64| kernels.iter().map(figure).sum::<f64>();
    let all = Kernel {
        name: "all".to_owned(),
        launches: sum(|kernel| kernel.launches),
        seconds: sum(|kernel| kernel.seconds),
        bytes: sum(|kernel| kernel.bytes),
        flops: sum(|kernel| kernel.flops),
    };
    let bound = card.map(|card| bound_seconds(&kernels, card, precision));
    let row = |kernel: &Kernel, share_of_bound: Option<f64>| {
        format!(
            "| {} | {} | {:.3} | {:.1} % | {:.3} | {:.2} | {} |\n",
            kernel.name,
            kernel.launches,
            kernel.seconds * 1e3,
            100.0 * kernel.seconds / all.seconds,
            kernel.bytes / 1e9,
            kernel.flops / 1e9,
            share_of_bound.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share)),
        )
    };
    let mut text = HEAD.to_owned();
    for kernel in &kernels {
        text += &row(
            kernel,
            card.map(|card| kernel.share_of_bound(card, precision)),
        );
    }
    text += &row(&all, bound.map(|seconds| seconds / all.seconds));
    text += &match card {
        Some(card) => format!(
            "\n{:.0} % of the time is spent above 50 % of the bound.\n",
            100.0 * share_near_bound(&kernels, card, precision)
        ),
        None => format!("\nNo bound: the figures of {name:?} are not known here.\n"),
    };
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use serde_json::json;

    fn line(device: &str) -> Value {
        let kernel = |launches: u32, seconds: f64, bytes: f64| json!({"launches": launches, "seconds": seconds, "bytes": bytes, "flops": 1e9});
        json!({"device": device, "kernels": {"mix": kernel(8, 1e-3, 2.68e9), "chain": kernel(40, 3e-3, 3.35e9)}})
    }

    #[test]
    fn kernels_stand_by_their_time_beside_their_bound() {
        let text = table(&line("NVIDIA H100 80GB HBM3"), Precision::Tf32).unwrap();
        let expected = format!(
            "{HEAD}\
             | chain | 40 | 3.000 | 75.0 % | 3.350 | 1.00 | 33 % |\n\
             | mix | 8 | 1.000 | 25.0 % | 2.680 | 1.00 | 80 % |\n\
             | all | 48 | 4.000 | 100.0 % | 6.030 | 2.00 | 45 % |\n\
             \n25 % of the time is spent above 50 % of the bound.\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_card_that_is_not_known_has_no_bound() {
        let text = table(&line("Some GPU"), Precision::Tf32).unwrap();
        assert!(
            text.contains("| mix | 8 | 1.000 | 25.0 % | 2.680 | 1.00 |  |"),
            "{text}"
        );
        assert!(
            text.contains("the figures of \"Some GPU\" are not known"),
            "{text}"
        );
    }
}

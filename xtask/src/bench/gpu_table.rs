//! The table of a comparison on a GPU: medians over the rounds, ratios, and the distance to what the card allows.

use super::configuration::{Configuration, Precision};
use super::contest::GpuRun;
use super::subject::Subject;
use super::table::median;

/// The head of the table.
pub(crate) const HEADER: &str = "\
| network | step | rounds | program | how | step, ms | device memory, MiB | launches | bound, ms | step / bound |
|---|---|---|---|---|---|---|---|---|---|
";

/// What was measured about a subject on a GPU.
pub(crate) struct Measured<'a> {
    pub(crate) subject: &'a Subject,
    /// In what precision asap computed.
    pub(crate) precision: Precision,
    /// How PyTorch computed.
    pub(crate) best: Configuration,
    /// A run for each contender in each round; at least one round.
    pub(crate) rounds: Vec<Vec<GpuRun>>,
    /// The least that asap's kernels could take; `None` if the card's figures are not known.
    pub(crate) bound_seconds: Option<f64>,
}

/// A row for each program, and one for each ratio.
pub(crate) fn rows(measured: &Measured<'_>) -> String {
    let subject = measured.subject;
    let place = format!(
        "| {} | {} | {}",
        subject.name,
        subject.step.name(),
        measured.rounds.len()
    );
    let mut text = String::new();
    let figure = |contender: usize, figure: fn(&GpuRun) -> f64| {
        let runs = measured
            .rounds
            .iter()
            .map(|round| figure(&round[contender]));
        median(runs.collect())
    };
    let seconds = |contender| figure(contender, |run| run.seconds);
    let bytes = |contender| figure(contender, |run| run.device_bytes);
    for (i, contender) in subject.contenders.iter().enumerate() {
        let how = match i {
            1 => measured.best.name(),
            _ => measured.precision.name().to_owned(),
        };
        let launches = measured.rounds[0][i].launches;
        let launches = launches.map_or(String::new(), |count| format!("{count}"));
        // The bound is that of the whole network; a contender that computes another has none here.
        let bound = measured.bound_seconds.filter(|_| i < 2);
        let (bound, distance) = bound.map_or((String::new(), String::new()), |bound| {
            let distance = seconds(i) / bound;
            (format!("{:.3}", bound * 1e3), format!("{distance:.1}"))
        });
        text += &format!(
            "{place} | {} | {how} | {:.3} | {:.0} | {launches} | {bound} | {distance} |\n",
            contender.name,
            seconds(i) * 1e3,
            bytes(i) / f64::from(1 << 20),
        );
    }
    for &[over, under] in &subject.ratios {
        text += &format!(
            "{place} | {} / {} | | {:.3} | {:.3} | | | |\n",
            subject.contenders[over].name,
            subject.contenders[under].name,
            seconds(over) / seconds(under),
            bytes(over) / bytes(under),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::configuration::Layout;
    use super::super::subject::{Size, Step};
    use super::*;

    fn run(milliseconds: f64, mib: f64, launches: Option<f64>) -> GpuRun {
        GpuRun {
            seconds: milliseconds * 1e-3,
            device_bytes: mib * f64::from(1 << 20),
            launches,
        }
    }

    fn text(bound_seconds: Option<f64>) -> String {
        let round =
            |asap: f64, peer: f64| vec![run(asap, 400.0, Some(120.0)), run(peer, 1600.0, None)];
        rows(&Measured {
            subject: &Subject::search(Size::Paper, Step::Search, 2),
            precision: Precision::Tf32,
            best: Configuration {
                layout: Some(Layout::Nchw),
                ..Configuration::eager(Precision::Bf16)
            },
            rounds: vec![round(10.0, 100.0), round(12.0, 80.0), round(11.0, 90.0)],
            bound_seconds,
        })
    }

    #[test]
    fn medians_and_ratios_make_the_table() {
        let expected = "\
            | paper | search | 3 | asap | tf32 | 11.000 | 400 | 120 | 5.500 | 2.0 |\n\
            | paper | search | 3 | PyTorch | eager-bf16-nchw | 90.000 | 1600 |  | 5.500 | 16.4 |\n\
            | paper | search | 3 | asap / PyTorch | | 0.122 | 0.250 | | | |\n";
        assert_eq!(text(Some(0.0055)), expected);
    }

    #[test]
    fn a_card_without_figures_has_no_bound_and_every_row_all_columns() {
        let text = text(None);
        assert!(text.contains("| 11.000 | 400 | 120 |  |  |"), "{text}");
        let columns = |line: &str| line.matches('|').count();
        for line in HEADER.lines().chain(text.lines()) {
            assert_eq!(columns(line), 11, "{line}");
        }
    }
}

//! The table of a comparison: medians over the rounds that count, ratios, and the distance to the arithmetic bound.

use super::peer::Comparison;
use super::round::{Round, Run};

const HEADER: &str = "\
| size | step | threads | rounds | program | step, s | peak memory, MiB | above start, MiB | bound, s | step / bound |
|---|---|---|---|---|---|---|---|---|---|
";

/// The comparisons as one Markdown table: a row for each program, and one for PyTorch divided by asap.
///
/// The bound is the time that the arithmetic of the step takes at the fastest rate measured in these rounds.
pub(super) fn table(comparisons: &[Comparison]) -> String {
    let mut text = HEADER.to_owned();
    for comparison in comparisons {
        let quiet = comparison.quiet();
        let place = format!(
            "| {} | {} | {} | {} of {}",
            comparison.size.name(),
            comparison.step.name(),
            comparison.threads,
            quiet.len(),
            comparison.rounds.len()
        );
        if quiet.is_empty() {
            text += &format!("{place} | no round left | | | | | |\n");
            continue;
        }
        let bound = bound_seconds(comparison);
        let figures = [
            ("asap", Figures::of(&quiet, |round| &round.asap)),
            ("PyTorch", Figures::of(&quiet, |round| &round.peer)),
        ];
        for (program, figures) in &figures {
            let Figures {
                seconds,
                peak,
                above,
            } = figures;
            text += &format!(
                "{place} | {program} | {seconds:.3} | {peak:.0} | {above:.0} | {bound:.3} | {:.1} |\n",
                seconds / bound
            );
        }
        let [(_, asap), (_, peer)] = figures;
        text += &format!(
            "{place} | PyTorch / asap | {:.2} | {:.2} | {:.2} | | |\n",
            peer.seconds / asap.seconds,
            peer.peak / asap.peak,
            peer.above / asap.above
        );
    }
    text
}

/// Medians of one program.
struct Figures {
    seconds: f64,
    peak: f64,
    above: f64,
}

impl Figures {
    fn of(rounds: &[&Round], run: impl Fn(&Round) -> &Run) -> Self {
        let middle = |figure: fn(&Run) -> f64| {
            median(rounds.iter().map(|round| figure(run(round))).collect())
        };
        Self {
            seconds: middle(|run| run.seconds),
            peak: middle(|run| run.peak_mib),
            above: middle(Run::above_base_mib),
        }
    }
}

/// Seconds that the step's arithmetic takes: two operations for each multiply-accumulate.
fn bound_seconds(comparison: &Comparison) -> f64 {
    let rounds = &comparison.rounds;
    let macs = rounds.first().map_or(0.0, |round| round.macs);
    let peak = rounds.iter().map(|round| round.peak_gflops);
    comparison.step.passes() * 2.0 * macs / (peak.fold(0.0, f64::max) * 1e9)
}

/// The middle, or the mean of the two in the middle; there is at least one value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    (values[(values.len() - 1) / 2] + values[upper]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::super::peer::{Size, Step};
    use super::*;

    fn run(seconds: f64, busy: f64, peak_mib: f64) -> Run {
        Run {
            seconds,
            cpu_seconds: seconds * busy,
            peak_mib,
            base_mib: 100.0,
        }
    }

    fn round(asap: Run, peer: Run, peak_gflops: f64) -> Round {
        Round {
            asap,
            peer,
            macs: 1e9,
            peak_gflops,
        }
    }

    fn comparison(step: Step, rounds: Vec<Round>) -> Comparison {
        Comparison {
            size: Size::Small,
            step,
            threads: 2,
            rounds,
        }
    }

    #[test]
    fn medians_of_the_quiet_rounds_make_the_table() {
        let rounds = vec![
            round(run(0.25, 2.0, 150.0), run(1.0, 2.0, 600.0), 55.0),
            round(run(9.0, 1.0, 150.0), run(1.0, 2.0, 600.0), 60.0), // Left out.
            round(run(0.5, 2.0, 150.0), run(2.0, 2.0, 600.0), 50.0),
            round(run(0.75, 2.0, 150.0), run(4.0, 1.9, 600.0), 50.0),
        ];
        // 3 passes x 2 x 1e9 operations at 60e9 a second are 0.1 s.
        let expected = format!(
            "{HEADER}\
             | small | weight | 2 | 3 of 4 | asap | 0.500 | 150 | 50 | 0.100 | 5.0 |\n\
             | small | weight | 2 | 3 of 4 | PyTorch | 2.000 | 600 | 500 | 0.100 | 20.0 |\n\
             | small | weight | 2 | 3 of 4 | PyTorch / asap | 4.00 | 4.00 | 10.00 | | |\n"
        );
        assert_eq!(table(&[comparison(Step::Weight, rounds)]), expected);
    }

    #[test]
    fn a_search_step_has_an_alpha_step_more_to_compute() {
        let rounds = vec![round(run(1.0, 2.0, 150.0), run(1.0, 2.0, 600.0), 50.0)];
        let bound = bound_seconds(&comparison(Step::Search, rounds));
        assert!((bound - 0.2).abs() < 1e-12, "{bound}");
    }

    #[test]
    fn a_size_without_a_quiet_round_says_so() {
        let rounds = vec![round(run(1.0, 1.0, 150.0), run(1.0, 2.0, 600.0), 50.0)];
        let text = table(&[comparison(Step::Weight, rounds)]);
        assert!(text.contains("| 0 of 1 | no round left |"), "{text}");
        let columns = |line: &str| line.matches('|').count();
        assert!(
            text.lines()
                .all(|line| columns(line) == columns(HEADER.lines().next().unwrap_or("")))
        );
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
    }
}

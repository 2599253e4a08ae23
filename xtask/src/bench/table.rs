//! The table of a comparison: medians over the rounds that count, ratios, and the distance to the arithmetic bound.

use super::compare::Comparison;
use super::round::{Round, Run};

const HEADER: &str = "\
| network | step | threads | rounds | program | step, s | CPU / wall | peak memory, MiB | above start, MiB | bound, s | step / bound |
|---|---|---|---|---|---|---|---|---|---|---|
";
/// A figure that fewer rounds stand behind is none.
const LEAST_ROUNDS: usize = 5;

/// The comparisons as one Markdown table: a row for each program, one for each ratio. Below it what fewer rounds stand
/// behind than a figure needs.
///
/// The bound is the time that the arithmetic of the step takes at the fastest rate measured in these rounds.
pub(super) fn table(comparisons: &[Comparison]) -> String {
    let mut text = HEADER.to_owned();
    let mut notes = String::new();
    for comparison in comparisons {
        rows(comparison, &mut text);
        let (counted, all) = (comparison.quiet().len(), comparison.rounds.len());
        if counted < LEAST_ROUNDS {
            notes += &format!(
                "\n{}: {counted} of {all} rounds counted, and a figure needs {LEAST_ROUNDS}\n",
                comparison.subject.name
            );
        }
    }
    text + &notes
}

fn rows(comparison: &Comparison, text: &mut String) {
    let (subject, quiet) = (&comparison.subject, comparison.quiet());
    let place = |threads| {
        format!(
            "| {} | {} | {threads} | {} of {}",
            subject.name,
            subject.step.name(),
            quiet.len(),
            comparison.rounds.len()
        )
    };
    let contenders = &subject.contenders;
    if quiet.is_empty() {
        let place = place(contenders[0].threads);
        *text += &format!("{place} | no round left | | | | | | |\n");
        return;
    }
    let all: Vec<Figures> = (0..contenders.len())
        .map(|contender| Figures::of(&quiet, contender))
        .collect();
    for (i, (contender, figures)) in contenders.iter().zip(&all).enumerate() {
        let bound = bound_seconds(comparison, i);
        *text += &format!(
            "{} | {} | {:.3} | {:.2} | {:.0} | {:.0} | {bound:.3} | {:.1} |\n",
            place(contender.threads),
            contender.name,
            figures.seconds,
            figures.busy,
            figures.peak,
            figures.above,
            figures.seconds / bound
        );
    }
    for &[over, under] in &subject.ratios {
        let (numerator, denominator) = (&all[over], &all[under]);
        *text += &format!(
            "{} | {} / {} | {:.3} | | {:.3} | {:.3} | | |\n",
            place(contenders[0].threads),
            contenders[over].name,
            contenders[under].name,
            numerator.seconds / denominator.seconds,
            numerator.peak / denominator.peak,
            numerator.above / denominator.above
        );
    }
}

/// Medians of one program.
struct Figures {
    seconds: f64,
    busy: f64,
    peak: f64,
    above: f64,
}

impl Figures {
    fn of(rounds: &[&Round], contender: usize) -> Self {
        let middle = |figure: fn(&Run) -> f64| {
            median(
                rounds
                    .iter()
                    .map(|round| figure(&round.0[contender]))
                    .collect(),
            )
        };
        Self {
            seconds: middle(|run| run.seconds),
            busy: middle(Run::busy_threads),
            peak: middle(|run| run.peak_mib),
            above: middle(Run::above_base_mib),
        }
    }
}

/// Seconds that the arithmetic of a contender's step takes: two operations for each multiply-accumulate.
fn bound_seconds(comparison: &Comparison, contender: usize) -> f64 {
    let runs = comparison.rounds.iter().map(|round| &round.0[contender]);
    let macs = runs.clone().map(|run| run.macs).fold(0.0, f64::max);
    let peak = runs.map(|run| run.peak_gflops).fold(0.0, f64::max);
    comparison.subject.step.passes() * 2.0 * macs / (peak * 1e9)
}

/// The middle, or the mean of the two in the middle; there is at least one value.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    (values[(values.len() - 1) / 2] + values[upper]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::super::subject::{Size, Step, Subject};
    use super::*;

    fn run(seconds: f64, busy: f64, peak_mib: f64, peak_gflops: f64) -> Run {
        Run {
            threads: 2,
            seconds,
            cpu_seconds: seconds * busy,
            peak_mib,
            base_mib: 100.0,
            macs: 1e9,
            peak_gflops,
        }
    }

    fn comparison(step: Step, rounds: Vec<Round>) -> Comparison {
        Comparison {
            subject: Subject::search(Size::Small, step, 2),
            rounds,
        }
    }

    fn round(asap: [f64; 2], peer: [f64; 2], peak: f64) -> Round {
        let [asap, peer] =
            [(asap, 150.0), (peer, 600.0)].map(|([s, busy], mib)| run(s, busy, mib, peak));
        Round(vec![asap, peer])
    }

    #[test]
    fn medians_of_the_quiet_rounds_make_the_table() {
        let rounds = vec![
            round([0.25, 2.0], [1.0, 2.0], 55.0),
            round([9.0, 1.0], [1.0, 2.0], 60.0), // Left out.
            round([0.5, 2.0], [2.0, 2.0], 50.0),
            round([0.75, 2.0], [4.0, 1.9], 50.0),
        ];
        // 3 passes x 2 x 1e9 operations at 60e9 a second are 0.1 s.
        let expected = format!(
            "{HEADER}\
             | small | weight | 2 | 3 of 4 | asap | 0.500 | 2.00 | 150 | 50 | 0.100 | 5.0 |\n\
             | small | weight | 2 | 3 of 4 | PyTorch | 2.000 | 2.00 | 600 | 500 | 0.100 | 20.0 |\n\
             | small | weight | 2 | 3 of 4 | asap / PyTorch | 0.250 | | 0.250 | 0.100 | | |\n\
             \nsmall: 3 of 4 rounds counted, and a figure needs 5\n"
        );
        assert_eq!(table(&[comparison(Step::Weight, rounds)]), expected);
    }

    #[test]
    fn five_rounds_that_count_are_a_figure() {
        let rounds = vec![round([1.0, 2.0], [4.0, 2.0], 50.0); 5];
        let text = table(&[comparison(Step::Weight, rounds)]);
        assert!(!text.contains("needs"), "{text}");
    }

    #[test]
    fn the_speed_up_is_the_time_on_one_thread_over_that_on_all() {
        let mut comparison = comparison(Step::Weight, Vec::new());
        comparison.subject.add_one_thread();
        let single = Run {
            threads: 1,
            ..run(1.8, 1.0, 120.0, 30.0)
        };
        let mut round = round([1.0, 2.0], [4.0, 2.0], 60.0);
        round.0.push(single);
        comparison.rounds.push(round);
        let text = table(&[comparison]);
        assert!(
            text.contains(
                "| 1 | 1 of 1 | asap on 1 thread | 1.800 | 1.00 | 120 | 20 | 0.200 | 9.0 |"
            ),
            "{text}"
        );
        assert!(
            text.contains("| asap on 1 thread / asap | 1.800 |"),
            "{text}"
        );
    }

    #[test]
    fn a_search_step_has_an_alpha_step_more_to_compute() {
        let rounds = vec![round([1.0, 2.0], [1.0, 2.0], 50.0)];
        let bound = bound_seconds(&comparison(Step::Search, rounds), 0);
        assert!((bound - 0.2).abs() < 1e-12, "{bound}");
    }

    #[test]
    fn a_subject_without_a_quiet_round_says_so() {
        let rounds = vec![round([1.0, 1.0], [1.0, 2.0], 50.0)];
        let text = table(&[comparison(Step::Weight, rounds)]);
        assert!(text.contains("| 0 of 1 | no round left |"), "{text}");
        let columns = |line: &str| line.matches('|').count();
        let expected = columns(HEADER.lines().next().unwrap_or(""));
        assert!(
            text.lines()
                .filter(|line| line.starts_with('|'))
                .all(|line| columns(line) == expected)
        );
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
    }
}

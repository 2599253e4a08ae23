//! What came out: the key numbers and the test by class.

use std::fmt::Write;

use crate::confusion;
use crate::escape::escape;
use crate::quantities::{count, duration, percent, short, significant, step_time};
use crate::read::{Class, Phase, Summary, Test};
use crate::run::Report;

/// A number to read at a glance: what it is, its value, and a remark.
struct Tile(&'static str, String, String);

/// The tiles of key numbers; nothing before the run has a summary.
pub(crate) fn tiles(report: &Report) -> Option<String> {
    let summary = report.summary.as_ref()?;
    let mut html = String::from("<div class=\"tiles\">");
    for Tile(name, value, remark) in accuracy(summary)
        .into_iter()
        .chain(costs(summary))
        .chain(faithfulness(report, summary))
    {
        let _ = write!(
            html,
            "<div class=\"tile\"><span>{name}</span><b>{}</b><small>{}</small></div>",
            escape(&value),
            escape(&remark)
        );
    }
    Some(html + "</div>")
}

fn accuracy(summary: &Summary) -> Vec<Tile> {
    let images = |images: Option<u64>| {
        images.map_or(String::new(), |images| {
            format!("of {} images", count(images))
        })
    };
    let mut tiles = Vec::new();
    if let Some(share) = summary.test_accuracy {
        let tested = summary.test.as_ref().and_then(|test| test.images);
        tiles.push(Tile("test accuracy", percent(share), images(tested)));
    }
    let averaged = summary.test_ema.as_ref();
    if let Some(share) = averaged.and_then(|test| test.accuracy) {
        let remark = "the same with averaged weights".to_owned();
        tiles.push(Tile("averaged weights", percent(share), remark));
    }
    if let Some(test) = &summary.test {
        tiles.extend(test_tiles(test));
    }
    if let Some(share) = summary.search_val_accuracy {
        let remark = format!(
            "{}, right after the search",
            images(summary.search_val_images)
        );
        let remark = remark.trim_start_matches(", ").to_owned();
        tiles.push(Tile("validation accuracy", percent(share), remark));
    }
    tiles
}

/// With no more classes than this, every class is among the five likeliest.
const TOP: usize = 5;

fn test_tiles(test: &Test) -> Vec<Tile> {
    let mut tiles = Vec::new();
    if let Some(share) = test.top5.filter(|_| test.classes.len() > TOP) {
        let remark = "the class is among the five likeliest".to_owned();
        tiles.push(Tile("top-5 accuracy", percent(share), remark));
    }
    if let Some(error) = test.calibration_error {
        let remark = "mean gap between how sure it is and how right".to_owned();
        tiles.push(Tile("calibration error", percent(error), remark));
    }
    if let Some(images) = test.images_per_second {
        let remark = "images classified in a second".to_owned();
        tiles.push(Tile("throughput", count(images.round() as u64), remark));
    }
    tiles
}

fn costs(summary: &Summary) -> Vec<Tile> {
    let mut tiles = Vec::new();
    if let Some(parameters) = summary.costs.parameters {
        tiles.push(Tile("parameters", short(parameters), count(parameters)));
    }
    if let Some(macs) = summary.costs.macs {
        tiles.push(Tile(
            "MACs",
            short(macs),
            "multiply-adds per image".to_owned(),
        ));
    }
    if let Some(seconds) = summary.search_seconds {
        tiles.push(Tile("search", duration(seconds), String::new()));
    }
    if let Some(seconds) = summary.train_seconds {
        let images = summary.train_images;
        let remark = images.map_or(String::new(), |images| {
            format!("on {} images", count(images))
        });
        tiles.push(Tile("training", duration(seconds), remark));
    }
    if let (Some(first), Some(last)) = (
        summary.first_weight_step_seconds,
        summary.last_weight_step_seconds,
    ) {
        let remark = format!(
            "{} by pruning, from {} to {}",
            if first > last { "faster" } else { "slower" },
            step_time(first),
            step_time(last)
        );
        let factor = if first > last {
            first / last
        } else {
            last / first
        };
        tiles.push(Tile("weight step", format!("{factor:.1}×"), remark));
    }
    if let Some(mib) = summary.peak_rss_mib {
        tiles.push(Tile("most memory", format!("{mib:.0} MiB"), String::new()));
    }
    tiles
}

/// How faithful the found network is to the supernet that chose it.
fn faithfulness(report: &Report, summary: &Summary) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let forced = report.ledger.iter().filter(|line| line.forced).count();
    if !report.ledger.is_empty() {
        let remark = format!("{forced} of them forced");
        tiles.push(Tile("decisions", count(report.ledger.len() as u64), remark));
    }
    if let Some(gap) = summary.discretisation_gap {
        let change = summary
            .discretisation_accuracy_change
            .map_or(String::new(), |change| {
                format!(
                    ", accuracy {}{}",
                    if change > 0.0 { "+" } else { "" },
                    percent(change)
                )
            });
        let remark = format!("largest change of a logit by discretising{change}");
        tiles.push(Tile("discretisation gap", significant(gap), remark));
    }
    if let Some(difference) = summary.derivation_difference {
        let remark = "largest logit difference, supernet to found network".to_owned();
        tiles.push(Tile(
            "derivation difference",
            significant(difference),
            remark,
        ));
    }
    tiles
}

/// The run in two sentences, as far as it has come.
pub(crate) fn in_words(report: &Report) -> String {
    let mut words = String::new();
    let alive = || {
        report
            .epochs(Phase::Search)
            .filter_map(|epoch| epoch.operations_alive)
    };
    let start = alive().max();
    if let (Some(start), Some(end)) = (start, alive().last()) {
        let epochs = report.epochs(Phase::Search).count();
        let forced = report.ledger.iter().filter(|line| line.forced).count();
        let end_of_it = match forced {
            0 => String::new(),
            1 => "; 1 more decision was forced".to_owned(),
            _ => format!("; {forced} more decisions were forced"),
        };
        let _ = write!(
            words,
            "In {epochs} epochs the search went from {start} operations on 28 edges to {end}{end_of_it}."
        );
    }
    let summary = report.summary.as_ref();
    let result =
        summary.and_then(|summary| Some((summary.test_accuracy?, summary.costs.parameters?)));
    if let Some((share, parameters)) = result {
        let _ = write!(
            words,
            " The network it led to has {} parameters and classifies {} of the test images rightly.",
            short(parameters),
            percent(share)
        );
    }
    words
}

/// The test by class; nothing when the summary has no classes.
pub(crate) fn classes(report: &Report) -> Option<String> {
    let test = report.summary.as_ref()?.test.as_ref()?;
    if test.classes.is_empty() {
        return None;
    }
    let mut rows = String::new();
    for (index, class) in test.classes.iter().enumerate() {
        rows += &class_row(test, index, class);
    }
    Some(format!(
        "<section id=\"test\"><h2>The test by class</h2><div class=\"wide\"><table><tr><th>class</th>\
         <th>images</th><th>precision</th><th>recall</th><th></th><th>most often taken for</th></tr>{rows}</table>\
         </div>{}</section>",
        confusion::figure(test).unwrap_or_default()
    ))
}

fn class_row(test: &Test, index: usize, class: &Class) -> String {
    let share = |share: Option<f64>| share.filter(|share| share.is_finite());
    let (precision, recall) = (share(class.precision), share(class.recall));
    let mistaken = test.confusion.get(index).and_then(|row| {
        let others = row
            .iter()
            .enumerate()
            .filter(|(other, times)| *other != index && **times > 0);
        // Of equals the first, as `max_by_key` would give the last.
        let (other, times) = others.rev().max_by_key(|(_, times)| **times)?;
        Some(format!("{} ({times})", test.classes.get(other)?.name))
    });
    let bar = recall.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0;
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td><i class=\"bar\" style=\"width:{bar:.1}px\"></i></td>\
         <td>{}</td></tr>",
        escape(&class.name),
        class.images.map_or("–".to_owned(), count),
        precision.map_or("–".to_owned(), percent),
        recall.map_or("–".to_owned(), percent),
        escape(mistaken.as_deref().unwrap_or("–")),
    )
}

//! How a phase went: its curves, and all its numbers in a table.

use std::fmt::Write;

use crate::line_chart::{Chart, Series};
use crate::quantities::significant;
use crate::read::{Epoch, Phase};
use crate::run::Report;

/// A column of the table and the source of curves: a name and what an epoch has for it.
type Figure = (&'static str, fn(&Epoch) -> Option<f64>);

/// The curves of a phase; nothing before its first epoch.
pub(crate) fn section(report: &Report, phase: Phase) -> Option<String> {
    let epochs: Vec<&Epoch> = report.epochs(phase).collect();
    let last = epochs.last()?;
    let (id, title) = match phase {
        Phase::Search => ("search", "How the search went"),
        Phase::Train => ("training", "How the training went"),
    };
    let planned = last.epochs.unwrap_or(last.epoch);
    let mut html = format!(
        "<section id=\"{id}\"><h2>{title}</h2><p>{} of {planned} epochs.{}</p><div class=\"charts\">",
        last.epoch,
        match phase {
            Phase::Search =>
                " In grace only the weights train; after it operations and edges are \
                removed, and with each one the steps become shorter and need less memory.",
            Phase::Train => "",
        }
    );
    for chart in charts(phase, &epochs) {
        html += &chart.figure().unwrap_or_default();
    }
    html += "</div>";
    html += &table(&epochs);
    Some(html + "</section>")
}

/// The epochs in which only the weights train: those before the first loss of the alphas.
fn grace(epochs: &[&Epoch]) -> Option<f64> {
    let first = epochs.iter().position(|epoch| epoch.alpha_loss.is_some())?;
    Some(epochs[first.checked_sub(1)?].epoch as f64)
}

fn charts(phase: Phase, epochs: &[&Epoch]) -> Vec<Chart> {
    let grace = grace(epochs);
    let chart = |title, unit, from_zero, scale: f64, figures: &[Figure]| {
        let series = figures
            .iter()
            .map(|(name, value)| {
                let point = |epoch: &&Epoch| {
                    let value = value(epoch).filter(|value| value.is_finite())?;
                    Some((epoch.epoch as f64, value * scale))
                };
                Series {
                    name,
                    points: epochs.iter().filter_map(point).collect(),
                }
            })
            .collect();
        Chart {
            title,
            unit,
            from_zero,
            grace,
            series,
        }
    };
    let accuracy: &[Figure] = &[
        ("training", |epoch| epoch.weight_accuracy),
        ("validation", |epoch| epoch.val_accuracy),
        ("averaged weights", |epoch| epoch.ema_val_accuracy),
    ];
    let loss: &[Figure] = &[
        ("weights", |epoch| epoch.weight_loss),
        ("validation", |epoch| epoch.val_loss),
        ("alphas", |epoch| epoch.alpha_loss),
        ("averaged weights", |epoch| epoch.ema_val_loss),
    ];
    let step: &[Figure] = &[
        ("weights", |epoch| epoch.weight_step_seconds),
        ("alphas", |epoch| epoch.alpha_step_seconds),
    ];
    let alive: &[Figure] = &[
        ("operations", |epoch| {
            epoch.operations_alive.map(|alive| alive as f64)
        }),
        ("edges", |epoch| epoch.edges_alive.map(|alive| alive as f64)),
    ];
    let mut charts = vec![
        chart("Accuracy", " %", false, 100.0, accuracy),
        chart("Loss", "", false, 1.0, loss),
    ];
    match phase {
        Phase::Search => charts.extend([
            chart("Alive", "", true, 1.0, alive),
            chart(
                "Temperature",
                "",
                true,
                1.0,
                &[("", |epoch| epoch.temperature)],
            ),
            chart("Median time of a step", " ms", true, 1e3, step),
            chart("Memory", " MiB", true, 1.0, &[("", |epoch| epoch.rss_mib)]),
        ]),
        Phase::Train => {
            let rate: &[Figure] = &[("", |epoch| epoch.learning_rate)];
            charts.push(chart("Learning rate", "", true, 1.0, rate));
        }
    }
    charts
}

/// Every number of every epoch, folded away.
fn table(epochs: &[&Epoch]) -> String {
    let columns: [Figure; 15] = [
        ("weight loss", |epoch| epoch.weight_loss),
        ("weight accuracy", |epoch| epoch.weight_accuracy),
        ("validation loss", |epoch| epoch.val_loss),
        ("validation accuracy", |epoch| epoch.val_accuracy),
        ("validation loss, averaged weights", |epoch| {
            epoch.ema_val_loss
        }),
        ("validation accuracy, averaged weights", |epoch| {
            epoch.ema_val_accuracy
        }),
        ("alpha loss", |epoch| epoch.alpha_loss),
        ("temperature", |epoch| epoch.temperature),
        ("operations", |epoch| {
            epoch.operations_alive.map(|alive| alive as f64)
        }),
        ("edges", |epoch| epoch.edges_alive.map(|alive| alive as f64)),
        ("weight step, s", |epoch| epoch.weight_step_seconds),
        ("alpha step, s", |epoch| epoch.alpha_step_seconds),
        ("memory, MiB", |epoch| epoch.rss_mib),
        ("learning rate", |epoch| epoch.learning_rate),
        ("epochs planned", |epoch| {
            epoch.epochs.map(|epochs| epochs as f64)
        }),
    ];
    // A column that no epoch has a number for says nothing.
    let columns: Vec<&Figure> = columns
        .iter()
        .filter(|(_, value)| epochs.iter().any(|epoch| value(epoch).is_some()))
        .collect();
    let mut html = String::from(
        "<details><summary>All numbers</summary><div class=\"wide\"><table><tr><th>epoch</th>",
    );
    for (name, _) in &columns {
        let _ = write!(html, "<th>{name}</th>");
    }
    html += "</tr>";
    for epoch in epochs {
        let _ = write!(html, "<tr><td>{}</td>", epoch.epoch);
        for (_, value) in &columns {
            let text = value(epoch).map_or("–".to_owned(), significant);
            let _ = write!(html, "<td>{text}</td>");
        }
        html += "</tr>";
    }
    html + "</table></div></details>"
}

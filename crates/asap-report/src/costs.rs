//! What the network costs: parameters, arithmetic, memory and disk, in a table.

use std::fmt::Write;

use crate::quantities::{bytes, count};
use crate::run::Report;

/// The table; nothing before the run has a summary that tells.
pub(crate) fn section(report: &Report) -> Option<String> {
    let costs = &report.summary.as_ref()?.costs;
    let batch = costs.batch.map_or(String::new(), |batch| {
        format!(" of {} images", count(batch))
    });
    let figures = [
        (
            "parameters, without an auxiliary head",
            costs.parameters.map(count),
        ),
        ("multiply-adds for one image", costs.macs.map(count)),
        ("on disk as f32", costs.disk_f32_bytes.map(bytes)),
        ("on disk as f16", costs.disk_f16_bytes.map(bytes)),
        (
            "activations for classifying one image",
            costs.inference_activation_bytes.map(bytes),
        ),
    ];
    let training = (
        format!("activations and their gradients in a training step{batch}"),
        costs.training_activation_bytes.map(bytes),
    );
    let figures = figures.map(|(name, value)| (name.to_owned(), value));
    let mut rows = String::new();
    for (name, value) in figures.into_iter().chain([training]) {
        if let Some(value) = value {
            let _ = write!(rows, "<tr><td>{name}</td><td>{value}</td></tr>");
        }
    }
    costs.training_activation_bytes?;
    Some(format!(
        "<section id=\"costs\"><h2>What the network costs</h2><div class=\"wide\"><table>{rows}</table></div></section>"
    ))
}

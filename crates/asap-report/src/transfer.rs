//! The run that a cell came from, beside the run that trained it on other images.

use std::fmt::Write;

use crate::escape::escape;
use crate::quantities::{count, percent};
use crate::read::{Costs, Transfer};
use crate::run::Report;

/// The table; nothing when the run is no transfer.
pub(crate) fn section(report: &Report) -> Option<String> {
    let from = report.transfer.as_ref()?;
    let summary = report.summary.as_ref();
    let here = Transfer {
        run: Some(report.id()),
        data: summary.and_then(|summary| summary.data.clone()),
        recipe: summary.and_then(|summary| summary.recipe.clone()),
        test_accuracy: summary.and_then(|summary| summary.test_accuracy),
        costs: summary.map_or_else(Costs::default, |summary| summary.costs.clone()),
    };
    let pixels = |costs: &Costs| {
        let (height, width) = costs.height.zip(costs.width)?;
        Some(format!("{height} x {width}"))
    };
    type Figure<'a> = (&'a str, &'a dyn Fn(&Transfer) -> Option<String>);
    let figures: [Figure<'_>; 9] = [
        ("run", &|run| run.run.clone()),
        ("data", &|run| run.data.clone()),
        ("classes", &|run| run.costs.classes.map(count)),
        ("resolution in pixels", &|run| pixels(&run.costs)),
        ("test accuracy", &|run| run.test_accuracy.map(percent)),
        ("recipe", &|run| run.recipe.clone()),
        ("parameters", &|run| run.costs.parameters.map(count)),
        ("MACs per image", &|run| run.costs.macs.map(count)),
        ("channels of the first cells", &|run| {
            run.costs.channels.map(count)
        }),
    ];
    let mut rows = String::new();
    for (name, figure) in figures {
        let cell = |run: &Transfer| escape(&figure(run).unwrap_or_else(|| "–".to_owned()));
        let _ = write!(
            rows,
            "<tr><td>{name}</td><td>{}</td><td>{}</td></tr>",
            cell(from),
            cell(&here)
        );
    }
    Some(format!(
        "<section id=\"transfer\"><h2>Beside the run that the cells came from</h2><div class=\"wide\"><table>\
         <tr><th></th><th>source</th><th>transfer</th></tr>{rows}</table></div></section>"
    ))
}

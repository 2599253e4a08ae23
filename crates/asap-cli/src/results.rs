//! What a finished run prints.

use crate::quantities::{bytes, costs as costs_text, count, difference, duration, percent};
use crate::show::cells_text;
use crate::{evaluation_text, genotypes, output};
use anyhow::Result;
use asap_train::{Costs, Recipe, RunFolder, SearchResult, Summary, TransferSource};

/// Prints the results of the finished run in `folder`.
///
/// # Errors
/// If its genotype cannot be read, or stdout not be written.
pub(crate) fn print(folder: &RunFolder, summary: &Summary) -> Result<()> {
    output::line(cells_text(&genotypes::of_run(folder)?))?;
    if let (Some(search), Some(seconds)) = (&summary.search, summary.search_seconds) {
        output::line(search_text(search, seconds))?;
    }
    output::line(format_args!(
        "training       {} by the recipe {}, {} parameters, {} MACs per image",
        duration(summary.train_seconds),
        summary.recipe.name(),
        count(summary.costs.parameters as u64),
        count(summary.costs.macs),
    ))?;
    output::line(format_args!(
        "network        {}",
        costs_text(&summary.costs)
    ))?;
    if let Some(mib) = summary.peak_rss_mib {
        output::line(format_args!(
            "memory         {}",
            bytes((mib * f64::from(1 << 20)) as u64)
        ))?;
    }
    let test = evaluation_text::in_all(&summary.test, &summary.data);
    output::line(format_args!("test {test}"))?;
    if let Some(averaged) = &summary.test_ema {
        let test = evaluation_text::in_all(averaged, &summary.data);
        output::line(format_args!("with averaged weights: {test}"))?;
    }
    if folder.transfer().is_file() {
        let from = TransferSource::read(&folder.transfer())?;
        output::line(transfer_text(&from, summary))?;
    }
    output::line(format_args!("report         {}", folder.report().display()))
}

/// The run that the cell came from beside this one.
fn transfer_text(from: &TransferSource, summary: &Summary) -> String {
    let line = |name: &str, recipe: Recipe, data: &str, accuracy: f64, costs: &Costs| {
        format!(
            "{name:<14} {} on {data} by the recipe {}, {} classes, {}x{} pixels, {} parameters, {} MACs per image",
            percent(accuracy),
            recipe.name(),
            costs.classes,
            costs.height,
            costs.width,
            count(costs.parameters as u64),
            count(costs.macs),
        )
    };
    let Summary {
        recipe,
        data,
        test_accuracy,
        costs,
        ..
    } = summary;
    [
        line(
            "source",
            from.recipe,
            &from.data,
            from.test_accuracy,
            &from.costs,
        ),
        line("transfer", *recipe, data, *test_accuracy, costs),
    ]
    .join("\n")
}

fn search_text(search: &SearchResult, seconds: f64) -> String {
    let faster = search.first_weight_step_seconds / search.last_weight_step_seconds;
    [
        format!(
            "search         {}, {} weight and {} alpha steps, the last {faster:.1} times as fast as the first",
            duration(seconds),
            count(search.weight_steps as u64),
            count(search.alpha_steps as u64),
        ),
        format!(
            "decisions      {}, of which {} were forced, and noise alone would explain {} of the others",
            search.decisions, search.forced_decisions, search.decisions_explained_by_noise
        ),
        format!(
            "differences    {} by forcing, {} by deriving, in logits of {} images",
            difference(search.discretisation_gap),
            difference(search.derivation_difference),
            search.compared_images
        ),
    ]
    .join("\n")
}

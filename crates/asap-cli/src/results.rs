//! What a finished run prints.

use crate::output;
use crate::quantities::{bytes, count, difference, duration, percent};
use crate::show::cells_text;
use anyhow::{Context, Result};
use asap_genotype::Genotype;
use asap_train::{RunFolder, SearchResult, Summary};

/// Prints the results of the finished run in `folder`.
///
/// # Errors
/// If its genotype cannot be read, or stdout not be written.
pub(crate) fn print(folder: &RunFolder, summary: &Summary) -> Result<()> {
    let path = folder.genotype();
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let genotype = Genotype::from_json(&text).with_context(|| path.display().to_string())?;
    output::line(cells_text(&genotype))?;
    if let (Some(search), Some(seconds)) = (&summary.search, summary.search_seconds) {
        output::line(search_text(search, seconds))?;
    }
    output::line(format_args!(
        "training       {}, {} parameters, {} MACs per image",
        duration(summary.train_seconds),
        count(summary.parameters as u64),
        count(summary.macs),
    ))?;
    if let Some(mib) = summary.peak_rss_mib {
        output::line(format_args!(
            "memory         {}",
            bytes((mib * f64::from(1 << 20)) as u64)
        ))?;
    }
    output::line(format_args!(
        "test accuracy  {} of {} images of {}",
        percent(summary.test_accuracy),
        count(summary.test.images as u64),
        summary.data,
    ))?;
    output::line(format_args!("report         {}", folder.report().display()))
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

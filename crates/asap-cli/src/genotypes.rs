//! A genotype by what a person calls it: a published name, a file, or a run.

use anyhow::{Context, Result, bail};
use asap_genotype::{Genotype, Listing, NAMES};
use asap_train::RunFolder;
use std::path::Path;

/// The genotype of a published name, of a file with JSON or DARTS text, or of a run's folder.
///
/// # Errors
/// If there is no such name or file, or the file holds no genotype; the message names it.
pub(crate) fn find(text: &str) -> Result<Genotype> {
    if let Some(genotype) = Genotype::named(text) {
        return Ok(genotype.clone());
    }
    let path = Path::new(text);
    match path {
        _ if path.is_dir() => of_run(&RunFolder::new(path)),
        _ if path.exists() => read(path),
        _ => {
            let names = NAMES.join(", ");
            bail!(
                "{text}: expected a run, a genotype file or one of {names}; there is no such file"
            )
        }
    }
}

/// As [`find`], with the inputs of nodes in the order that the authors or the file list them in.
///
/// # Errors
/// As [`find`].
pub(crate) fn listing(text: &str) -> Result<Listing> {
    if let Some(listing) = Listing::named(text) {
        return Ok(listing.clone());
    }
    let genotype = find(text)?;
    // JSON has no order of its own, and a text that could be read has one.
    let darts = std::fs::read_to_string(text).ok();
    let listing = darts.and_then(|text| Listing::from_darts(&text).ok());
    Ok(listing.unwrap_or_else(|| Listing::from(&genotype)))
}

/// The genotype that a run has found or trains.
///
/// # Errors
/// If its file cannot be read or holds no genotype; the message names it.
pub(crate) fn of_run(folder: &RunFolder) -> Result<Genotype> {
    read(&folder.genotype())
}

fn read(path: &Path) -> Result<Genotype> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let json = text.trim_start().starts_with('{');
    let genotype = if json {
        Genotype::from_json(&text)
    } else {
        Genotype::from_darts(&text)
    };
    genotype.with_context(|| path.display().to_string())
}

//! A genotype by what a person calls it: a published name, a file, or a run.

use anyhow::{Context, Result, bail};
use asap_genotype::{Genotype, NAMES};
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
        _ if path.is_dir() => read(&RunFolder::new(path).genotype()),
        _ if path.exists() => read(path),
        _ => {
            let names = NAMES.join(", ");
            bail!(
                "{text}: expected a run, a genotype file or one of {names}; there is no such file"
            )
        }
    }
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

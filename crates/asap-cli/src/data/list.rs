//! `asap data list`: the known data sets in a table.

use super::default_folder;
use crate::{output, quantities};
use anyhow::Result;
use asap_data::Manifest;

/// Settings of `asap data list`.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

/// Prints the table.
///
/// # Errors
/// If there is no folder of manifests, or one of them is none.
pub(super) fn run(_arguments: &Arguments) -> Result<()> {
    output::line(row([
        "name", "train", "test", "classes", "download", "here", "licence",
    ]))?;
    for name in Manifest::names()? {
        let manifest = Manifest::named(&name)?;
        let here = manifest.is_here(&default_folder(&name)?);
        output::line(row([
            &name,
            &quantities::count(manifest.train as u64),
            &quantities::count(manifest.test as u64),
            &quantities::count(manifest.class_count as u64),
            &download(&manifest),
            if here { "yes" } else { "no" },
            &manifest.licence,
        ]))?;
    }
    Ok(())
}

/// How much there is to download, as far as it is known.
fn download(manifest: &Manifest) -> String {
    if manifest.downloads.is_empty() {
        return "by hand".to_owned();
    }
    let bytes = manifest.downloads.iter().map(|download| download.bytes);
    match bytes.sum::<Option<u64>>() {
        Some(bytes) => quantities::bytes(bytes),
        None => "size unknown".to_owned(),
    }
}

fn row([name, train, test, classes, download, here, licence]: [&str; 7]) -> String {
    format!("{name:<18}  {train:>9}  {test:>7}  {classes:>7}  {download:<12}  {here:<4}  {licence}")
}

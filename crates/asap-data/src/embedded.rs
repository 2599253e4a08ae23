//! Where the data sets that come with the project are.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The folder of the default data set, by which `datasets` is recognised.
pub(crate) const DEFAULT: &str = "fashion-mnist";

/// The folder `datasets` of the project: that of the source tree this was built in; if it is gone,
/// the one beside the executable, or the one in the current folder.
///
/// # Errors
///
/// If there is none, with the places that were looked at.
pub fn datasets_folder() -> Result<PathBuf> {
    first_of(candidates())
}

fn candidates() -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = source.ancestors().nth(2).unwrap_or(source);
    let executable = env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent);
    let current = env::current_dir().ok();
    let folders = [Some(source), beside, current.as_deref()];
    folders
        .into_iter()
        .flatten()
        .map(|folder| folder.join("datasets"))
        .collect()
}

fn first_of(candidates: Vec<PathBuf>) -> Result<PathBuf> {
    match candidates
        .iter()
        .find(|folder| folder.join(DEFAULT).is_dir())
    {
        Some(folder) => Ok(folder.clone()),
        None => Err(Error::NoDatasets { looked: candidates }),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_source_tree_comes_first_and_has_the_default() {
        let found = datasets_folder().unwrap();
        assert_eq!(found, candidates()[0]);
        assert!(found.join("fashion-mnist.toml").is_file());
    }

    #[test]
    fn folders_without_the_default_are_passed_over_and_named_at_the_end() {
        let nowhere = vec![
            PathBuf::from("/nowhere/datasets"),
            PathBuf::from("/no/datasets"),
        ];
        let found = first_of([nowhere.clone(), candidates()].concat()).unwrap();
        assert_eq!(found, candidates()[0]);
        let message = first_of(nowhere).unwrap_err().to_string();
        assert!(
            message.ends_with("looked for /nowhere/datasets, /no/datasets"),
            "{message}"
        );
    }
}

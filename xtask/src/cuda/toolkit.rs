//! The CUDA toolkit that is there already.

use super::shell;
use super::version::Version;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A compiler that asap can be built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Toolkit {
    pub(super) nvcc: PathBuf,
    pub(super) version: Version,
}

impl Toolkit {
    /// The toolkit of a compiler.
    ///
    /// # Errors
    /// If it does not start, or its release does not fit.
    pub(super) fn of(nvcc: PathBuf) -> Result<Self> {
        let printed = shell::output(Command::new(&nvcc).arg("--version"), "no nvcc")?;
        let version = Version::of_nvcc(&printed)?;
        version.must_fit()?;
        // Build scripts run in folders of their own.
        let nvcc =
            std::path::absolute(&nvcc).with_context(|| format!("where {} lies", nvcc.display()))?;
        Ok(Self { nvcc, version })
    }
}

/// The toolkit that `$CUDA_HOME` or `$CUDA_PATH` names, else the one whose nvcc is in `$PATH`; none if there is none, or if the
/// one in `$PATH` does not fit: it may be there for something else, so it is passed over and that is said.
///
/// # Errors
/// If one that a variable names does not fit.
pub(super) fn installed() -> Result<Option<Toolkit>> {
    among(|name| std::env::var_os(name))
}

fn among(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Toolkit>> {
    for name in ["CUDA_HOME", "CUDA_PATH"] {
        if let Some(folder) = variable(name).filter(|folder| !folder.is_empty()) {
            let nvcc = Path::new(&folder).join("bin/nvcc");
            let toolkit = Toolkit::of(nvcc).with_context(|| {
                format!(
                    "${name} names {} (without it a compiler is fetched)",
                    folder.display()
                )
            })?;
            return Ok(Some(toolkit));
        }
    }
    let folders = variable("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join("nvcc"));
    let Some(nvcc) = found.into_iter().find(|nvcc| nvcc.is_file()) else {
        return Ok(None);
    };
    match Toolkit::of(nvcc.clone()) {
        Ok(toolkit) => Ok(Some(toolkit)),
        Err(error) => {
            eprintln!("{} is passed over: {error:#}", nvcc.display());
            Ok(None)
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::scratch::Folder;
    use super::*;

    fn toolkit(folder: &Folder, name: &str, release: &str) -> OsString {
        let text = format!("#!/bin/sh\necho 'tools, release {release}, V{release}.1'\n");
        folder.program(&format!("{name}/bin/nvcc"), &text);
        folder.path().join(name).into()
    }

    fn among_these(variables: &[(&str, OsString)]) -> Result<Option<Toolkit>> {
        among(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn a_variable_goes_before_the_path() {
        let folder = Folder::new("toolkit-order");
        let named = toolkit(&folder, "named", "12.8");
        let mut path = toolkit(&folder, "path", "13.0");
        path.push("/bin");
        let both = among_these(&[("PATH", path.clone()), ("CUDA_PATH", named)]).unwrap();
        assert_eq!(both.unwrap().version.to_string(), "12.8");
        let empty = ("CUDA_HOME", OsString::new());
        let found = among_these(&[("PATH", path), empty]).unwrap().unwrap();
        assert_eq!(found.nvcc, folder.path().join("path/bin/nvcc"));
        assert_eq!(among_these(&[]).unwrap(), None);
    }

    #[test]
    fn one_that_does_not_fit_is_refused_where_it_is_named_and_passed_over_in_the_path() {
        let folder = Folder::new("toolkit-new");
        let newer = toolkit(&folder, "newer", "13.1");
        let error = among_these(&[("CUDA_HOME", newer.clone())]).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.starts_with("$CUDA_HOME names ") && error.contains("13.1 is newer"),
            "{error}"
        );
        let mut path = newer;
        path.push("/bin");
        assert_eq!(among_these(&[("PATH", path)]).unwrap(), None);
    }

    #[test]
    fn a_variable_that_names_no_toolkit_is_said() {
        let nowhere = OsString::from("no/such/folder");
        let error = format!("{:#}", among_these(&[("CUDA_HOME", nowhere)]).unwrap_err());
        assert!(
            error.contains("no/such/folder/bin/nvcc is not there"),
            "{error}"
        );
    }
}

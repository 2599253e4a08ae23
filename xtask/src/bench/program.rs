//! The programs: where they are, how they are started, the JSON line they end with.

use super::peer_files;
use crate::process::{self, Output, Terms};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the programs in PyTorch import.
const IMPORTS: &str = "import torch";
/// Prints the folders of the CUDA libraries that PyTorch brings, joined as the loader wants them.
const LIBRARIES: &str = "\
import glob, os, sysconfig
found = glob.glob(os.path.join(sysconfig.get_paths()['purelib'], 'nvidia', '*', 'lib', '*.so*'))
print(os.pathsep.join(sorted({os.path.dirname(path) for path in found})))";
/// Where the loader looks first.
const LOADER_PATH: &str = "LD_LIBRARY_PATH";

/// A program that times a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `asap bench step`.
    Asap,
    /// The supernet in PyTorch, and what is derived from it.
    Supernet,
    /// The networks that are trained for use in PyTorch.
    Network,
}

/// All of them, ready to run.
#[derive(Clone)]
pub(crate) struct Programs {
    asap: PathBuf,
    python: PathBuf,
    /// Where the programs in PyTorch are, and files that programs hand to each other.
    folder: PathBuf,
    for_asap: Vec<(&'static str, OsString)>,
    for_python: Vec<(&'static str, OsString)>,
    terms: Terms,
}

impl Programs {
    /// Takes the binary `asap` beside this one: cargo puts both into the folder of their profile.
    ///
    /// # Errors
    /// If a program, Python, a package or the allocator is missing.
    pub(crate) fn find(python: &Path, allocator: Option<&Path>) -> Result<Self> {
        if let Some(path) = allocator {
            ensure!(path.is_file(), "there is no file {}", path.display());
        }
        let asap = format!("asap{}", std::env::consts::EXE_SUFFIX);
        let asap = std::env::current_exe()?.with_file_name(asap);
        let folder = asap.with_file_name("peer");
        let mut programs = Self::new(&asap, python, &folder, Terms::default())?;
        if let Some(path) = allocator {
            programs.tell_python("LD_PRELOAD", path);
        }
        Ok(programs)
    }

    /// Takes the given binary, and lets it find the CUDA libraries of PyTorch where the system has none.
    ///
    /// # Errors
    /// If a program, Python or a package is missing.
    pub(crate) fn on_gpu(asap: &Path, python: &Path, folder: &Path, terms: Terms) -> Result<Self> {
        let mut programs = Self::new(asap, python, folder, terms)?;
        programs.add_libraries(&programs.python(&["-c", LIBRARIES])?);
        Ok(programs)
    }

    /// As [`Self::on_gpu`], for asap alone: what Python does not say about libraries is not needed then.
    ///
    /// # Errors
    /// If asap is missing.
    pub(crate) fn asap_on_gpu(
        asap: &Path,
        python: &Path,
        folder: &Path,
        terms: Terms,
    ) -> Result<Self> {
        let quiet = Terms {
            log: None,
            ..terms.clone()
        };
        let mut programs = Self::unchecked(asap, python, folder, quiet)?;
        if let Ok(libraries) = programs.python(&["-c", LIBRARIES]) {
            programs.add_libraries(&libraries);
        }
        programs.set_terms(terms);
        Ok(programs)
    }

    fn new(asap: &Path, python: &Path, folder: &Path, terms: Terms) -> Result<Self> {
        let programs = Self::unchecked(asap, python, folder, terms)?;
        require_peer(python, &programs.terms)?;
        peer_files::write(&programs.folder)?;
        Ok(programs)
    }

    fn unchecked(asap: &Path, python: &Path, folder: &Path, terms: Terms) -> Result<Self> {
        ensure!(
            asap.is_file(),
            "expected the program asap at {}",
            asap.display()
        );
        Ok(Self {
            // A path with a folder is not looked for among the programs of the system.
            asap: std::path::absolute(asap)?,
            python: python.to_owned(),
            folder: std::path::absolute(folder)?,
            for_asap: Vec::new(),
            for_python: Vec::new(),
            terms,
        })
    }

    /// Lets asap look into these folders too, behind those that are set: the system knows best.
    fn add_libraries(&mut self, folders: &str) {
        let set = std::env::var_os(LOADER_PATH).unwrap_or_default();
        let places: Vec<PathBuf> = std::env::split_paths(&set)
            .chain(std::env::split_paths(folders.trim()))
            .filter(|place| !place.as_os_str().is_empty())
            .collect();
        // What cannot be joined again was not a list of folders.
        if let Ok(joined) = std::env::join_paths(places) {
            self.for_asap.push((LOADER_PATH, joined));
        }
    }

    /// Lets every program run on these terms from now on.
    pub(crate) fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// Sets a variable of the environment of Python.
    pub(crate) fn tell_python(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.for_python.push((name, value.into()));
    }

    /// A folder for files that programs hand to each other.
    pub(crate) fn exchange(&self) -> &Path {
        &self.folder
    }

    /// What this machine can do on so many threads: f32 operations a second, in units of 1e9.
    ///
    /// # Errors
    /// If the program fails.
    pub(super) fn peak_gflops(&self, threads: u32) -> Result<f64> {
        let threads = threads.to_string();
        let text = self.asap(&["bench", "peak", "--threads", &threads])?;
        number(&last_line(&text)?, "gflops")
    }

    /// The line of one run.
    ///
    /// # Errors
    /// If the program fails or prints no such line.
    pub(crate) fn step(
        &self,
        program: Program,
        threads: u32,
        arguments: &[String],
    ) -> Result<Value> {
        let threads = threads.to_string();
        let mut options = vec!["--threads", threads.as_str()];
        options.extend(arguments.iter().map(String::as_str));
        let text = match program {
            Program::Asap => self.asap(&[&["bench", "step"], &options[..]].concat())?,
            Program::Supernet => self.peer("supernet.py", &options)?,
            Program::Network => self.peer("network.py", &options)?,
        };
        last_line(&text).with_context(|| format!("{program:?} {}", options.join(" ")))
    }

    /// What `asap ARGUMENTS` prints.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) fn asap(&self, arguments: &[&str]) -> Result<String> {
        let name = self.asap.display().to_string();
        self.asap_output(&[], arguments)?.text(&name)
    }

    /// How `asap ARGUMENTS` ends, started by another program with its own arguments if one is given.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn asap_output(&self, starter: &[&str], arguments: &[&str]) -> Result<Output> {
        let mut words = starter.iter().map(OsString::from).collect::<Vec<_>>();
        words.push(self.asap.clone().into_os_string());
        words.extend(arguments.iter().map(OsString::from));
        let terms = Terms {
            // A signal for the starter alone would leave asap behind.
            with_its_own: !starter.is_empty(),
            ..self.terms.clone()
        };
        self.run_like_asap(Command::new(&words[0]).args(&words[1..]), &terms)
    }

    /// How a test program ends that computes on a GPU, where asap finds its libraries.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn test_output(&self, program: &Path, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(program);
        command.args(arguments).env("ASAP_TEST_DEVICE", "cuda");
        self.run_like_asap(&mut command, &self.terms)
    }

    fn run_like_asap(&self, command: &mut Command, terms: &Terms) -> Result<Output> {
        process::run(command.envs(self.for_asap.iter().cloned()), terms)
    }

    fn peer(&self, file: &str, options: &[&str]) -> Result<String> {
        let file = self.folder.join(file).display().to_string();
        self.python(&[&[file.as_str()], options].concat())
    }

    /// What `python ARGUMENTS` prints.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) fn python(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.python);
        command
            .args(arguments)
            .envs(self.for_python.iter().cloned());
        process::run(&mut command, &self.terms)?.text(&self.python.display().to_string())
    }
}

/// Refuses a Python that does not work, or has not what the programs in PyTorch import.
///
/// # Errors
/// If it is one.
pub(super) fn require_peer(python: &Path, terms: &Terms) -> Result<()> {
    let output = process::run(Command::new(python).args(["-c", IMPORTS]), terms);
    let imported = output.and_then(|output| output.text(&python.display().to_string()));
    imported.context("--peer: expected a Python with torch")?;
    Ok(())
}

/// The number that a line has in a field.
///
/// # Errors
/// If there is none.
pub(crate) fn number(line: &Value, field: &str) -> Result<f64> {
    let value = &line[field];
    value
        .as_f64()
        .with_context(|| format!("expected a number in `{field}`, found {value}"))
}

/// The JSON line that the text ends with.
///
/// # Errors
/// If it ends with something else.
pub(crate) fn last_line(text: &str) -> Result<Value> {
    let line = text.trim_end().lines().next_back().unwrap_or("");
    serde_json::from_str(line).with_context(|| format!("expected a JSON line, found {line:?}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn the_last_line_counts() {
        let line = last_line("warming up\n{\"gflops\": 1.5}\n\n").unwrap();
        assert_eq!(line["gflops"], 1.5);
        for (text, named) in [("", "\"\""), ("{\"a\": 1}\ndone\n", "\"done\"")] {
            let error = last_line(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_missing_allocator_is_named() {
        let missing = Path::new("no-such-library.so");
        let error = Programs::find(Path::new("python3"), Some(missing)).err();
        assert!(error.unwrap().to_string().contains("no-such-library.so"));
    }

    #[test]
    fn what_is_missing_is_named_in_one_line() {
        let here = std::env::current_exe().unwrap();
        let folder = std::env::temp_dir();
        for (asap, python, named) in [
            (
                here.as_path(),
                "no-such-python",
                "cannot start no-such-python",
            ),
            (Path::new("no-such-asap"), "python3", "at no-such-asap"),
        ] {
            let error = Programs::new(asap, Path::new(python), &folder, Terms::default()).err();
            let text = format!("{:#}", error.unwrap());
            assert!(text.contains(named), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

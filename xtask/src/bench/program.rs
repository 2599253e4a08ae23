//! The programs: where they are, how they are started, the JSON line they end with.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the programs in PyTorch import.
const IMPORTS: &str = "import torch, numpy, safetensors";

/// A program that times a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// `asap bench step`.
    Asap,
    /// The supernet in PyTorch, and what is derived from it.
    Supernet,
    /// The networks that are trained for use in PyTorch.
    Network,
}

/// All of them, ready to run.
pub(super) struct Programs<'a> {
    asap: PathBuf,
    python: &'a Path,
    /// Where the programs in PyTorch are.
    folder: PathBuf,
    allocator: Option<&'a Path>,
}

impl<'a> Programs<'a> {
    /// Looks for the binary `asap` beside this one: cargo puts both into the folder of their profile.
    ///
    /// # Errors
    /// If a program, Python, a package or the allocator is missing.
    pub(super) fn find(python: &'a Path, allocator: Option<&'a Path>) -> Result<Self> {
        if let Some(path) = allocator {
            ensure!(path.is_file(), "there is no file {}", path.display());
        }
        output(python, &["-c", IMPORTS], None)
            .context("--peer: expected a Python with torch, numpy and safetensors")?;
        let name = format!("asap{}", std::env::consts::EXE_SUFFIX);
        let programs = Self {
            asap: std::env::current_exe()?.with_file_name(name),
            python,
            folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peer"),
            allocator,
        };
        ensure!(
            programs.asap.is_file(),
            "expected {} to be built: run this as `cargo xtask bench`",
            programs.asap.display()
        );
        Ok(programs)
    }

    /// A folder under `target/` for files that programs hand to each other.
    pub(super) fn exchange(&self) -> PathBuf {
        self.asap.with_file_name("peer")
    }

    /// What this machine can do on so many threads: f32 operations a second, in units of 1e9.
    ///
    /// # Errors
    /// If the program fails.
    pub(super) fn peak_gflops(&self, threads: u32) -> Result<f64> {
        let threads = threads.to_string();
        let line = line(&self.asap, &["bench", "peak", "--threads", &threads], None)?;
        number(&line, "gflops")
    }

    /// The line of one run.
    ///
    /// # Errors
    /// If the program fails or prints no such line.
    pub(super) fn step(
        &self,
        program: Program,
        threads: u32,
        arguments: &[String],
    ) -> Result<Value> {
        let threads = threads.to_string();
        let mut options = vec!["--threads", threads.as_str()];
        options.extend(arguments.iter().map(String::as_str));
        let file = match program {
            Program::Asap => {
                let options = [&["bench", "step"][..], &options].concat();
                return line(&self.asap, &options, None);
            }
            Program::Supernet => self.folder.join("supernet.py"),
            Program::Network => self.folder.join("network.py"),
        };
        let file = file.display().to_string();
        let options = [&[file.as_str()][..], &options].concat();
        line(self.python, &options, self.allocator)
    }
}

/// The number that a line has in a field.
///
/// # Errors
/// If there is none.
pub(super) fn number(line: &Value, field: &str) -> Result<f64> {
    let value = &line[field];
    value
        .as_f64()
        .with_context(|| format!("expected a number in `{field}`, found {value}"))
}

/// The JSON line that `program ARGUMENTS` ends with.
fn line(program: &Path, arguments: &[&str], preloaded: Option<&Path>) -> Result<Value> {
    let text = output(program, arguments, preloaded)?;
    last_line(&text).with_context(|| format!("`{} {}`", program.display(), arguments.join(" ")))
}

fn output(program: &Path, arguments: &[&str], preloaded: Option<&Path>) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(library) = preloaded {
        command.env("LD_PRELOAD", library);
    }
    let name = program.display();
    let output = command
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        // The last line says what it was, the ones above where in the program.
        let errors = String::from_utf8_lossy(&output.stderr);
        let reason = errors.trim_end().lines().next_back().unwrap_or("").trim();
        bail!("{name} ended with {}: {reason}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn last_line(text: &str) -> Result<Value> {
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
    fn a_missing_python_is_one_clear_line() {
        let error = Programs::find(Path::new("no-such-python"), None).err();
        let text = format!("{:#}", error.unwrap());
        assert!(text.contains("cannot start no-such-python"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_failed_program_tells_its_last_line() {
        let script = "echo first >&2; echo 'ModuleNotFoundError: torch' >&2; exit 1";
        let error = output(Path::new("sh"), &["-c", script], None).unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("ModuleNotFoundError: torch"), "{text}");
        assert!(!text.contains("first"), "{text}");
    }

    #[test]
    fn a_missing_allocator_is_named() {
        let missing = Path::new("no-such-library.so");
        let error = Programs::find(Path::new("python3"), Some(missing)).err();
        assert!(error.unwrap().to_string().contains("no-such-library.so"));
    }
}

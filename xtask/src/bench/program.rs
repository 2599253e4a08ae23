//! The two programs: where they are, how they are started, the JSON line they end with.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program in PyTorch, from the root of the workspace.
const SUPERNET: &str = "benches/peer/supernet.py";
/// What it imports.
const IMPORTS: &str = "import torch, numpy, safetensors";

/// The binary beside this one: cargo puts both into the folder of their profile.
///
/// # Errors
/// If there is none.
pub(super) fn asap() -> Result<PathBuf> {
    let name = format!("asap{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(
        path.is_file(),
        "expected {} to be built: run this as `cargo xtask bench`",
        path.display()
    );
    Ok(path)
}

/// Python with PyTorch, ready to run.
pub(super) struct Peer<'a> {
    python: &'a Path,
    program: String,
    allocator: Option<&'a Path>,
}

impl<'a> Peer<'a> {
    /// # Errors
    /// If Python, a package, the program or the allocator is missing.
    pub(super) fn new(python: &'a Path, allocator: Option<&'a Path>) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let program = root.join(SUPERNET);
        for path in allocator.into_iter().chain([program.as_path()]) {
            ensure!(path.is_file(), "there is no file {}", path.display());
        }
        output(python, &["-c", IMPORTS], None)
            .context("--peer: expected a Python with torch, numpy and safetensors")?;
        Ok(Self {
            python,
            program: program.display().to_string(),
            allocator,
        })
    }

    /// The line of one run.
    ///
    /// # Errors
    /// If the program fails or prints no such line.
    pub(super) fn step(&self, options: &[&str]) -> Result<Value> {
        let arguments = [&[self.program.as_str()], options].concat();
        line(self.python, &arguments, self.allocator)
    }
}

/// The JSON line that `program ARGUMENTS` ends with.
///
/// # Errors
/// If the program cannot be started, fails, or prints no such line.
pub(super) fn line(program: &Path, arguments: &[&str], preloaded: Option<&Path>) -> Result<Value> {
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
        let error = Peer::new(Path::new("no-such-python"), None).err().unwrap();
        let text = format!("{error:#}");
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
        let error = Peer::new(Path::new("python3"), Some(missing)).err();
        assert!(error.unwrap().to_string().contains("no-such-library.so"));
    }
}

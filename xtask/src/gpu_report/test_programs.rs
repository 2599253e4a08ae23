//! The parts that run test programs on the GPU: those that hold the kernels, networks and runs to the processor.
//!
//! Cargo builds them into a folder beside asap; the newest of a name counts.

use super::Setup;
use super::record::Outcome;
use crate::process::{Stopped, Terms};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

pub(super) const HEAD: &str = "\
| tests | program | result |
|---|---|---|
";

/// No more than these: to build all tests is to build asap in another way.
const BUILT_BY: &str = "cargo xtask cuda test --no-run --test device --test on_a_device --test job";

/// Tests of one program.
#[derive(Debug)]
pub(super) struct Tests {
    /// The part's.
    pub(super) name: &'static str,
    pub(super) program: &'static str,
    /// Which of its tests.
    filter: &'static [&'static str],
}

pub(super) const ALL: [Tests; 3] = [
    Tests {
        name: "tests-kernels",
        program: "device",
        // What is skipped is about the processor alone.
        filter: &[
            "operations",
            "cell_inputs",
            "kinks",
            "whole_plans",
            "small_kernels",
            "forms",
            "--skip",
            "races",
            "--skip",
            "nor_does",
            "--skip",
            "shared_memory",
            "--skip",
            "without_room",
        ],
    },
    Tests {
        name: "tests-networks",
        program: "on_a_device",
        filter: &[],
    },
    Tests {
        name: "tests-runs",
        program: "job",
        filter: &["on_a_device"],
    },
];

impl Tests {
    /// What runs them, from the folder that the program lies in.
    pub(super) fn command(&self) -> String {
        let words = format!("ASAP_TEST_DEVICE=cuda ./{}-DIGITS", self.program);
        [&[words.as_str()], self.filter].concat().join(" ")
    }

    /// What differs between builds of the program; nothing where there is none.
    pub(super) fn build(&self, setup: &Setup) -> String {
        let Ok(Some(program)) = newest(&setup.asap.with_file_name("deps"), self.program) else {
            return String::new();
        };
        let built = program.metadata().and_then(|data| data.modified()).ok();
        let built = built.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let name = program.file_name().unwrap_or_default().display();
        format!("{name} {}", built.unwrap_or_default().as_millis())
    }
}

/// Runs them.
///
/// # Errors
/// If the program cannot be started, or is stopped.
pub(super) fn measure(setup: &Setup, tests: &Tests, terms: &Terms) -> Result<Outcome> {
    let folder = setup.asap.with_file_name("deps");
    let Some(program) = newest(&folder, tests.program)? else {
        let name = format!("{}-*", tests.program);
        let error = format!("no {name} in deps beside asap: `{BUILT_BY}` builds it");
        return Ok(Outcome::unavailable(String::new(), error));
    };
    let output = setup.asap(terms)?.test_output(&program, tests.filter)?;
    let said = said(&output.stdout);
    let row = match said.is_empty() {
        true => String::new(),
        false => {
            let file = program.file_name().unwrap_or_default().display();
            format!("| {} | `{file}` | {} |\n", tests.name, said.join("<br>"))
        }
    };
    let passed = passed(&output.stdout);
    match output.text(tests.program) {
        Ok(_) if passed > 0 => Ok(Outcome::new(true, row, Value::Null)),
        Ok(_) => Ok(Outcome::wrong(row, "no test was run".to_owned())),
        Err(error) if error.is::<Stopped>() => Err(error),
        Err(error) => Ok(Outcome::wrong(row, error.to_string())),
    }
}

/// What a runner of tests says of those that failed, and of all.
fn said(text: &str) -> Vec<String> {
    let line = |line: &&str| {
        let failed = line.starts_with("test ") && line.ends_with("... FAILED");
        failed || line.starts_with("test result:")
    };
    // A bar would end the cell of the table.
    let lines = text.lines().filter(line);
    lines.map(|line| line.replace('|', "\\|")).collect()
}

/// How many tests passed.
fn passed(text: &str) -> u64 {
    let result = text.lines().find(|line| line.starts_with("test result:"));
    let words = result.unwrap_or_default().split_whitespace();
    let words: Vec<&str> = words.collect();
    let counted = words.windows(2).find(|pair| pair[1] == "passed;");
    counted.map_or(0, |pair| pair[0].parse().unwrap_or(0))
}

/// The newest program of a name, behind which cargo puts 16 digits.
fn newest(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.with_context(|| folder.display().to_string())?,
    };
    let mut found = None;
    for entry in entries {
        let entry = entry?;
        let file = entry.file_name();
        let digits = file
            .to_str()
            .and_then(|file| file.strip_prefix(name)?.strip_prefix('-'));
        let is_one = digits.is_some_and(|digits| {
            digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit())
        });
        if is_one {
            let built = (entry.metadata()?.modified()?, entry.path());
            found = found.max(Some(built));
        }
    }
    Ok(found.map(|(_, path)| path))
}

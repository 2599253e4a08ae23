//! Runs the program.

use std::path::Path;
use std::process::{Command, Output};

/// What the program said and how it ended.
pub(crate) struct Said {
    /// Absent when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `asap ARGUMENTS` in `folder`, not started yet.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asap"));
    // A backtrace would be more than the one line that is promised.
    command
        .current_dir(folder)
        .args(arguments)
        .env("RUST_BACKTRACE", "1");
    command
}

/// `asap ARGUMENTS` in `folder`, run to its end.
pub(crate) fn asap(folder: &Path, arguments: &[&str]) -> Said {
    said(command(folder, arguments).output().unwrap())
}

pub(crate) fn said(output: Output) -> Said {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

impl Said {
    /// What went to stdout, after a good end.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// The line that says what went wrong: the last one, alone of its kind, in a bad end.
    #[track_caller]
    pub(crate) fn failed(&self) -> &str {
        assert_eq!(self.code, Some(1), "{}\n{}", self.stdout, self.stderr);
        let errors = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .count();
        let last = self.stderr.lines().last().unwrap();
        assert!(
            errors == 1 && last.starts_with("error: "),
            "{}",
            self.stderr
        );
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        last
    }

    /// The line that says what went wrong has every one of `parts`.
    #[track_caller]
    pub(crate) fn failed_with(&self, parts: &[&str]) {
        let line = self.failed();
        for part in parts {
            assert!(line.contains(part), "`{part}` is not in: {line}");
        }
    }
}

//! Results go to stdout, everything else to stderr; neither can make the program panic.

use anyhow::{Context, Result};
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Writes `text` and the end of a line to stdout.
///
/// A reader that has seen enough, as `head` has, ends the program quietly.
///
/// # Errors
/// If stdout cannot be written, as on a full disk.
pub(crate) fn line(text: impl Display) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        written => written.context("cannot write to stdout"),
    }
}

/// Tells the person something beside the results.
pub(crate) fn note(text: impl Display) {
    // Who closed stderr does not want to be told.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Tells why the program ends: one line with every cause that says something new.
pub(crate) fn error(error: &anyhow::Error) {
    note(format_args!("error: {}", one_line(error)));
}

fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // Many errors have their cause in their own message already.
        if !text.contains(&cause) {
            let joint = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{joint}{cause}");
        }
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn an_error_is_one_line_with_every_cause_once() {
        let error = anyhow!("no such file").context("cannot read a.png: no such file");
        assert_eq!(one_line(&error), "cannot read a.png: no such file");
        let error = anyhow!("line 3:\n  unknown key").context("config.toml");
        assert_eq!(one_line(&error), "config.toml: line 3: unknown key");
    }
}

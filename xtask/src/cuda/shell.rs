//! Programs that a setup runs: their words, what they print, why they fail.

use anyhow::{Context, Result, bail};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `command` and gives back what it prints.
///
/// # Errors
/// If it does not start (then `missing` says what to do about it), or ends with anything but success.
pub(super) fn output(command: &mut Command, missing: &str) -> Result<String> {
    let words = words(command);
    let done = match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{} is not there: {missing}", first(command))
        }
        other => other.with_context(|| format!("`{words}` does not start"))?,
    };
    if !done.status.success() {
        let said = [&done.stdout, &done.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        bail!(
            "`{words}` ended with {}:\n{}",
            done.status,
            said.concat().trim()
        );
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The words of a command, as they are printed.
pub(super) fn words(command: &Command) -> String {
    let arguments = command.get_args().map(|word| word.to_string_lossy());
    let mut words = vec![first(command).into()];
    words.extend(arguments);
    words.join(" ")
}

/// A path as text, for a variable or a script.
///
/// # Errors
/// If it is no UTF-8.
pub(super) fn text(path: &Path) -> Result<String> {
    let text = path.to_str();
    let text =
        text.with_context(|| format!("expected a path in UTF-8, found {}", path.display()))?;
    Ok(text.to_owned())
}

/// `word` between single quotes, so that the shell takes it as it stands.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn first(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_program_that_is_missing_is_said_with_what_to_do() {
        let error = output(&mut Command::new("no-such-program-here"), "install it").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-such-program-here is not there: install it"
        );
    }

    #[test]
    fn a_program_that_fails_is_said_with_its_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo reason >&2; exit 3"]);
        let error = output(&mut command, "").unwrap_err().to_string();
        assert!(
            error.contains("exit status: 3") && error.ends_with("reason"),
            "{error}"
        );
    }

    #[test]
    fn the_shell_takes_a_quoted_word_as_it_stands() {
        let word = "a 'b' $c \"d\"";
        let script = format!("printf %s {}", quoted(word));
        let printed = output(Command::new("sh").args(["-c", &script]), "").unwrap();
        assert_eq!(printed, word);
    }
}

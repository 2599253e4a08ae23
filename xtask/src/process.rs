//! Runs a program to its end or to a moment at which it is asked to stop, and returns what it said.
//!
//! A program that takes part in a measurement can hang, or compile for an hour. At its moment it gets the signal of Ctrl-C,
//! on which asap saves its run, and time to follow it; then it is killed. What it prints goes through files rather than
//! pipes: a pipe stays open, and its reader waits, for as long as any process that the program started lives.

use crate::replace::replace;
use anyhow::{Context, Result, bail};
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How often to look whether the program has ended.
const PAUSE: Duration = Duration::from_millis(20);
/// What a program that was killed has to end in.
const TO_END: Duration = Duration::from_secs(10);
/// Lines of each output that are kept of a program that failed.
const KEPT_LINES: usize = 200;

/// Until when a program may run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    pub(crate) moment: Instant,
    /// How long it may then take to save and end.
    pub(crate) grace: Duration,
}

/// On what terms a program runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) until: Option<Until>,
    /// Where the end of what it said is kept if it fails or is stopped.
    pub(crate) log: Option<PathBuf>,
    /// Whether what it has started is stopped with it. The Ctrl-C of a terminal does not reach it then.
    pub(crate) with_its_own: bool,
}

/// A program did not end in its time.
#[derive(Debug)]
pub(crate) struct Stopped {
    name: String,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was stopped: its time was over", self.name)
    }
}

impl std::error::Error for Stopped {}

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Whether its moment came before its end.
    pub(crate) stopped: bool,
}

impl Output {
    /// What it printed.
    ///
    /// # Errors
    /// If it failed, with the line of its errors that says what it was, or was stopped ([`Stopped`]).
    pub(crate) fn text(self, name: &str) -> Result<String> {
        if self.stopped {
            let name = name.to_owned();
            return Err(Stopped { name }.into());
        }
        if !self.status.success() {
            bail!("{name} ended with {}: {}", self.status, self.reason());
        }
        Ok(self.stdout)
    }

    /// The last error that Python names, which hints may follow; without one the last line, since those above say where.
    pub(crate) fn reason(&self) -> &str {
        let lines = || self.stderr.lines().map(str::trim).rev();
        let last = || lines().find(|line| !line.is_empty());
        let named = lines().find(|line| names_an_error(line));
        named.or_else(last).unwrap_or("it said nothing")
    }

    /// How it ended, and the end of what it said.
    fn end(&self, command: &Command) -> String {
        let how = match self.stopped {
            true => "was stopped: its time was over".to_owned(),
            false => format!("ended with {}", self.status),
        };
        let (errors, printed) = (last_lines(&self.stderr), last_lines(&self.stdout));
        format!("{command:?}\n{how}\n\nIts errors:\n{errors}\n\nIts output:\n{printed}\n")
    }
}

/// Whether a line is `SomeError: what it was`, perhaps of a module.
fn names_an_error(line: &str) -> bool {
    let Some((name, _)) = line.split_once(": ") else {
        return false;
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    (name.ends_with("Error") || name.ends_with("Exception")) && name.chars().all(is_name)
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n")
}

/// Runs a program to its end, or until its moment.
///
/// # Errors
/// If it cannot be started, or its output cannot be kept.
pub(crate) fn run(command: &mut Command, terms: &Terms) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (out, errors) = (Spool::new("out")?, Spool::new("err")?);
    command.stdin(Stdio::null());
    command.stdout(out.file.try_clone()?);
    command.stderr(errors.file.try_clone()?);
    #[cfg(unix)]
    if terms.with_its_own {
        std::os::unix::process::CommandExt::process_group(command, 0);
    }
    let child = command.spawn();
    let mut child = child.with_context(|| format!("cannot start {name}"))?;
    let (status, stopped) = wait(&mut child, terms)?;
    let output = Output {
        status,
        stdout: out.text()?,
        stderr: errors.text()?,
        stopped,
    };
    if let Some(log) = terms.log.as_ref().filter(|_| stopped || !status.success()) {
        replace(log, &output.end(command))?;
    }
    Ok(output)
}

/// Waits, and says whether the program had to be stopped.
fn wait(child: &mut Child, terms: &Terms) -> Result<(ExitStatus, bool)> {
    let Some(until) = terms.until else {
        return Ok((child.wait()?, false));
    };
    if let Some(status) = wait_until(child, until.moment)? {
        end_its_own(child, terms);
        return Ok((status, false));
    }
    send("INT", child, terms);
    let in_grace = wait_until(child, Instant::now() + until.grace)?;
    end_its_own(child, terms);
    if let Some(status) = in_grace {
        return Ok((status, true));
    }
    child.kill()?;
    // What is deep in a driver may not end for anybody.
    match wait_until(child, Instant::now() + TO_END)? {
        Some(status) => Ok((status, true)),
        None => bail!("process {} cannot be ended", child.id()),
    }
}

/// Ends what a program has started and left behind, where that is asked for.
fn end_its_own(child: &Child, terms: &Terms) {
    if terms.with_its_own {
        send("KILL", child, terms);
    }
}

fn wait_until(child: &mut Child, moment: Instant) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= moment {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Sends a signal, that of Ctrl-C for one. The standard library cannot; the shell of every Unix can.
fn send(signal: &str, child: &Child, terms: &Terms) {
    // A number below zero is that of a group.
    let sign = if terms.with_its_own { "-" } else { "" };
    let id = format!("{sign}{}", child.id());
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$0\" -- \"$1\"", signal, &id])
        .stderr(Stdio::null())
        .status();
    if sent.is_err() {
        eprintln!("there is no sh to ask process {id} to stop with; it will be killed");
    }
}

/// A file that holds what a program prints and goes when it is dropped.
struct Spool {
    file: File,
    path: PathBuf,
}

impl Spool {
    fn new(kind: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // The moment too: a process before this one may have had its number, and been killed.
        let moment = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let moment = moment.map_or(0, |time| time.as_nanos());
        let name = format!("xtask-{}-{moment}-{number}.{kind}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = File::options()
            .read(true)
            .append(true)
            .create_new(true)
            .open(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { file, path })
    }

    fn text(&self) -> Result<String> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn shell(script: &str, milliseconds: Option<(u64, u64)>) -> Output {
        let until = milliseconds.map(|(moment, grace)| Until {
            moment: Instant::now() + Duration::from_millis(moment),
            grace: Duration::from_millis(grace),
        });
        let terms = Terms {
            until,
            ..Terms::default()
        };
        on_terms(script, &terms)
    }

    fn on_terms(script: &str, terms: &Terms) -> Output {
        run(Command::new("sh").args(["-c", script]), terms).unwrap()
    }

    #[test]
    fn both_outputs_come_back() {
        let output = shell("echo one; echo two >&2; echo three", None);
        assert_eq!(output.stdout, "one\nthree\n");
        assert_eq!((output.stderr.as_str(), output.reason()), ("two\n", "two"));
        assert_eq!(output.text("sh").unwrap(), "one\nthree\n");
    }

    #[test]
    fn a_failed_program_tells_its_last_line() {
        let script = "echo first >&2; echo 'ModuleNotFoundError: torch' >&2; echo >&2; exit 1";
        let error = shell(script, None).text("sh").unwrap_err().to_string();
        assert!(error.ends_with("ModuleNotFoundError: torch"), "{error}");
        assert!(!error.contains("first"), "{error}");
    }

    #[test]
    fn an_error_that_has_a_name_says_more_than_a_hint_behind_it() {
        for (errors, reason) in [
            (
                "torch.OutOfMemoryError: no memory\nSet TORCH_LOGS for more",
                "torch.OutOfMemoryError: no memory",
            ),
            ("ValueError: a\nRuntimeError: b\n\n", "RuntimeError: b"),
            ("error: no GPU\nas MyError: says", "as MyError: says"),
            ("a hint\nthe end", "the end"),
        ] {
            let output = shell(&format!("printf '%s' '{errors}' >&2"), None);
            assert_eq!(output.reason(), reason);
        }
    }

    #[test]
    fn the_end_of_what_a_failed_program_said_is_kept() {
        let folder = std::env::temp_dir().join(format!("process-log-{}", std::process::id()));
        let terms = Terms {
            log: Some(folder.join("logs/part.txt")),
            ..Terms::default()
        };
        on_terms("echo fine", &terms);
        assert!(!folder.exists(), "nothing failed");
        on_terms("seq 1 300; echo first >&2; echo last >&2; exit 3", &terms);
        let log = std::fs::read_to_string(folder.join("logs/part.txt")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(log.contains("ended with exit status: 3"), "{log}");
        assert!(log.contains("\nfirst\nlast\n"), "{log}");
        assert!(log.contains("\n101\n") && log.ends_with("\n300\n"), "{log}");
        assert!(!log.contains("\n100\n"), "{log}");
    }

    #[test]
    fn what_a_program_has_started_is_stopped_with_it() {
        let file = std::env::temp_dir().join(format!("process-group-{}", std::process::id()));
        let script = format!("(sleep 3; touch {}) & wait", file.display());
        let now = Instant::now();
        let terms = Terms {
            until: Some(Until {
                moment: now + Duration::from_millis(200),
                grace: Duration::from_millis(200),
            }),
            with_its_own: true,
            ..Terms::default()
        };
        assert!(on_terms(&script, &terms).stopped);
        std::thread::sleep(Duration::from_secs(4));
        assert!(!file.exists(), "it went on");
    }

    #[test]
    fn a_program_that_outlives_its_moment_is_stopped() {
        let output = shell("echo begun; sleep 60", Some((200, 200)));
        assert!(output.stopped);
        assert_eq!(output.stdout, "begun\n");
        let error = output.text("sleeper").unwrap_err().context("of a test");
        assert!(error.downcast_ref::<Stopped>().is_some(), "{error:#}");
        assert!(format!("{error:#}").contains("sleeper was stopped"));
        let output = shell("exit 0", Some((60_000, 0)));
        assert!(!output.stopped);
    }

    #[test]
    fn output_does_not_wait_for_what_the_program_left_behind() {
        let started = Instant::now();
        let output = shell("sleep 20 & echo done", None);
        assert_eq!(output.stdout, "done\n");
        assert!(started.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-program"), &Terms::default()).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("cannot start no-such-program"), "{text}");
    }
}

//! Runs a program to its end or to a moment at which it is asked to stop, and returns what it said.
//!
//! A program that takes part in a measurement can hang, or compile for an hour. At its moment it gets the signal of Ctrl-C,
//! on which asap saves its run, and time to follow it; then it is killed. What it prints goes through files rather than
//! pipes: a pipe stays open, and its reader waits, for as long as any process that the program started lives.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How often to look whether the program has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// Until when a program may run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    pub(crate) moment: Instant,
    /// How long it may then take to save and end.
    pub(crate) grace: Duration,
}

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
    /// If it failed or was stopped: with the last line of its errors, which says what it was.
    pub(crate) fn text(self, name: &str) -> Result<String> {
        if self.stopped {
            bail!("{name} was stopped: its time was over");
        }
        if !self.status.success() {
            bail!("{name} ended with {}: {}", self.status, self.reason());
        }
        Ok(self.stdout)
    }

    /// The last line of its errors; the ones above say where in the program.
    pub(crate) fn reason(&self) -> &str {
        let lines = self.stderr.lines().map(str::trim);
        lines
            .rev()
            .find(|line| !line.is_empty())
            .unwrap_or("it said nothing")
    }
}

/// Runs a program to its end, or until its moment.
///
/// # Errors
/// If it cannot be started, or its output cannot be kept.
pub(crate) fn run(command: &mut Command, until: Option<Until>) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (out, errors) = (Spool::new("out")?, Spool::new("err")?);
    command.stdin(Stdio::null());
    command.stdout(out.file.try_clone()?);
    command.stderr(errors.file.try_clone()?);
    let child = command.spawn();
    let mut child = child.with_context(|| format!("cannot start {name}"))?;
    let (status, stopped) = wait(&mut child, until)?;
    Ok(Output {
        status,
        stdout: out.text()?,
        stderr: errors.text()?,
        stopped,
    })
}

/// Waits, and says whether the program had to be stopped.
fn wait(child: &mut Child, until: Option<Until>) -> Result<(ExitStatus, bool)> {
    let Some(until) = until else {
        return Ok((child.wait()?, false));
    };
    if let Some(status) = wait_until(child, until.moment)? {
        return Ok((status, false));
    }
    interrupt(child);
    if let Some(status) = wait_until(child, Instant::now() + until.grace)? {
        return Ok((status, true));
    }
    child.kill()?;
    Ok((child.wait()?, true))
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

/// Sends the signal of Ctrl-C. The standard library cannot; the shell of every Unix can.
fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("sh")
        .args(["-c", "kill -INT \"$0\"", &id])
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
        run(Command::new("sh").args(["-c", script]), until).unwrap()
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
    fn a_program_that_outlives_its_moment_is_stopped() {
        let output = shell("echo begun; sleep 60", Some((200, 200)));
        assert!(output.stopped);
        assert_eq!(output.stdout, "begun\n");
        let error = output.text("sleeper").unwrap_err().to_string();
        assert!(error.contains("sleeper was stopped"), "{error}");
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
        let error = run(&mut Command::new("no-such-program"), None).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("cannot start no-such-program"), "{text}");
    }
}

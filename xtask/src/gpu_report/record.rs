//! What came of a part, kept as JSON; and the report that is written from all of it.

use super::Setup;
use super::part::Part;
use crate::replace::replace;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;

/// How far a part is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Missing,
    Failed,
    /// Stopped in time; the next turn goes on.
    GoesOn,
    /// This machine has not what it needs; the next call looks again.
    Unavailable,
    Done,
}

impl State {
    const ALL: [Self; 5] = [
        Self::Missing,
        Self::Failed,
        Self::GoesOn,
        Self::Unavailable,
        Self::Done,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::GoesOn => "goes on",
            Self::Unavailable => "not available here",
            Self::Done => "done",
        }
    }
}

/// What a turn of a part found.
#[derive(Debug)]
pub(super) struct Outcome {
    state: State,
    /// What the report shows.
    markdown: String,
    /// What other parts and later turns read.
    value: Value,
    error: String,
}

impl Outcome {
    /// All that the part is about, or as much of it as there was time for.
    pub(super) fn new(done: bool, markdown: String, value: Value) -> Self {
        Self {
            state: if done { State::Done } else { State::GoesOn },
            markdown,
            value,
            error: String::new(),
        }
    }

    /// Figures that are not as they must be.
    pub(super) fn wrong(markdown: String, error: String) -> Self {
        Self {
            state: State::Failed,
            markdown,
            value: Value::Null,
            error,
        }
    }

    /// What can be told without something that this machine has not.
    pub(super) fn unavailable(markdown: String, error: String) -> Self {
        Self {
            state: State::Unavailable,
            markdown,
            value: Value::Null,
            error,
        }
    }
}

/// A part as it stands after its turns.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    pub(super) state: State,
    /// Of all turns together.
    pub(super) seconds: f64,
    pub(super) markdown: String,
    pub(super) value: Value,
    /// Why the last turn failed, or could not be.
    pub(super) error: String,
    /// The build of asap that it is of, if it is of one.
    pub(super) build: String,
    /// Turns, of at least half their length, at whose end a program had to be stopped.
    pub(super) full_turns: u64,
    /// The file of what the program that failed last said.
    pub(super) log: String,
}

impl Record {
    /// The record of a part in the folder; of one that never had a turn, an empty one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn read(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join("parts").join(format!("{name}.json"));
        let fields: Value = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{}: expected a part's JSON", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let text = |field: &str| fields[field].as_str().unwrap_or_default().to_owned();
        let state = text("state");
        let state = State::ALL.into_iter().find(|one| one.name() == state);
        Ok(Self {
            state: state.unwrap_or(State::Missing),
            seconds: fields["seconds"].as_f64().unwrap_or_default(),
            markdown: text("markdown"),
            value: fields["value"].clone(),
            error: text("error"),
            build: text("build"),
            full_turns: fields["full_turns"].as_u64().unwrap_or_default(),
            log: text("log"),
        })
    }

    /// The record after another turn. One that failed leaves what there was.
    pub(super) fn after(self, outcome: Result<Outcome>, seconds: f64) -> Self {
        let seconds = self.seconds + seconds;
        match outcome {
            Ok(outcome) => Self {
                state: outcome.state,
                seconds,
                markdown: outcome.markdown,
                value: outcome.value,
                error: outcome.error,
                ..self
            },
            Err(error) => Self {
                state: State::Failed,
                seconds,
                error: format!("{error:#}"),
                ..self
            },
        }
    }

    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&self, folder: &Path, name: &str) -> Result<()> {
        let fields = json!({
            "state": self.state.name(), "seconds": self.seconds, "markdown": self.markdown,
            "value": self.value, "error": self.error, "build": self.build, "full_turns": self.full_turns,
            "log": self.log,
        });
        let path = folder.join("parts").join(format!("{name}.json"));
        replace(&path, &format!("{fields:#}\n"))
    }

    pub(super) fn described(&self) -> String {
        let text = match self.state {
            State::Unavailable => self.state.name().to_owned(),
            state => format!("{} after {:.0} s", state.name(), self.seconds),
        };
        let error = match self.error.is_empty() {
            true => String::new(),
            false => format!(": {}", self.error),
        };
        let log = match self.log.is_empty() {
            true => String::new(),
            false => format!(" (`{}`)", self.log),
        };
        text + &error + &log
    }
}

/// Writes `gpu-report.md`: a section for each subject, its parts one below the other. Returns the parts that are to be
/// measured yet.
///
/// # Errors
/// If a record cannot be read, or the report not written.
pub(super) fn write_report(setup: &Setup, parts: &[Part]) -> Result<Vec<String>> {
    let mut text = "# Measured on a GPU\n".to_owned();
    let mut missing = Vec::new();
    for section in parts.chunk_by(|a, b| a.section == b.section) {
        let (mut measured, mut commands) = (String::new(), String::new());
        let mut notes: Vec<String> = Vec::new();
        for part in section {
            let record = Record::read(&setup.folder, &part.name)?;
            measured += &record.markdown;
            commands += &part.shown(&setup.folder)?;
            commands.push('\n');
            // What two parts have to say is said once.
            let remark = part.remark(&setup.folder, &record)?;
            notes.extend(remark.filter(|remark| !notes.contains(remark)));
            if part.is_done(setup, &record)? {
                continue;
            }
            let how = [
                (record.state != State::Done).then(|| record.described()),
                part.outdated(setup, &record)?.map(str::to_owned),
                part.is_given_up(&record)
                    .then(|| "it is not tried again".to_owned()),
            ];
            let how: Vec<String> = how.into_iter().flatten().collect();
            notes.push(format!("`{}`: {}", part.name, how.join("; ")));
            if record.state != State::Unavailable && !part.is_given_up(&record) {
                missing.push(part.name.clone());
            }
        }
        if !measured.is_empty() {
            measured.insert_str(0, section[0].head);
            measured.insert(0, '\n');
        }
        let notes: String = notes.iter().map(|note| format!("\n{note}\n")).collect();
        text += &format!(
            "\n## {}\n\n```sh\n{commands}```\n{measured}{notes}",
            section[0].section
        );
    }
    replace(&setup.folder.join("gpu-report.md"), &text)?;
    Ok(missing)
}

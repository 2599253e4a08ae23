//! Runs that are stopped, politely or not, and go on to the bytes of a run that never was.
#![cfg(unix)]

use crate::place::Place;
use crate::program::{asap, command, said};
use crate::small_run::{self, results};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any small run takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// When a run is to be stopped.
type Moment = fn(&Path) -> bool;

fn start(place: &Place, arguments: &[&str]) -> Child {
    let mut command = command(place.path(), arguments);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

const SEARCH: [&str; 5] = ["search", "--config", "small.toml", "--out", "run"];
const RESUME: [&str; 3] = ["search", "--resume", "run"];

/// Waits until `moment` comes; true if the program still runs then.
fn wait_for(child: &mut Child, run: &Path, moment: Moment) -> bool {
    let start = Instant::now();
    while !moment(run) {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(start.elapsed() < PATIENCE, "the moment never came");
        std::thread::yield_now();
    }
    true
}

fn has_checkpoint(run: &Path, from: &str) -> bool {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name().into_string().unwrap_or_default();
        // Later ones count too: the one that was waited for may be gone already.
        name.ends_with(".safetensors") && name.as_str() >= from
    })
}

fn is_writing(run: &Path) -> bool {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else {
        return false;
    };
    entries.flatten().any(|entry| {
        entry
            .path()
            .extension()
            .is_none_or(|ending| ending != "safetensors")
    })
}

#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let place = small_run::place();
    small_run::search(&place, "whole", &[]).succeeded();
    let run = place.join("run");
    // In the order in which they come; `search-` sorts before `train-`.
    let moments: [(&str, Moment); 7] = [
        ("as soon as there is a run", |run| {
            run.join("config.toml").exists()
        }),
        ("in grace", |run| has_checkpoint(run, "search-00000-000003")),
        ("among the first removals", |run| {
            has_checkpoint(run, "search-00001-000002")
        }),
        ("while a checkpoint is written", |run| {
            has_checkpoint(run, "search-00001-000006") && is_writing(run)
        }),
        ("late in the search", |run| {
            has_checkpoint(run, "search-00002-000010")
        }),
        ("at the start of the training", |run| {
            has_checkpoint(run, "train-00000-000000")
        }),
        ("while a checkpoint of the training is written", |run| {
            has_checkpoint(run, "train-00001-000002") && is_writing(run)
        }),
    ];
    let mut killed = 0;
    for (index, (name, moment)) in moments.into_iter().enumerate() {
        let begun = run.join("config.toml").exists();
        assert_eq!(begun, index > 0, "{name}");
        let mut child = start(&place, if begun { &RESUME } else { &SEARCH });
        if wait_for(&mut child, &run, moment) {
            child.kill().unwrap();
            killed += 1;
        }
        let ended = said(child.wait_with_output().unwrap());
        assert!(
            ended.code.is_none_or(|code| code == 0),
            "{name}: {}",
            ended.stderr
        );
    }
    assert!(
        killed >= 5,
        "only {killed} of 7 moments came before the run was over"
    );
    if !run.join("summary.json").exists() {
        asap(place.path(), &RESUME).succeeded();
    }
    assert!(
        results(&run) == results(&place.join("whole")),
        "the bytes differ"
    );
    let lines = |run: &str| {
        fs::read_to_string(place.join(run).join("metrics.jsonl"))
            .unwrap()
            .lines()
            .count()
    };
    assert_eq!(lines("run"), lines("whole"), "every epoch is told once");
    asap(place.path(), &RESUME).failed_with(&["run", "finished"]);
}

#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let place = small_run::place();
    small_run::search(&place, "whole", &[]).succeeded();
    let run = place.join("run");
    let mut child = start(&place, &SEARCH);
    assert!(wait_for(&mut child, &run, |run| has_checkpoint(
        run,
        "search-00000-000005"
    )));
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let stopped = said(child.wait_with_output().unwrap());
    assert_eq!(stopped.code, Some(130), "{}", stopped.stderr);
    let last = stopped.stderr.lines().last().unwrap();
    assert!(last.contains("asap search --resume run"), "{last}");
    let listed = asap(place.path(), &["runs", "."]).succeeded();
    assert!(listed.contains("interrupted"), "{listed}");
    asap(place.path(), &["show", "run"]).succeeded();
    assert!(run.join("report.html").exists());

    asap(place.path(), &RESUME).succeeded();
    assert!(
        results(&run) == results(&place.join("whole")),
        "the bytes differ"
    );
}

//! Whole reports, with scripts in the place of asap and of Python.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod again;
mod programs;

use super::*;
use std::os::unix::fs::PermissionsExt;

/// Says what asap says. Each call is written down beside it; files there change what it does.
const ASAP: &str = r#"
here=$(dirname "$0"); echo "asap $*" >> "$here/calls"
line='{"macs_per_image": 9, "weights": 7, "batch": 4, "device": "NVIDIA H200", "median_step_s": 0.01,
 "device_bytes": 104857600, "launches": 150, "images_per_s": 100000, "losses": [2.3, 2.2, 2.1, 2.0, 1.9],
 "kernels": {"chain": {"launches": 150, "seconds": 0.008, "bytes": 2.4e10, "flops": 1e9}}}'
case "$1" in
bench)
    if [ "$2" = agree ] && [ -e "$here/no-gpu" ]; then echo "the driver finds no GPU" >&2; exit 1; fi
    if [ "$2" = agree ] && [ -e "$here/silent" ]; then exit 0; fi
    if [ "$2" = agree ] && [ -e "$here/disagree" ]; then echo "supernet: far away"; echo "no agreement" >&2; exit 1; fi
    if [ "$2" = agree ]; then echo "supernet: as one"; else echo $line; fi;;
*)
    kind=$1
    while [ $# -gt 0 ]; do case "$1" in --out|--resume) run=$2;; esac; shift; done
    if [ ! -e "$run" ]; then
        mkdir -p "$run"
        echo '{"phase": "'$kind'", "epoch": 3, "epochs": 50, "operations_alive": 120, "images_per_second": 5000}' > "$run/metrics.jsonl"
        touch "$run/config.toml"
        if [ -e "$here/slow" ]; then trap 'exit 130' INT; while :; do sleep 0.05; done; fi
    fi
    echo '{"search_seconds": 250.5, "decisions": 179, "forced_decisions": 2, "test_accuracy": 0.95}' > "$run/summary.json"
    touch "$run/genotype.json" "$run/ledger.jsonl" "$run/report.html";;
esac
"#;
/// Says what PyTorch says; it does not compile unless a file says so.
const PYTHON: &str = r#"
here=$(dirname "$0"); [ -e "$here/no-python" ] && { echo "no torch" >&2; exit 1; }
[ "$1" = -c ] && exit 0
echo "python $(basename "$1") $*" >> "$here/calls"
seconds=0.2
[ -e "$here/hangs" ] && exec sleep 20
case "$*" in *"--mode compile"*) [ -e "$here/compiles" ] || { echo "cannot compile" >&2; exit 1; };; *max-autotune*) seconds=0.05;; esac
echo '{"macs_per_image": 9, "weights": 7, "batch": 4, "median_step_s": '$seconds', "device_bytes": 419430400,
 "warmup_s": 12, "torch": "2.11.0+cu130", "device": "NVIDIA H200", "layout": "nchw", "losses": [2.3, 2.2, 2.1, 2.0, 1.9]}' | tr '\n' ' '
"#;

struct Scene {
    folder: PathBuf,
}

impl Scene {
    fn new(name: &str) -> Self {
        let name = format!("gpu-report-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let scene = Self { folder };
        scene.install("asap", ASAP);
        scene.install("python", PYTHON);
        scene
    }

    fn install(&self, name: &str, script: &str) {
        let path = self.file(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A run with turns of so many seconds; what it ended with.
    fn run(&self, part: Option<&str>, turn: f64) -> String {
        self.run_in(part, turn, None)
    }

    /// That in a call of so many seconds.
    fn run_in(&self, part: Option<&str>, turn: f64, call: Option<f64>) -> String {
        let arguments = Arguments {
            program: self.file("asap"),
            peer: self.file("python"),
            data: "cifar10:here".to_owned(),
            out: self.file("report"),
            part: part.map(str::to_owned),
            minutes: None,
        };
        let limits = Limits {
            turn: Duration::from_secs_f64(turn),
            grace: Duration::from_secs(1),
            training: Duration::from_secs(1000),
            least: Duration::from_secs_f64(0.2),
            call: call.map(Duration::from_secs_f64),
        };
        match run_within(&arguments, limits, vec![self.folder.clone()]) {
            Ok(()) => String::new(),
            Err(error) => format!("{error:#}"),
        }
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn report(&self) -> String {
        self.text("report/gpu-report.md")
    }

    fn record(&self, part: &str) -> Record {
        Record::read(&self.file("report"), part).unwrap()
    }

    fn state(&self, part: &str) -> State {
        self.record(part).state
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn in_order(text: &str, wanted: &[&str]) {
    let mut from = 0;
    for words in wanted {
        let at = text[from..].find(words);
        from += at.unwrap_or_else(|| panic!("{words} is missing or too early in\n{text}"));
    }
}

#[test]
fn all_parts_are_measured_in_order_and_none_twice() {
    let scene = Scene::new("all");
    let missing = scene.run(None, 60.0);
    let calls = scene.text("calls");
    in_order(
        &calls,
        &[
            "asap bench agree --device cuda --precision tf32",
            "--profile",
            "--mode graph --precision bf16 --layout channels-last",
            "asap search --preset paper --train-epochs 1 --data cifar10:here --out",
            "asap bench agree --device cuda --precision f32",
            "--double",
            "python network.py",
            // 0.8 of 100,000 images a second for 1000 s.
            "asap train ASAP --recipe darts --epochs 1600",
            "asap train DARTS_V2",
            "--mode max-autotune --precision bf16 --layout nchw --warmup 5 --steps 5",
            // What was the best before was so no more.
            "--mode max-autotune --precision tf32 --layout nchw --warmup 5 --steps 20",
        ],
    );
    in_order(
        &scene.report(),
        &[
            "# Measured on a GPU",
            "\n```sh\nasap bench agree --device cuda --precision f32\nasap bench agree --device cuda --precision tf32\n",
            "\n| precision | `asap bench agree",
            "\n| f32 | supernet: as one |\n| tf32 |",
            "| small | search | PyTorch, float64 | 2.30000 |",
            "supernet.py --channels 16 --cells 8 --size 32 --batch 64 --step search --device cuda --mode compile",
            "\n| max-autotune-tf32 | nchw | 50.000 | 400 | 12 | 2.11.0+cu130 | NVIDIA H200 |\n",
            "cargo xtask bench --peer PYTHON --device cuda --program asap --size paper --step search --precision tf32\n",
            "| paper | search | 5 | asap | tf32 | 10.000 | 100 | 150 | 5.000 | 2.0 |",
            "| paper | search | 5 | PyTorch | max-autotune-tf32 | 50.000 | 400 |  | 5.000 | 10.0 |",
            "| paper | search | 5 | asap / PyTorch | | 0.200 | 0.250 |",
            "PyTorch was not timed (paper) in compile-tf32: failed after",
            "cannot compile (`logs/paper-compile-tf32.txt`); compile-bf16: failed",
            "| chain | 150 | 8.000 | 100.0 % | 24.000 | 1.00 | 62 % |",
            "asap search --preset paper --train-epochs 1 --data cifar10:DIR --device cuda\n",
            "| seconds of the search | 250.5 |",
            "| ASAP | 3 of 50 |  | 5000 |  | 95.00 |",
        ],
    );
    for name in ["genotype.json", "ledger.jsonl", "report.html"] {
        assert!(scene.file("report").join(name).is_file(), "{name}");
    }
    // What does not compile is told, and does not keep the rest from being measured.
    assert!(
        missing.contains("paper-compile-tf32") && !missing.contains("agree"),
        "{missing}"
    );
    let report = scene.report();
    assert!(report.contains("cannot compile"), "{report}");

    std::fs::remove_file(scene.file("calls")).unwrap();
    scene.run(None, 60.0);
    for call in scene.text("calls").lines() {
        assert!(call.contains("--mode compile"), "measured again: {call}");
    }

    std::fs::write(scene.file("compiles"), "").unwrap();
    assert_eq!(scene.run(None, 60.0), "", "all is there");
}

#[test]
fn what_the_machine_has_not_is_told_and_is_not_missing() {
    let scene = Scene::new("tools");
    for (part, program) in [("device", "nvidia-smi"), ("sanitizer", "compute-sanitizer")] {
        let missing = scene.run(Some(part), 60.0);
        assert!(!missing.contains(part), "{missing}");
        let report = scene.report();
        let told = format!("`{part}`: not available here: {program} is not installed\n");
        assert!(report.contains(&told), "{report}");
        // It is looked for again.
        scene.install(program, "echo '========= ERROR SUMMARY: 0 errors'");
        scene.run(Some(part), 60.0);
        assert_eq!(scene.state(part), State::Done);
        assert!(scene.report().contains("SUMMARY: 0 errors\n```\n"));
    }
}

#[test]
fn what_the_search_for_memory_errors_finds_is_a_failure() {
    let scene = Scene::new("sanitizer");
    let found = "echo '========= Invalid __global__ read of size 4'; exit 1";
    scene.install("compute-sanitizer", found);
    let missing = scene.run(Some("sanitizer"), 60.0);
    assert!(missing.contains("sanitizer"), "{missing}");
    assert_eq!(scene.state("sanitizer"), State::Failed);
    assert!(scene.report().contains("========= Invalid __global__ read"));
}

#[test]
fn what_searches_for_memory_errors_is_stopped_with_what_it_started() {
    let scene = Scene::new("searching");
    let script = r#"(sleep 2; touch "$0-went-on") & wait"#;
    scene.install("compute-sanitizer", script);
    scene.run(Some("sanitizer"), 0.3);
    assert_eq!(scene.state("sanitizer"), State::Failed);
    std::thread::sleep(Duration::from_secs(3));
    assert!(!scene.file("compute-sanitizer-went-on").exists());
}

#[test]
fn an_agreement_that_says_nothing_has_its_error_in_the_place_of_a_row() {
    let scene = Scene::new("silent");
    for (file, error) in [
        ("silent", "asap bench agree printed nothing"),
        ("no-gpu", "the driver finds no GPU"),
    ] {
        std::fs::write(scene.file(file), "").unwrap();
        scene.run(Some("agree-tf32"), 60.0);
        let report = scene.report();
        assert_eq!(scene.state("agree-tf32"), State::Failed, "{report}");
        assert!(!report.contains("| tf32 |"), "{report}");
        assert!(report.contains(error), "{report}");
    }
}

#[test]
fn a_part_that_fails_is_kept_with_its_reason_and_measured_again() {
    let scene = Scene::new("again");
    std::fs::write(scene.file("disagree"), "").unwrap();
    let missing = scene.run(Some("agree-tf32"), 60.0);
    assert!(missing.contains("agree-tf32"), "{missing}");
    let report = scene.report();
    in_order(
        &report,
        &[
            "| tf32 | supernet: far away |",
            "`agree-tf32`: failed",
            "no agreement",
        ],
    );
    std::fs::remove_file(scene.file("disagree")).unwrap();
    let missing = scene.run(Some("agree-tf32"), 60.0);
    assert!(!missing.contains("agree-tf32"), "{missing}");
    assert!(scene.report().contains("| tf32 | supernet: as one |"));
}

#[test]
fn asap_is_measured_where_python_does_not_work() {
    let scene = Scene::new("python");
    std::fs::write(scene.file("no-python"), "").unwrap();
    scene.run(Some("agree-f32"), 60.0);
    scene.run(Some("losses-small-f32"), 60.0);
    assert_eq!(scene.state("agree-f32"), State::Done);
    assert_eq!(scene.state("losses-small-f32"), State::Failed);
    assert!(scene.report().contains("expected a Python with torch"));
}

#[test]
fn a_search_that_takes_longer_than_a_turn_is_interrupted_and_resumed() {
    let scene = Scene::new("search");
    std::fs::write(scene.file("slow"), "").unwrap();
    scene.run(Some("search"), 2.0);
    assert_eq!(scene.state("search"), State::GoesOn);
    assert!(scene.report().contains("`search`: goes on"));
    scene.run(Some("search"), 60.0);
    assert_eq!(scene.state("search"), State::Done);
    let calls = scene.text("calls");
    let resumed = calls.lines().last().unwrap();
    assert!(resumed.starts_with("asap search --resume"), "{calls}");
    assert!(resumed.contains("report/search-"), "{calls}");
    let seconds = scene.record("search").seconds;
    assert!(seconds >= 2.0, "the turns together: {seconds}");
}

#[test]
fn a_training_ends_when_its_time_is_over() {
    let scene = Scene::new("train");
    std::fs::write(scene.file("slow"), "").unwrap();
    let spent = Record {
        state: State::GoesOn,
        seconds: 999.0,
        build: fingerprint(&scene.file("asap")).unwrap(),
        ..Record::default()
    };
    spent.write(&scene.file("report"), "train-ASAP").unwrap();
    scene.run(Some("train-ASAP"), 2.0);
    assert_eq!(scene.state("train-ASAP"), State::Done);
    assert!(scene.report().contains("| ASAP | 3 of 50 |  | 5000 |"));
}

#[test]
fn a_part_that_is_none_is_refused_with_all_names() {
    let error = Scene::new("none").run(Some("agreement"), 60.0);
    assert!(
        error.contains("agree-bf16") && error.contains("found agreement"),
        "{error}"
    );
}

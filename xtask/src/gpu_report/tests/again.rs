//! What another call finds: another build, PyTorch's compiler that was stopped, what failed, little time.

use super::super::in_order as order;
use super::*;

/// Another build of asap that says the same.
fn build_again(scene: &Scene) {
    scene.install("asap", &format!("{ASAP}# another\n"));
    std::fs::remove_file(scene.file("calls")).unwrap();
}

#[test]
fn what_another_build_of_asap_did_is_measured_anew() {
    let scene = Scene::new("build");
    for part in [
        "agree-tf32",
        "paper-eager-tf32-nchw",
        "paper-rounds-tf32",
        "search",
    ] {
        scene.run(Some(part), 60.0);
        assert_eq!(scene.state(part), State::Done, "{}", scene.report());
    }
    build_again(&scene);
    let missing = scene.run(Some("device"), 60.0);
    assert!(missing.contains("agree-tf32") && !missing.contains("paper-eager-tf32-nchw"));
    let report = scene.report();
    assert!(
        report.contains("`agree-tf32`: of another build of asap\n"),
        "{report}"
    );

    for part in [
        "agree-tf32",
        "paper-eager-tf32-nchw",
        "paper-rounds-tf32",
        "search",
    ] {
        let missing = scene.run(Some(part), 60.0);
        assert!(!missing.contains(part), "{missing}");
    }
    let calls = scene.text("calls");
    let count = |words: &str| calls.lines().filter(|call| call.contains(words)).count();
    // Five rounds of this build, and none of PyTorch's own trials.
    assert_eq!(
        (count("asap bench step"), count("--steps 20")),
        (6, 10),
        "{calls}"
    );
    assert_eq!(
        (count("bench agree"), count("--steps 5")),
        (1, 0),
        "{calls}"
    );
    assert_eq!(
        (count("asap search --preset"), count("--resume")),
        (1, 0),
        "{calls}"
    );
    assert_eq!(
        scene.record("paper-rounds-tf32").value["rounds"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
}

#[test]
fn rounds_of_two_builds_are_never_mixed() {
    let scene = Scene::new("mixed");
    scene.run(Some("paper-eager-tf32-nchw"), 60.0);
    scene.run(Some("paper-rounds-tf32"), 60.0);
    let mut record = scene.record("paper-rounds-tf32");
    record.value["rounds"].as_array_mut().unwrap().truncate(3);
    record.state = State::GoesOn;
    record
        .write(&scene.file("report"), "paper-rounds-tf32")
        .unwrap();
    build_again(&scene);
    scene.run(Some("device"), 60.0);
    in_order(
        &scene.report(),
        &[
            "`paper-rounds-tf32`: goes on",
            "; of another build of asap\n",
        ],
    );
    std::fs::write(scene.file("calls"), "").unwrap();
    scene.run(Some("paper-rounds-tf32"), 60.0);
    let calls = scene.text("calls");
    assert_eq!(calls.matches("--steps 20").count(), 10, "{calls}");
}

#[test]
fn rounds_beside_what_is_not_the_best_any_more_are_told_in_every_state() {
    let scene = Scene::new("beside");
    scene.run(Some("paper-eager-tf32-nchw"), 60.0);
    scene.run(Some("paper-rounds-tf32"), 60.0);
    let mut record = scene.record("paper-rounds-tf32");
    record.value["best"] = "eager-bf16-nchw".into();
    for (state, told) in [
        (State::Done, "`paper-rounds-tf32`: "),
        (State::GoesOn, "`paper-rounds-tf32`: goes on after"),
        (State::Failed, "`paper-rounds-tf32`: failed after"),
    ] {
        record.state = state;
        record
            .write(&scene.file("report"), "paper-rounds-tf32")
            .unwrap();
        let missing = scene.run(Some("device"), 60.0);
        assert!(missing.contains("paper-rounds-tf32"), "{missing}");
        in_order(
            &scene.report(),
            &[told, "not beside what is PyTorch's best by now\n"],
        );
    }
    let report = scene.report();
    let untimed = "PyTorch was not timed (paper) in eager-tf32-channels-last: not tried yet; ";
    assert_eq!(report.matches(untimed).count(), 1, "{report}");
}

#[test]
fn a_compiler_that_was_stopped_twice_is_told_and_not_missing() {
    let scene = Scene::new("compiler");
    let part = "paper-compile-tf32";
    std::fs::write(scene.file("hangs"), "").unwrap();
    // Less than a turn does not count.
    scene.run_in(Some(part), 60.0, Some(2.0));
    assert_eq!(scene.record(part).full_turns, 0);
    for turns in [1, 2] {
        let missing = scene.run(Some(part), 0.4);
        assert_eq!(scene.record(part).full_turns, turns, "{}", scene.report());
        assert_eq!(missing.contains(part), turns < 2, "{missing}");
    }
    let report = scene.report();
    in_order(
        &report,
        &[
            "`paper-compile-tf32`: failed",
            "was stopped: its time was over",
            "; it is not tried again",
        ],
    );
    for file in ["hangs", "calls"] {
        std::fs::remove_file(scene.file(file)).unwrap();
    }
    std::fs::write(scene.file("compiles"), "").unwrap();
    assert_eq!(scene.run(None, 60.0), "");
    let calls = scene.text("calls");
    assert!(
        !calls.contains("--batch 64 --step search --device cuda --mode compile --precision tf32")
    );
    assert!(calls.contains("--mode compile --precision bf16"), "{calls}");
    // A call for it alone tries it all the same.
    scene.run(Some(part), 60.0);
    assert_eq!(scene.state(part), State::Done);
}

#[test]
fn a_call_ends_in_its_time_with_its_report() {
    let scene = Scene::new("minutes");
    let missing = scene.run_in(None, 60.0, Some(0.5));
    assert!(missing.contains("agree-tf32") && missing.contains("train-ASAP"));
    assert_eq!(scene.text("calls"), "", "nothing was begun");
    assert!(scene.report().contains("# Measured on a GPU"));
    std::fs::write(scene.file("slow"), "").unwrap();
    let started = Instant::now();
    scene.run_in(Some("search"), 60.0, Some(4.0));
    assert!(
        started.elapsed() < Duration::from_secs(40),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(scene.state("search"), State::GoesOn);
}

#[test]
fn what_a_program_that_failed_said_is_kept_until_it_works() {
    let scene = Scene::new("log");
    let log = "report/logs/agree-tf32.txt";
    std::fs::write(scene.file("no-gpu"), "").unwrap();
    scene.run(Some("agree-tf32"), 60.0);
    assert!(scene.text(log).contains("\nthe driver finds no GPU\n"));
    let report = scene.report();
    in_order(
        &report,
        &["`agree-tf32`: failed", "no GPU (`logs/agree-tf32.txt`)\n"],
    );
    std::fs::remove_file(scene.file("no-gpu")).unwrap();
    scene.run(Some("agree-tf32"), 60.0);
    assert!(!scene.file(log).exists());
    assert!(!scene.report().contains("logs/agree-tf32.txt"));
}

#[test]
fn a_python_that_hangs_ends_with_its_turn() {
    let scene = Scene::new("hangs");
    scene.install("python", "exec sleep 60");
    let started = Instant::now();
    scene.run(Some("losses-small-f32"), 0.4);
    assert!(started.elapsed() < Duration::from_secs(40));
    let report = scene.report();
    assert!(report.contains("expected a Python with torch"), "{report}");
}

#[test]
fn what_matters_first_is_measured_first_even_if_it_failed() {
    let scene = Scene::new("rank");
    let failed = Record {
        state: State::Failed,
        ..Record::default()
    };
    let setup = Setup {
        asap: PathBuf::new(),
        python: PathBuf::new(),
        data: String::new(),
        folder: scene.file("report"),
        build: String::new(),
        limits: Limits::REAL,
        deadline: None,
        tools: Vec::new(),
        checked: RefCell::new(None),
    };
    for part in ["paper-rounds-tf32", "device"] {
        failed.write(&setup.folder, part).unwrap();
    }
    let stopped = Record {
        full_turns: 1,
        ..failed
    };
    stopped.write(&setup.folder, "losses-paper-f32").unwrap();
    let parts = part::all();
    let ordered = order(&setup, &parts).unwrap();
    let names: Vec<&str> = ordered.iter().map(|part| part.name.as_str()).collect();
    let names = names.join(" ");
    super::in_order(
        &names,
        &[
            "agree-tf32",
            "device",
            "paper-graph-bf16",
            "paper-rounds-tf32",
            "search",
            "agree-f32",
            "tests-kernels",
            "losses-small",
            "DARTS_V2-rounds-bf16",
            "sanitizer",
            "train-ASAP",
            "paper-compile-tf32",
            // It would use up call after call.
            "losses-paper-f32",
        ],
    );
}

#[test]
fn a_search_for_memory_errors_that_does_not_end_is_told_and_not_missing() {
    let scene = Scene::new("endless");
    scene.install("compute-sanitizer", "exec sleep 60");
    for turns in [1, 2] {
        let missing = scene.run(Some("sanitizer"), 0.4);
        assert_eq!(scene.record("sanitizer").full_turns, turns);
        assert_eq!(missing.contains("sanitizer"), turns < 2, "{missing}");
    }
    let report = scene.report();
    assert!(report.contains("; it is not tried again"), "{report}");
}

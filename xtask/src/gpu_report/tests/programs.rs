//! Test programs that lie beside asap.

use super::*;

/// A test program of a name that cargo could have given it.
fn build(scene: &Scene, file: &str, script: &str) {
    std::fs::create_dir_all(scene.file("deps")).unwrap();
    scene.install(&format!("deps/{file}"), script);
}

#[test]
fn tests_that_are_not_built_are_told_and_are_not_missing() {
    let scene = Scene::new("unbuilt");
    for folder in [false, true] {
        if folder {
            build(&scene, "device-0123456789abcdef.d", "exit 1");
            build(&scene, "device-zz", "exit 1");
        }
        let missing = scene.run(Some("tests-kernels"), 60.0);
        assert!(!missing.contains("tests-kernels"), "{missing}");
        let report = scene.report();
        assert!(
            report.contains("`tests-kernels`: not available here: no device-* in deps"),
            "{report}"
        );
        assert!(
            report.contains("`cargo xtask cuda test --no-run --test device --test on_a_device --test job` builds it"),
            "{report}"
        );
    }
}

#[test]
fn the_newest_program_of_a_name_runs_its_tests_on_the_gpu() {
    let scene = Scene::new("newest");
    build(&scene, "on_a_device-ffffffffffffffff", "exit 1");
    std::thread::sleep(Duration::from_millis(20));
    let script = r#"[ "$ASAP_TEST_DEVICE" = cuda ] || exit 1; echo "$*" > "$0.said"
echo "test a ... ok"; echo "test result: ok. 7 passed; 0 failed; 0 ignored""#;
    for program in ["device", "on_a_device", "job"] {
        build(&scene, &format!("{program}-0123456789abcdef"), script);
    }
    for (part, program, filter) in [
        (
            "tests-kernels",
            "device",
            "operations cell_inputs kinks whole_plans small_kernels forms --skip races --skip nor_does --skip shared_memory --skip without_room\n",
        ),
        ("tests-networks", "on_a_device", "\n"),
        ("tests-runs", "job", "on_a_device\n"),
    ] {
        scene.run(Some(part), 60.0);
        let report = scene.report();
        assert_eq!(scene.state(part), State::Done, "{report}");
        assert_eq!(
            scene.text(&format!("deps/{program}-0123456789abcdef.said")),
            filter
        );
        let result = "test result: ok. 7 passed; 0 failed; 0 ignored";
        let row = format!("| {part} | `{program}-0123456789abcdef` | {result} |\n");
        let command = format!("ASAP_TEST_DEVICE=cuda ./{program}-DIGITS {filter}");
        in_order(&report, &[command.trim_end(), &row]);
    }
}

#[test]
fn tests_that_were_built_again_are_run_again() {
    let scene = Scene::new("rebuilt");
    let script = |passed: u32| format!(r#"echo "test result: ok. {passed} passed; 0 failed""#);
    for passed in [1, 2] {
        std::thread::sleep(Duration::from_millis(20));
        build(&scene, "job-0123456789abcdef", &script(passed));
        for _ in 0..2 {
            scene.run(Some("tests-runs"), 60.0);
            let report = scene.report();
            assert!(report.contains(&format!("{passed} passed")), "{report}");
        }
    }
}

#[test]
fn tests_that_fail_and_none_at_all_are_failures() {
    let scene = Scene::new("failing");
    for (script, told) in [
        (
            r#"echo "test a ... FAILED"; echo "test b ... ok"; echo "test result: FAILED. 1 passed; 1 failed"; exit 101"#,
            "| tests-runs | `job-0123456789abcdef` | test a ... FAILED<br>test result: FAILED. 1 passed; 1 failed |",
        ),
        (
            r#"echo "test result: ok. 0 passed; 0 failed""#,
            "no test was run",
        ),
        ("exit 0", "no test was run"),
    ] {
        build(&scene, "job-0123456789abcdef", script);
        let missing = scene.run(Some("tests-runs"), 60.0);
        assert!(missing.contains("tests-runs"), "{missing}");
        assert_eq!(scene.state("tests-runs"), State::Failed);
        assert!(scene.report().contains(told), "{}", scene.report());
    }
}

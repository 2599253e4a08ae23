//! Words that must not stand in the code of a crate.

use super::Finding;
use super::code::{code_only, identifiers, lines_with_word};
use super::tree::{SourceFile, Tree};

/// `unsafe` stands in the kernels alone.
pub(super) fn only_kernels_are_unsafe(tree: &Tree) -> Vec<Finding> {
    let files = tree
        .rust_files()
        .filter(|file| file.package() != "asap-kernels");
    word_findings(files, &["unsafe"], "unsafe code belongs in asap-kernels")
}

/// A library never prints: what it has to say it returns. A build script talks to cargo by printing.
pub(super) fn only_binaries_print(tree: &Tree) -> Vec<Finding> {
    let printing = ["print!", "println!", "eprint!", "eprintln!", "dbg!"];
    let files = tree
        .rust_files()
        .filter(|file| !is_binary(file) && !file.path.ends_with("/build.rs"));
    // `!` ends a word by itself, so the name alone is looked for and the mark checked behind it.
    files
        .flat_map(|file| {
            let code = code_only(&file.text);
            let lines: Vec<usize> = code
                .lines()
                .enumerate()
                .filter(|(_, line)| printing.iter().any(|name| has_macro(line, name)))
                .map(|(i, _)| i + 1)
                .collect();
            lines
                .into_iter()
                .map(|line| Finding::new(&file.path, line, "only asap-cli and xtask print"))
        })
        .collect()
}

/// A library has an error enum of its own.
pub(super) fn only_binaries_use_anyhow(tree: &Tree) -> Vec<Finding> {
    let message = "only asap-cli and xtask use anyhow";
    let mut findings = word_findings(
        tree.rust_files().filter(|file| !is_binary(file)),
        &["anyhow"],
        message,
    );
    for file in tree
        .files()
        .filter(|file| file.path.ends_with("/Cargo.toml") && !is_binary(file))
    {
        for (i, _) in file
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.starts_with("anyhow"))
        {
            findings.push(Finding::new(&file.path, i + 1, message));
        }
    }
    findings
}

/// The space takes op weights; how they came about it does not know.
pub(super) fn space_knows_no_schedule(tree: &Tree) -> Vec<Finding> {
    identifier_findings(tree, "asap-space", &["temperature", "threshold", "anneal"])
}

/// The method knows alphas, not what an operation computes.
pub(super) fn anneal_knows_no_convolution(tree: &Tree) -> Vec<Finding> {
    identifier_findings(
        tree,
        "asap-anneal",
        &["convolution", "conv2d", "depthwise", "pointwise"],
    )
}

/// A function is named for what comes back.
pub(super) fn no_function_is_named_get(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust_files() {
        let code = code_only(&file.text);
        let mut before = "";
        for (line, word) in identifiers(&code) {
            if before == "fn" && word.starts_with("get_") {
                let message = format!("`{word}`: name what comes back, without `get_`");
                findings.push(Finding::new(&file.path, line, message));
            }
            before = word;
        }
    }
    findings
}

/// A test that does not run tests nothing.
pub(super) fn no_test_is_ignored(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust_files() {
        for (i, line) in code_only(&file.text).lines().enumerate() {
            if line.trim_start().starts_with("#[ignore") {
                findings.push(Finding::new(&file.path, i + 1, "a test that is ignored"));
            }
        }
    }
    findings
}

/// No note of work to do, and no function without a body.
pub(super) fn nothing_is_left_open(tree: &Tree) -> Vec<Finding> {
    // Put together here, so that this file does not find itself.
    let notes = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let mut findings = word_findings(
        tree.rust_files(),
        &["unimplemented", "todo"],
        "a function without a body",
    );
    for file in tree.files() {
        for note in notes {
            for line in lines_with_word(&file.text, note) {
                findings.push(Finding::new(
                    &file.path,
                    line,
                    format!("a {note} left open"),
                ));
            }
        }
    }
    findings
}

fn is_binary(file: &SourceFile) -> bool {
    matches!(file.package(), "asap-cli" | "xtask")
}

fn has_macro(line: &str, name: &str) -> bool {
    line.match_indices(name)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn word_findings<'a>(
    files: impl Iterator<Item = &'a SourceFile>,
    words: &[&str],
    message: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let code = code_only(&file.text);
        for word in words {
            for line in lines_with_word(&code, word) {
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

fn identifier_findings(tree: &Tree, package: &str, parts: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust_files().filter(|file| file.package() == package) {
        for (line, word) in identifiers(&code_only(&file.text)) {
            let lower = word.to_lowercase();
            if parts.iter().any(|part| lower.contains(part)) {
                let message = format!("{package} must not know of `{word}`");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Check;
    use super::*;

    /// Lines found in `text` at `path`.
    fn lines(check: Check, path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)]))
            .iter()
            .map(|finding| finding.line)
            .collect()
    }

    const SPACE: &str = "crates/asap-space/src/a.rs";

    #[test]
    fn unsafe_code_outside_the_kernels_is_found() {
        let text = "//! Nothing unsafe here.\nfn f() { unsafe { g() } }\n";
        assert_eq!(lines(only_kernels_are_unsafe, SPACE, text), [2]);
        assert_eq!(
            lines(
                only_kernels_are_unsafe,
                "crates/asap-kernels/src/a.rs",
                text
            ),
            [0; 0]
        );
    }

    #[test]
    fn printing_in_a_library_is_found() {
        let text = "fn f() {\n    println!(\"x\");\n    my_print!();\n    eprint!(\"y\");\n}\n";
        assert_eq!(lines(only_binaries_print, SPACE, text), [2, 4]);
        assert_eq!(
            lines(only_binaries_print, "crates/asap-cli/src/a.rs", text),
            [0; 0]
        );
        let build_script = "crates/asap-kernels/build.rs";
        assert_eq!(lines(only_binaries_print, build_script, text), [0; 0]);
    }

    #[test]
    fn anyhow_in_a_library_is_found() {
        assert_eq!(
            lines(only_binaries_use_anyhow, SPACE, "use anyhow::Result;\n"),
            [1]
        );
        let manifest = "[dependencies]\nanyhow.workspace = true\n";
        assert_eq!(
            lines(
                only_binaries_use_anyhow,
                "crates/asap-data/Cargo.toml",
                manifest
            ),
            [2]
        );
        assert_eq!(
            lines(only_binaries_use_anyhow, "xtask/Cargo.toml", manifest),
            [0; 0]
        );
    }

    #[test]
    fn a_temperature_in_the_space_is_found() {
        let text =
            "/// Knows no temperature.\nstruct GraceTemperature;\nlet theta_threshold = 1;\n";
        assert_eq!(lines(space_knows_no_schedule, SPACE, text), [2, 3]);
        assert_eq!(
            lines(space_knows_no_schedule, "crates/asap-anneal/src/a.rs", text),
            [0; 0]
        );
    }

    #[test]
    fn a_convolution_in_the_method_is_found() {
        let path = "crates/asap-anneal/src/a.rs";
        assert_eq!(
            lines(
                anneal_knows_no_convolution,
                path,
                "fn f() {}\nuse x::Conv2dParams;\n"
            ),
            [2]
        );
        assert_eq!(
            lines(anneal_knows_no_convolution, path, "Operation::SepConv3x3\n"),
            [0; 0]
        );
    }

    #[test]
    fn a_function_named_get_is_found() {
        assert_eq!(
            lines(
                no_function_is_named_get,
                SPACE,
                "fn size() {}\nfn get_size() {}\n"
            ),
            [2]
        );
        assert_eq!(
            lines(no_function_is_named_get, SPACE, "let x = v.get_mut(0);\n"),
            [0; 0]
        );
    }

    #[test]
    fn an_ignored_test_is_found() {
        assert_eq!(
            lines(
                no_test_is_ignored,
                SPACE,
                "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n"
            ),
            [2]
        );
    }

    #[test]
    fn open_work_is_found() {
        let note = format!("fn f() {{}}\n// {}{}: later\n", "TO", "DO");
        assert_eq!(lines(nothing_is_left_open, SPACE, &note), [2]);
        let body = format!("fn f() {{\n    {}!()\n}}\n", concat!("to", "do"));
        assert_eq!(lines(nothing_is_left_open, SPACE, &body), [2]);
        assert_eq!(lines(nothing_is_left_open, "README.md", &note), [2]);
    }
}

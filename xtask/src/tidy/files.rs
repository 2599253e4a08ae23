//! Shape of the files: how they open, how long they are, how lines end, what they are called.

use super::Finding;
use super::tree::{SourceFile, Tree};

/// A file longer than this, tests left out, is more than one idea.
const LONGEST: usize = 600;
/// From here on a file is worth a look.
const LONG: usize = 400;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 4] = ["utils", "helpers", "common", "misc"];

/// Every Rust file says at its top what it is; a library's root may do so by including its README.
pub(super) fn rust_files_open_with_a_module_comment(tree: &Tree) -> Vec<Finding> {
    tree.rust_files()
        .filter(|file| {
            let readme_first =
                file.path.ends_with("/lib.rs") && file.text.starts_with("#![doc = include_str!");
            !file.text.starts_with("//!") && !readme_first
        })
        .map(|file| {
            Finding::new(
                &file.path,
                1,
                "expected a comment `//!` that says what it is",
            )
        })
        .collect()
}

/// No Rust file is longer than 600 lines.
pub(super) fn rust_files_are_short(tree: &Tree) -> Vec<Finding> {
    files_longer_than(tree, LONGEST)
}

/// Rust files longer than 400 lines: allowed, and reported.
pub(super) fn rust_files_growing_long(tree: &Tree) -> Vec<Finding> {
    files_longer_than(tree, LONG)
}

/// No blanks at the end of a line.
pub(super) fn lines_end_clean(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for (i, line) in file.text.split('\n').enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(Finding::new(
                    &file.path,
                    i + 1,
                    "blanks at the end of the line",
                ));
            }
        }
    }
    findings
}

/// No file or folder has a name that any code would fit under.
pub(super) fn names_say_what_is_inside(tree: &Tree) -> Vec<Finding> {
    let empty = |part: &str| {
        let stem = part.split('.').next().unwrap_or(part);
        EMPTY_NAMES.contains(&stem)
    };
    tree.paths()
        .iter()
        .filter(|path| path.split('/').any(empty))
        .map(|path| Finding::new(path, 0, "a name that says nothing about what is inside"))
        .collect()
}

fn files_longer_than(tree: &Tree, limit: usize) -> Vec<Finding> {
    tree.rust_files()
        .filter(|file| !file.path.contains("/tests/"))
        .map(|file| (file, lines_without_tests(file)))
        .filter(|(_, lines)| *lines > limit)
        .map(|(file, lines)| {
            let message = format!("{lines} lines, at most {limit} are allowed: more than one idea");
            Finding::new(&file.path, 0, message)
        })
        .collect()
}

/// Lines above the test module, which by custom ends the file.
fn lines_without_tests(file: &SourceFile) -> usize {
    file.text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(check: super::super::Check, path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn a_file_without_its_comment_is_found() {
        let check = rust_files_open_with_a_module_comment;
        assert_eq!(count(check, "a/src/b.rs", "//! A thing.\n"), 0);
        assert_eq!(count(check, "a/src/b.rs", "use x;\n//! A thing.\n"), 1);
        let readme = "#![doc = include_str!(\"../README.md\")]\n";
        assert_eq!(count(check, "a/src/lib.rs", readme), 0);
        assert_eq!(count(check, "a/src/b.rs", readme), 1);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let long = "//\n".repeat(601);
        assert_eq!(count(rust_files_are_short, "a/src/b.rs", &long), 1);
        assert_eq!(count(rust_files_are_short, "a/tests/b.rs", &long), 0);
        let tested = format!("{}#[cfg(test)]\n{long}", "//\n".repeat(600));
        assert_eq!(count(rust_files_are_short, "a/src/b.rs", &tested), 0);
        assert_eq!(count(rust_files_growing_long, "a/src/b.rs", &tested), 1);
    }

    #[test]
    fn a_blank_at_the_end_of_a_line_is_found() {
        assert_eq!(count(lines_end_clean, "a.md", "one\ntwo\n"), 0);
        assert_eq!(count(lines_end_clean, "a.md", "one \ntwo\r\n"), 2);
    }

    #[test]
    fn an_empty_name_is_found() {
        for path in ["a/src/utils.rs", "a/helpers/b.rs", "common.md", "misc/x"] {
            assert_eq!(count(names_say_what_is_inside, path, ""), 1, "{path}");
        }
        assert_eq!(
            count(names_say_what_is_inside, "a/src/commonplace.rs", ""),
            0
        );
    }
}

//! Every library crate is worth importing alone, and its README shows that in a tested example.

use super::Finding;
use super::tree::Tree;

const INCLUDE: &str = "#![doc = include_str!(\"../README.md\")]";

/// Each library under `crates/` includes its README as crate documentation, with a Rust example.
pub(super) fn readme_is_the_crate_documentation(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for library in tree.rust_files() {
        let Some(folder) = library.path.strip_suffix("/src/lib.rs") else {
            continue;
        };
        if !folder.starts_with("crates/") {
            continue;
        }
        if !library.text.lines().any(|line| line == INCLUDE) {
            let message = format!("expected the line {INCLUDE}");
            findings.push(Finding::new(&library.path, 0, message));
        }
        let readme = format!("{folder}/README.md");
        match tree.file(&readme) {
            None => findings.push(Finding::new(&readme, 0, "a library crate has a README")),
            Some(file) if !has_tested_example(&file.text) => {
                findings.push(Finding::new(&readme, 0, "expected a tested Rust example"));
            }
            Some(_) => {}
        }
    }
    findings
}

/// Whether a block of the text is run by `cargo test`, as rustdoc decides it.
fn has_tested_example(readme: &str) -> bool {
    let fences = readme.lines().filter_map(|line| line.strip_prefix("```"));
    // Fences open and close in turn.
    fences
        .step_by(2)
        .any(|language| matches!(language.trim(), "" | "rust"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(library: &str, readme: Option<&str>) -> usize {
        let mut files = vec![("crates/a/src/lib.rs", library)];
        files.extend(readme.map(|text| ("crates/a/README.md", text)));
        readme_is_the_crate_documentation(&Tree::of(&files)).len()
    }

    #[test]
    fn a_library_without_a_tested_readme_is_found() {
        let example = "# a\n\n```rust\nassert!(true);\n```\n";
        assert_eq!(count(INCLUDE, Some(example)), 0);
        assert_eq!(count("//! A crate.\n", Some(example)), 1);
        assert_eq!(count(INCLUDE, None), 1);
        assert_eq!(count(INCLUDE, Some("# a\n")), 1);
        assert_eq!(
            count(INCLUDE, Some("```rust,ignore\n```\n```toml\n```\n")),
            1
        );
        assert_eq!(
            count(INCLUDE, Some("```toml\n```\n```\nassert!(true);\n```\n")),
            0
        );
    }
}

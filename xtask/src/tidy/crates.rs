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
            Some(file) if !file.text.lines().any(is_tested_example) => {
                findings.push(Finding::new(&readme, 0, "expected a tested Rust example"));
            }
            Some(_) => {}
        }
    }
    findings
}

/// The opening of a block that `cargo test` compiles.
fn is_tested_example(line: &str) -> bool {
    line.starts_with("```rust") && !line.contains("ignore")
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
        assert_eq!(count(INCLUDE, Some("```rust,ignore\n```\n")), 1);
    }
}

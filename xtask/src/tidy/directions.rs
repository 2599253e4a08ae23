//! Which crate may depend on which: downward only.

use super::Finding;
use super::tree::Tree;
use std::collections::BTreeSet;

/// Every package of the workspace and the packages of the workspace it may name.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("asap-genotype", &[]),
    ("asap-kernels", &[]),
    ("asap-data", &[]),
    ("asap-anneal", &["asap-genotype"]),
    ("asap-report", &["asap-genotype"]),
    ("asap-space", &["asap-genotype", "asap-kernels"]),
    (
        "asap-train",
        &["asap-genotype", "asap-space", "asap-anneal", "asap-data"],
    ),
    (
        "asap-cli",
        &[
            "asap-genotype",
            "asap-space",
            "asap-anneal",
            "asap-data",
            "asap-train",
            "asap-report",
        ],
    ),
    (
        "asap-benches",
        &[
            "asap-genotype",
            "asap-kernels",
            "asap-space",
            "asap-anneal",
            "asap-data",
            "asap-train",
        ],
    ),
    ("xtask", &[]),
];

/// What a package may name in its tests besides, to hold itself against.
const ALLOWED_IN_TESTS: [(&str, &str); 2] = [
    ("asap-report", "asap-anneal"),
    ("asap-train", "asap-kernels"),
];

/// Packages that must build in seconds, so candle is nowhere below them.
const LIGHT: [&str; 2] = ["asap-genotype", "xtask"];

/// Each package names only the packages below it.
pub(super) fn crates_depend_downward(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree
        .files()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
    {
        let Some(name) = package_name(&file.text) else {
            continue;
        };
        let Some((_, allowed)) = ALLOWED.iter().find(|(package, _)| *package == name) else {
            let message = format!("{name} has no place in the layers: give it one in xtask's tidy");
            findings.push(Finding::new(&file.path, 0, message));
            continue;
        };
        for Dependency {
            line,
            name: dependency,
            in_tests,
        } in dependencies(&file.text)
        {
            let ours = ALLOWED.iter().any(|(package, _)| *package == dependency);
            let in_tests = in_tests && ALLOWED_IN_TESTS.contains(&(name, dependency));
            if ours && !in_tests && !allowed.contains(&dependency) {
                let message = format!("{name} must not depend on {dependency}");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// Neither the vocabulary nor the tasks depend on candle, directly or through another crate.
pub(super) fn light_crates_stay_light(tree: &Tree) -> Vec<Finding> {
    let Some(lock) = tree.file("Cargo.lock") else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for package in LIGHT {
        for found in everything_below(&lock.text, package) {
            if found.starts_with("candle") {
                let message = format!("{package} depends on {found}: it must stay light");
                findings.push(Finding::new(&lock.path, 0, message));
            }
        }
    }
    findings
}

fn package_name(manifest: &str) -> Option<&str> {
    let after = manifest.split_once("[package]")?.1;
    let line = after.lines().find(|line| line.starts_with("name"))?;
    line.split('"').nth(1)
}

/// One entry of a manifest.
struct Dependency<'a> {
    line: usize,
    name: &'a str,
    /// Whether it stands under `dev-dependencies`.
    in_tests: bool,
}

/// The dependencies of every table a manifest has for them.
fn dependencies(manifest: &str) -> impl Iterator<Item = Dependency<'_>> {
    let mut table = "";
    manifest.lines().zip(1..).filter_map(move |(text, line)| {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            table = header.trim_end_matches(']');
        }
        let in_tests = table.contains("dev-dependencies");
        let name = match table.split_once("dependencies.") {
            // `[dependencies.NAME]`: the table is the entry.
            Some((_, name)) => text.starts_with('[').then_some(name)?,
            None if !table.ends_with("dependencies") => return None,
            None => text.split(['.', '=', ' ']).next()?,
        };
        name.starts_with(|c: char| c.is_alphabetic())
            .then_some(Dependency {
                line,
                name,
                in_tests,
            })
    })
}

/// All packages that `package` needs, as `Cargo.lock` lists them.
fn everything_below<'a>(lock: &'a str, package: &'a str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![package];
    while let Some(name) = open.pop() {
        let entries = lock
            .split("[[package]]")
            .filter(|entry| entry_name(entry) == Some(name));
        for below in entries.flat_map(entry_dependencies) {
            if found.insert(below) {
                open.push(below);
            }
        }
    }
    found
}

fn entry_name(entry: &str) -> Option<&str> {
    entry
        .lines()
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

/// The names an entry lists, one a line: ` "NAME",` or ` "NAME VERSION",`.
fn entry_dependencies(entry: &str) -> impl Iterator<Item = &str> {
    let list = entry
        .split_once("dependencies = [")
        .map_or("", |(_, list)| list);
    list.lines()
        .filter_map(|line| line.strip_prefix(" \"")?.split(['"', ' ']).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_upward_is_found() {
        let manifest = "[package]\nname = \"asap-space\"\n[dependencies]\nserde = \"1\"\n\
                        asap-anneal.workspace = true\n";
        let tree = Tree::of(&[("crates/asap-space/Cargo.toml", manifest)]);
        let findings = crates_depend_downward(&tree);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 5);
        assert!(findings[0].message.contains("asap-anneal"));
    }

    #[test]
    fn every_table_of_dependencies_is_read() {
        for table in [
            "[dev-dependencies]\nasap-train = { path = \"x\" }",
            "[dependencies.asap-train]\npath = \"x\"",
            "[target.'cfg(unix)'.build-dependencies]\nasap-train.workspace = true",
        ] {
            let manifest = format!("[package]\nname = \"asap-data\"\n{table}\n");
            let tree = Tree::of(&[("crates/asap-data/Cargo.toml", &manifest)]);
            assert_eq!(crates_depend_downward(&tree).len(), 1, "{table}");
        }
    }

    #[test]
    fn a_dependency_of_tests_is_allowed_to_tests_only() {
        for (table, found) in [("dev-dependencies", 0), ("dependencies", 1)] {
            let manifest = format!(
                "[package]\nname = \"asap-report\"\n[{table}]\nasap-anneal.workspace = true\n"
            );
            let tree = Tree::of(&[("crates/asap-report/Cargo.toml", &manifest)]);
            assert_eq!(crates_depend_downward(&tree).len(), found, "{table}");
        }
    }

    #[test]
    fn a_crate_outside_the_layers_is_found() {
        let manifest = "[package]\nname = \"asap-new\"\n";
        let tree = Tree::of(&[("crates/asap-new/Cargo.toml", manifest)]);
        assert_eq!(crates_depend_downward(&tree).len(), 1);
    }

    #[test]
    fn candle_is_found_behind_another_crate() {
        let lock = "[[package]]\nname = \"xtask\"\ndependencies = [\n \"middle 1.0.0\",\n]\n\
                    [[package]]\nname = \"middle\"\ndependencies = [\n \"candle-core\",\n]\n";
        let findings = light_crates_stay_light(&Tree::of(&[("Cargo.lock", lock)]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("xtask depends on candle-core"));
    }
}

//! Nothing in the tree belongs to one machine: no path of its, no registry of its.

use super::Finding;
use super::tree::Tree;

/// The registry that everyone has.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// No path of somebody's machine.
pub(super) fn no_machine_path(tree: &Tree) -> Vec<Finding> {
    // Put together here, so that this file does not find itself.
    let paths = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
        concat!("/mn", "t/"),
        concat!("/wo", "rk/"),
    ];
    findings_of(tree, |_, line| {
        let path = paths.iter().find(|path| line.contains(**path))?;
        Some(format!("the path {path} of one machine"))
    })
}

/// No registry but the common one: neither in the lock file nor in a setting of cargo's.
pub(super) fn no_other_registry(tree: &Tree) -> Vec<Finding> {
    let settings = [
        concat!("replace", "-with"),
        concat!("[regis", "tries"),
        concat!("[sour", "ce."),
        concat!("sparse", "+"),
    ];
    findings_of(tree, |path, line| {
        if let Some(setting) = settings.iter().find(|setting| line.contains(**setting)) {
            return Some(format!("{setting} names the registry of one machine"));
        }
        let source = line.strip_prefix("source = \"")?.strip_suffix('"')?;
        let other = path.ends_with("Cargo.lock") && source != REGISTRY;
        other.then(|| format!("expected every package from crates.io, found {source}"))
    })
}

fn findings_of(tree: &Tree, judge: impl Fn(&str, &str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for (i, line) in file.text.lines().enumerate() {
            findings.extend(
                judge(&file.path, line).map(|message| Finding::new(&file.path, i + 1, message)),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_path_is_found() {
        for bad in [
            concat!("/ho", "me/someone/x"),
            concat!("see /mn", "t/disk/spec"),
        ] {
            let text = format!("fine\n{bad}\n");
            let findings = no_machine_path(&Tree::of(&[("a.md", &text)]));
            assert_eq!(findings.len(), 1, "{bad}");
            assert_eq!(findings[0].line, 2);
        }
        assert!(no_machine_path(&Tree::of(&[("a.md", "network/x and teamwork/y\n")])).is_empty());
    }

    #[test]
    fn another_registry_is_found() {
        let good = format!("source = \"{REGISTRY}\"\n");
        assert!(no_other_registry(&Tree::of(&[("Cargo.lock", &good)])).is_empty());
        let bad = "source = \"registry+https://mirror.example/index\"\n";
        assert_eq!(
            no_other_registry(&Tree::of(&[("Cargo.lock", bad)])).len(),
            1
        );
        let setting = format!(
            "[sour{}{} = \"mirror\"\n",
            "ce.crates-io]\nreplace", "-with"
        );
        let findings = no_other_registry(&Tree::of(&[(".cargo/config.toml", &setting)]));
        assert_eq!(findings.len(), 2);
    }
}

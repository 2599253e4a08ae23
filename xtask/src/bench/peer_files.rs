//! The programs in PyTorch, carried along: where they are measured, the source tree need not be.

use anyhow::{Context, Result};
use std::path::Path;

/// The programs and what they import of each other.
const FILES: [(&str, &str); 4] = [
    ("device.py", include_str!("../../../benches/peer/device.py")),
    (
        "network.py",
        include_str!("../../../benches/peer/network.py"),
    ),
    (
        "supernet.py",
        include_str!("../../../benches/peer/supernet.py"),
    ),
    (
        "tensor_file.py",
        include_str!("../../../benches/peer/tensor_file.py"),
    ),
];

/// Writes them into a folder, which is made.
///
/// # Errors
/// If that is not possible.
pub(super) fn write(folder: &Path) -> Result<()> {
    let place = || format!("cannot write into {}", folder.display());
    std::fs::create_dir_all(folder).with_context(place)?;
    for (name, text) in FILES {
        std::fs::write(folder.join(name), text).with_context(place)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn what_a_program_imports_is_carried_along_or_comes_with_pytorch() {
        let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        let ours = ["device", "network", "supernet", "tensor_file"];
        let others = [
            "argparse",
            "ast",
            "contextlib",
            "ctypes",
            "json",
            "math",
            "pathlib",
            "re",
            "resource",
            "statistics",
            "struct",
            "time",
            "torch",
        ];
        for (name, text) in FILES {
            let imports = text.lines().filter_map(|line| {
                let rest = line
                    .strip_prefix("import ")
                    .or(line.strip_prefix("from "))?;
                rest.split_whitespace().next()
            });
            for module in imports {
                let known = ours.contains(&module) || others.contains(&module);
                let of_torch = module.starts_with("torch.");
                assert!(known || of_torch, "{name}: {module} is not PyTorch's");
                let python = format!("{module}.py");
                let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("../benches/peer")
                    .join(&python);
                assert!(
                    !here.is_file() || names.contains(&python.as_str()),
                    "{name} imports {python}"
                );
            }
        }
        assert_eq!(names.len(), ours.len());
    }
}

//! What is left out of candle: a stand-in for nvcc that skips kernels asap never calls.
//!
//! asap runs its own kernels through the driver and makes no candle device on a GPU. Of candle's kernels those for quantised
//! weights and for mixtures of experts take most of the time to compile. Their launchers are in the build, and abort with a
//! line that says so; the module of quantised kernels is empty, and loading it is an error of the driver's.

use super::functions::public;
use super::shell;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = include_str!("nvcc.sh");

/// Sources of candle, as patterns of the shell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sources {
    /// Those that take long and that nothing calls: enough for a build.
    QuantisedAndExperts,
    /// All of them: enough for a look at the Rust code.
    All,
}

impl Sources {
    fn pattern(self) -> &'static str {
        match self {
            Self::QuantisedAndExperts => {
                "*/mmq_gguf/*.cu | */moe/*.cu | */mmvq_gguf.cu | */quantized.cu"
            }
            Self::All => "?*",
        }
    }
}

/// The stand-in, as a script: hands everything to `nvcc` but the `sources` of candle. For those it writes empty PTX, or a copy
/// of `object`.
///
/// # Errors
/// If a path is no UTF-8.
pub(super) fn stand_in(nvcc: &Path, sources: Sources, object: &Path) -> Result<String> {
    let quoted = |path| shell::text(path).map(|text| shell::quoted(&text));
    Ok(SCRIPT
        .replace("@SOURCES@", sources.pattern())
        .replace("@OBJECT@", &quoted(object)?)
        .replace("@NVCC@", &quoted(nvcc)?))
}

/// Compiles to `object` a launcher that aborts for each one that candle's kernels declare. Weak, since every source that is left
/// out becomes a copy of this one object.
///
/// # Errors
/// If the sources of candle's kernels are not as expected, or gcc fails.
pub(super) fn write_launchers(object: &Path, candle_kernels: &Path) -> Result<()> {
    let path = candle_kernels.join("src/ffi.rs");
    let declarations =
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let names = public(&declarations);
    if names.is_empty() {
        bail!(
            "expected declarations `pub fn NAME(`, found none in {}",
            path.display()
        );
    }
    let source = object.with_extension("c");
    fs::write(&source, launchers(&names))
        .with_context(|| format!("writing {}", source.display()))?;
    let mut compile = Command::new("gcc");
    compile.args(["-c", "-O2", "-fPIC", "-o"]);
    compile.args([object, &source]);
    shell::output(&mut compile, "install gcc, which Rust links with too")?;
    fs::remove_file(&source).with_context(|| format!("removing {}", source.display()))
}

fn launchers(names: &[&str]) -> String {
    let mut source = String::from("#include <stdio.h>\n#include <stdlib.h>\n");
    for name in names {
        source += &format!(
            "__attribute__((weak)) void {name}(void)\n{{\n    \
             fputs(\"{name}: left out of this build of candle's kernels\\n\", stderr);\n    abort();\n}}\n"
        );
    }
    source
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::scratch::Folder;
    use super::*;

    /// What the stand-in does with `words`, called by the build script of `package`.
    fn call(folder: &Folder, sources: Sources, package: &str, words: &[&str]) -> String {
        let nvcc = folder.program("it's nvcc", "#!/bin/sh\necho nvcc \"$@\"\n");
        let object = folder.write("object of launchers", "launchers");
        let script = stand_in(&nvcc, sources, &object).unwrap();
        let script = folder.write("stand-in", &script);
        let mut command = Command::new("sh");
        command.arg(script).args(words).current_dir(folder.path());
        shell::output(command.env("CARGO_PKG_NAME", package), "").unwrap()
    }

    #[test]
    fn a_kernel_that_is_left_out_becomes_empty_ptx_or_the_launchers() {
        let folder = Folder::new("left-out");
        let left_out = Sources::QuantisedAndExperts;
        let words = ["--ptx", "--output-directory", ".", "src/quantized.cu"];
        assert_eq!(call(&folder, left_out, "candle-kernels", &words), "");
        assert_eq!(folder.read("quantized.ptx"), "");
        let words = ["-c", "-o", "out.o", "-O3", "src/moe/moe_gguf.cu"];
        assert_eq!(call(&folder, left_out, "candle-kernels", &words), "");
        assert_eq!(folder.read("out.o"), "launchers");
    }

    #[test]
    fn every_other_call_reaches_nvcc_as_it_stands() {
        let folder = Folder::new("not-left-out");
        let affine = ["--ptx", "--output-directory", "a b", "src/affine.cu"];
        let ours = ["-fatbin", "-o", "x", "src/moe/module.cu"];
        let archive = ["--lib", "-o", "libmoe.a", "a.o"];
        for (sources, package, words) in [
            (Sources::QuantisedAndExperts, "candle-kernels", &affine[..]),
            (Sources::QuantisedAndExperts, "asap-kernels", &ours),
            (Sources::All, "asap-kernels", &ours),
            (Sources::All, "candle-kernels", &archive),
            (Sources::All, "candle-kernels", &["--version"]),
        ] {
            let expected = format!("nvcc {}\n", words.join(" "));
            assert_eq!(call(&folder, sources, package, words), expected);
        }
    }

    #[test]
    fn all_of_candle_can_be_left_out() {
        let folder = Folder::new("all-left-out");
        let words = ["--ptx", "--output-directory", ".", "src/affine.cu"];
        assert_eq!(call(&folder, Sources::All, "candle-kernels", &words), "");
        assert_eq!(folder.read("affine.ptx"), "");
    }

    #[test]
    fn a_launcher_that_is_left_out_says_so_and_aborts() {
        let folder = Folder::new("launchers");
        let declarations =
            "    pub fn launch_b(\n        x: i32,\n    );\n    pub fn launch_a(x: i32);\n";
        folder.write("src/ffi.rs", declarations);
        let object = folder.path().join("launchers.o");
        write_launchers(&object, folder.path()).unwrap();
        // Twice the same names, as in an archive of several copies.
        fs::copy(&object, folder.path().join("again.o")).unwrap();
        folder.write(
            "program.c",
            "void launch_b(int); int main(void) { launch_b(1); }\n",
        );
        folder.gcc("-o program program.c launchers.o again.o");
        let error = shell::output(&mut Command::new(folder.path().join("program")), "");
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("launch_b: left out of this build"),
            "{error}"
        );
    }
}

//! `cargo xtask cuda setup`: everything a build needs beside Rust and gcc, in `target/cuda-toolkit`.
//!
//! A folder appears there whole or not at all: made under a temporary name, then renamed. What is there is not made again.

use super::left_out::{Sources, stand_in, write_launchers};
use super::toolkit::{Toolkit, installed};
use super::version::Version;
use super::wheels::remove;
use super::{delay_load, shell, sources, wheels};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs};

/// Raised whenever something else is written here than before.
const RECIPE: u32 = 1;

const KERNEL: &str = "__global__ void one(float *out) { out[threadIdx.x] = 1.0f; }\n";

/// What a build needs to know.
pub(super) struct Compiler {
    pub(super) version: Version,
    /// Holds `lib64` with all that the linker is asked for.
    pub(super) home: PathBuf,
    /// The stand-in that leaves out the slow kernels of candle.
    pub(super) nvcc: PathBuf,
    /// The stand-in that leaves out all of them.
    pub(super) nvcc_without_candle: PathBuf,
}

/// Makes the compiler ready, as far as it is not.
///
/// # Errors
/// If this is no Linux on x86-64, or something is missing: gcc, Python, the network.
pub(super) fn run(root: &Path, python: &Path) -> Result<Compiler> {
    if !super::IS_POSSIBLE {
        bail!(
            "expected Linux on x86-64, for which the libraries are opened late, found {} on {}; with a CUDA toolkit there \
             `cargo build --release --package asap-cli --features cuda` builds without it",
            std::env::consts::OS,
            std::env::consts::ARCH
        );
    }
    let folder = root.join("target/cuda-toolkit");
    make(&folder)?;
    let toolkit = match installed()? {
        Some(toolkit) => toolkit,
        None => Toolkit::of(wheels::nvcc(&folder, python)?)?,
    };
    let (cudarc, candle_kernels) = sources::cudarc_and_candle_kernels(root)?;
    Ingredients {
        toolkit,
        cudarc,
        candle_kernels,
    }
    .compiler(&folder)
}

/// What a compiler is made of.
struct Ingredients {
    toolkit: Toolkit,
    /// Sources of cudarc, which declare the functions of the libraries.
    cudarc: PathBuf,
    /// Sources of candle's kernels, which declare their launchers.
    candle_kernels: PathBuf,
}

impl Ingredients {
    /// The compiler in `folder/home`, made unless the one there is made of the same.
    fn compiler(&self, folder: &Path) -> Result<Compiler> {
        let home = folder.join("home");
        let compiler = Compiler {
            version: self.toolkit.version,
            nvcc: home.join("build/nvcc"),
            nvcc_without_candle: home.join("check/nvcc"),
            home,
        };
        let stamp = compiler.home.join("made-of");
        if !fs::read_to_string(stamp).is_ok_and(|there| there == self.to_string()) {
            let unfinished = folder.join("home.tmp");
            remove(&unfinished)?;
            self.write(&unfinished, &compiler)?;
            remove(&compiler.home)?;
            fs::rename(&unfinished, &compiler.home)
                .with_context(|| format!("moving {}", unfinished.display()))?;
        }
        Ok(compiler)
    }

    fn write(&self, folder: &Path, compiler: &Compiler) -> Result<()> {
        let archives = folder.join("lib64");
        make(&archives)?;
        try_out(folder, &self.toolkit)?;
        delay_load::write_all(&archives, &self.cudarc, self.toolkit.version)?;
        write_launchers(&folder.join("launchers.o"), &self.candle_kernels)?;
        // The scripts name the folder as it will be called.
        let object = compiler.home.join("launchers.o");
        for (name, sources) in [
            ("build", Sources::QuantisedAndExperts),
            ("check", Sources::All),
        ] {
            make(&folder.join(name))?;
            let script = folder.join(name).join("nvcc");
            write(&script, &stand_in(&self.toolkit.nvcc, sources, &object)?)?;
            make_program(&script)?;
        }
        write(&folder.join("made-of"), &self.to_string())
    }
}

impl fmt::Display for Ingredients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Toolkit { nvcc, version } = &self.toolkit;
        writeln!(f, "recipe {RECIPE}\nnvcc {version} {}", nvcc.display())?;
        writeln!(f, "{}", self.cudarc.display())?;
        writeln!(f, "{}", self.candle_kernels.display())
    }
}

/// Compiles a kernel of one line: nvcc can start and yet miss its headers, or refuse this gcc.
fn try_out(folder: &Path, toolkit: &Toolkit) -> Result<()> {
    let (source, made) = (folder.join("one.cu"), folder.join("one.cubin"));
    write(&source, KERNEL)?;
    let mut compile = Command::new(&toolkit.nvcc);
    compile.args(["-arch=sm_90", "-cubin", "-o"]);
    compile.args([&made, &source]);
    shell::output(&mut compile, "it was there a moment ago")
        .with_context(|| format!("nvcc {} compiles no kernel", toolkit.version))?;
    for file in [source, made] {
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    }
    Ok(())
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(unix)]
fn make_program(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} a program", path.display()))
}

#[cfg(not(unix))]
fn make_program(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::scratch::Folder;
    use super::*;

    /// An nvcc that notes each kernel it compiles.
    const NVCC: &str = "#!/bin/sh
: > \"$4\"
echo \"$@\" >> \"${0%/*}/compiled\"
";

    fn ingredients(folder: &Folder) -> Ingredients {
        for module in ["driver", "cublas", "cublaslt", "curand", "nvrtc"] {
            let name = format!("cudarc/src/{module}/sys/mod.rs");
            folder.write(&name, "    fn call() -> status;\n");
        }
        folder.write("candle/src/ffi.rs", "    pub fn launch(x: i32);\n");
        let nvcc = folder.program("nvcc", NVCC);
        let version = super::super::version::NEWEST;
        Ingredients {
            toolkit: Toolkit { nvcc, version },
            cudarc: folder.path().join("cudarc"),
            candle_kernels: folder.path().join("candle"),
        }
    }

    fn compiled(folder: &Folder) -> usize {
        folder.read("compiled").lines().count()
    }

    #[test]
    fn a_compiler_is_made_once_and_again_when_it_would_be_another() {
        let folder = Folder::new("setup-once");
        let mut ingredients = ingredients(&folder);
        let compiler = ingredients.compiler(folder.path()).unwrap();
        assert!(compiler.nvcc.is_file() && compiler.nvcc_without_candle.is_file());
        for library in ["cuda", "cublas", "cublasLt", "curand", "nvrtc", "cudart"] {
            let archive = compiler.home.join(format!("lib64/lib{library}.a"));
            assert!(archive.is_file(), "{library}");
        }
        assert!(!folder.path().join("home.tmp").exists());
        ingredients.compiler(folder.path()).unwrap();
        assert_eq!(compiled(&folder), 1);

        ingredients.toolkit.version.major = 12;
        ingredients.compiler(folder.path()).unwrap();
        assert_eq!(compiled(&folder), 2);
    }

    #[test]
    fn what_fails_half_way_leaves_no_compiler() {
        let folder = Folder::new("setup-half");
        let ingredients = ingredients(&folder);
        folder.write("candle/src/ffi.rs", "");
        let error = ingredients.compiler(folder.path()).err().unwrap();
        assert!(format!("{error:#}").contains("ffi.rs"), "{error:#}");
        assert!(!folder.path().join("home").exists());
        folder.write("candle/src/ffi.rs", "    pub fn launch(x: i32);\n");
        assert!(ingredients.compiler(folder.path()).is_ok());
    }

    #[test]
    fn an_nvcc_that_compiles_nothing_is_said_with_its_reason() {
        let folder = Folder::new("setup-nvcc");
        let mut ingredients = ingredients(&folder);
        ingredients.toolkit.nvcc =
            folder.program("bad", "#!/bin/sh\necho unsupported gcc\nexit 1\n");
        let error = ingredients.compiler(folder.path()).err().unwrap();
        let error = format!("{error:#}");
        assert!(
            error.starts_with("nvcc 13.0 compiles no kernel") && error.ends_with("unsupported gcc"),
            "{error}"
        );
    }
}

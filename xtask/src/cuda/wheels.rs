//! A CUDA compiler out of Python wheels: NVIDIA publishes its parts for everyone to install, and no step needs root.

use super::shell;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// CUDA 13.0.2. Exact: a newer nvcc writes PTX that the drivers of CUDA 13.0 refuse.
const WHEELS: [&str; 5] = [
    // nvcc, ptxas, fatbinary
    "nvidia-cuda-nvcc==13.0.88",
    // Headers of the compiler itself
    "nvidia-cuda-crt==13.0.88",
    // The compiler proper, and the mathematics of the device
    "nvidia-nvvm==13.0.88",
    // Headers: cuda_runtime.h and what it includes
    "nvidia-cuda-runtime==13.0.96",
    // Headers: cub and the standard library of the device, for candle's reductions
    "nvidia-cuda-cccl==13.0.85",
];

/// Where the wheels unpack to, below a Python's packages.
const UNPACKED: &str = "nvidia/cu13";

/// The nvcc of a toolkit in `folder`, fetched there by `python` if it is not there yet.
///
/// # Errors
/// If there is no Python with `venv`, or pip cannot fetch the wheels.
pub(super) fn nvcc(folder: &Path, python: &Path) -> Result<PathBuf> {
    let ready = folder.join("wheels-13.0.2");
    let nvcc = ready.join("bin/nvcc");
    if !nvcc.is_file() {
        let unfinished = folder.join("venv.tmp");
        remove(&unfinished)?;
        fetch(&unfinished, python)?;
        let unpacked = packages(&unfinished)?.join(UNPACKED);
        // nvcc looks for libraries in lib64; the wheels have lib.
        #[cfg(unix)]
        std::os::unix::fs::symlink("lib", unpacked.join("lib64"))
            .with_context(|| format!("linking lib64 in {}", unpacked.display()))?;
        remove(&ready)?;
        fs::rename(&unpacked, &ready).with_context(|| format!("moving {}", unpacked.display()))?;
        remove(&unfinished)?;
    }
    Ok(nvcc)
}

/// Makes a virtual environment in `venv` and lets its pip install the wheels.
fn fetch(venv: &Path, python: &Path) -> Result<()> {
    let mut make = Command::new(python);
    make.args(["-m", "venv"]).arg(venv);
    eprintln!("$ {}", shell::words(&make));
    let missing = "name another with `--python PYTHON`, or install a CUDA toolkit 12.0 to 13.0";
    shell::output(&mut make, missing).context(
        "a virtual environment could not be made (on Debian and Ubuntu it needs the package python3-venv)",
    )?;
    let mut install = Command::new(venv.join("bin/python"));
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    install.args(["--no-deps", "--no-compile", "--only-binary=:all:"]);
    install.args(WHEELS);
    eprintln!("$ {}", shell::words(&install));
    shell::output(&mut install, "the virtual environment has no Python").context(
        "pip could not fetch the compiler: once, 105 MB from the package index that pip is set to",
    )?;
    Ok(())
}

/// The folder of packages in a virtual environment: `lib/python3.X/site-packages`.
fn packages(venv: &Path) -> Result<PathBuf> {
    let lib = venv.join("lib");
    let entries = fs::read_dir(&lib).with_context(|| format!("reading {}", lib.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("reading {}", lib.display()))?;
        let packages = entry.path().join("site-packages");
        if packages.join(UNPACKED).is_dir() {
            return Ok(packages);
        }
    }
    bail!(
        "expected {UNPACKED} among the packages of {}, found none",
        venv.display()
    )
}

/// Removes a folder with all in it, if it is there.
///
/// # Errors
/// If it cannot be removed.
pub(super) fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::scratch::Folder;
    use super::*;

    /// A Python that makes an environment whose pip "installs" an nvcc.
    const PYTHON: &str = "#!/bin/sh
mkdir -p \"$3/bin\" \"$3/lib/python3.99/site-packages\"
cat > \"$3/bin/python\" <<'END'
#!/bin/sh
cu13=${0%/bin/python}/lib/python3.99/site-packages/nvidia/cu13
mkdir -p \"$cu13/bin\" \"$cu13/lib\"
echo \"$@\" > \"$cu13/bin/nvcc\"
END
chmod +x \"$3/bin/python\"
";

    #[test]
    fn the_wheels_are_fetched_once() {
        let folder = Folder::new("wheels");
        let python = folder.program("python", PYTHON);
        let nvcc = super::nvcc(folder.path(), &python).unwrap();
        let words = fs::read_to_string(&nvcc).unwrap();
        assert!(
            words.starts_with("-m pip install ") && words.contains(WHEELS[4]),
            "{words}"
        );
        assert!(nvcc.parent().unwrap().join("../lib64/.").is_dir());
        assert!(!folder.path().join("venv.tmp").exists());

        let again = super::nvcc(folder.path(), Path::new("no-such-python")).unwrap();
        assert_eq!(again, nvcc);
    }

    #[test]
    fn what_an_interrupted_run_left_is_fetched_anew() {
        let folder = Folder::new("wheels-again");
        folder.write(
            "venv.tmp/lib/python3.99/site-packages/nvidia/cu13/lib64",
            "half",
        );
        let python = folder.program("python", PYTHON);
        assert!(super::nvcc(folder.path(), &python).unwrap().is_file());
    }

    #[test]
    fn a_missing_python_is_said_with_what_to_do() {
        let folder = Folder::new("wheels-no-python");
        let error = super::nvcc(folder.path(), Path::new("no-such-python")).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("no-such-python is not there") && error.contains("--python"),
            "{error}"
        );
    }

    #[test]
    fn a_pip_that_fails_is_said_with_its_words() {
        let folder = Folder::new("wheels-no-network");
        let failing = PYTHON.replace("echo \"$@\" >", "echo no route; exit 1; :");
        let python = folder.program("python", &failing);
        let error = format!("{:#}", super::nvcc(folder.path(), &python).unwrap_err());
        assert!(
            error.contains("105 MB") && error.ends_with("no route"),
            "{error}"
        );
    }
}

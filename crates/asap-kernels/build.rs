//! With the feature `cuda`, compiles `kernels/module.cu` to `$OUT_DIR/kernels.fatbin`, which the library holds; without it,
//! does nothing.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const FOLDER: &str = "kernels";
const SOURCE: &str = "kernels/module.cu";

/// What the fat binary holds: machine code of two generations (A100 and those for desktops since; H100 and H200), and PTX, which the
/// driver compiles for every newer one. Tests run that PTX on the host (`tests/device/compile.rs`), with the flags that are here.
const TARGETS: [&str; 3] = [
    "arch=compute_80,code=sm_80",
    "arch=compute_90,code=sm_90",
    "arch=compute_90,code=compute_90",
];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return ExitCode::SUCCESS;
    }
    println!("cargo::rerun-if-changed={FOLDER}");
    println!("cargo::rerun-if-env-changed=NVCC");
    match compile() {
        Ok(warnings) => {
            for line in warnings.lines() {
                println!("cargo::warning={line}");
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs `$NVCC`, or `nvcc`; gives back what it warns of.
fn compile() -> Result<String, String> {
    let nvcc = env::var_os("NVCC").unwrap_or_else(|| OsString::from("nvcc"));
    let shown = nvcc.to_string_lossy().into_owned();
    if Path::new(&nvcc).is_absolute() {
        println!("cargo::rerun-if-changed={shown}");
    }
    let folder = env::var_os("OUT_DIR").ok_or("expected OUT_DIR from cargo, found none")?;
    let mut command = Command::new(nvcc);
    command.args(["-fatbin", "-std=c++17", "-O3", "--threads=0"]);
    for target in TARGETS {
        command.args(["-gencode", target]);
    }
    command
        .arg("-o")
        .arg(PathBuf::from(folder).join("kernels.fatbin"));
    command.arg(SOURCE);
    let done = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!(
            "expected nvcc of a CUDA toolkit 12.0 to 13.0 for the feature `cuda`, found none at `{shown}`: \
             name it in $NVCC, or let `cargo xtask cuda build` bring one"
        ),
        _ => format!("`{shown}` does not start: {error}"),
    })?;
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if done.status.success() {
        Ok(said)
    } else {
        Err(format!(
            "{SOURCE} does not compile (`{shown}` ended with {}):\n{said}",
            done.status
        ))
    }
}

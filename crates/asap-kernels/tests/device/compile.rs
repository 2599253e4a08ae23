//! Builds `.cu` files for the host with its C++ compiler and the shim, and the stand-in for the driver of GPUs that runs them; opens
//! what comes out.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::null_mut;
use std::sync::OnceLock;

use libloading::Library;

/// What a kernel's function is.
pub(crate) type Kernel = unsafe extern "C" fn(jobs: *const u8, step: *const u8);

/// Kernels built for the host.
pub(crate) struct Kernels {
    library: Library,
    path: PathBuf,
    /// Whether every read and write is instrumented.
    pub(crate) watched: bool,
    /// Runs a kernel over a grid, as `shim.cpp` says.
    pub(crate) launch: HostLaunch,
    count: HostCount,
}

/// `asap_host_count` of `shim.cpp`.
type HostCount = unsafe extern "C" fn(to: *mut Traffic);

/// What the accesses of kernels cost a device, as `traffic.hpp` has it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// Wavefronts of the shared memory.
    pub(crate) shared_waves: u64,
    /// Sectors of 32 bytes that warps read and write elsewhere.
    pub(crate) sectors_read: u64,
    pub(crate) sectors_written: u64,
}

/// `asap_host_launch` of `shim.cpp`.
pub(crate) type HostLaunch = unsafe extern "C" fn(
    kernel: Kernel,
    name: *const std::ffi::c_char,
    grid: *const u32,
    threads: u32,
    shared_bytes: u32,
    jobs: *const u8,
    step: *const u8,
    seed: u32,
    memory: *const Memory,
    memory_count: usize,
    message: *mut std::ffi::c_char,
    message_bytes: usize,
) -> std::ffi::c_int;

/// An allocation that kernels may use, as `check.hpp` has it.
#[repr(C)]
pub(crate) struct Memory {
    pub(crate) begin: usize,
    pub(crate) bytes: usize,
}

impl Kernels {
    /// All kernels of `kernels/module.cu`.
    pub(crate) fn of_crate() -> &'static Self {
        static KERNELS: OnceLock<Kernels> = OnceLock::new();
        KERNELS.get_or_init(|| Self::build(&crate_folder().join("kernels/module.cu"), false))
    }

    /// The same, with every read and write looked at: many times slower.
    pub(crate) fn of_crate_watched() -> &'static Self {
        static KERNELS: OnceLock<Kernels> = OnceLock::new();
        KERNELS.get_or_init(|| Self::build(&crate_folder().join("kernels/module.cu"), true))
    }

    /// The kernels that try the shim.
    pub(crate) fn of_probe() -> &'static Self {
        static KERNELS: OnceLock<Kernels> = OnceLock::new();
        KERNELS.get_or_init(|| Self::build(&shim_folder().join("shim_probe.cu"), false))
    }

    /// The same, with every read and write looked at.
    pub(crate) fn of_probe_watched() -> &'static Self {
        static KERNELS: OnceLock<Kernels> = OnceLock::new();
        KERNELS.get_or_init(|| Self::build(&shim_folder().join("shim_probe.cu"), true))
    }

    /// The kernel of this name, if there is one.
    pub(crate) fn kernel(&self, name: &str) -> Option<Kernel> {
        // SAFETY: every function of a .cu file that has C's linkage is a kernel over a table of jobs and a step.
        unsafe { self.library.get::<Kernel>(name) }
            .ok()
            .map(|symbol| *symbol)
    }

    /// What the accesses of the launches in `run` cost, which must be watched ones.
    pub(crate) fn traffic(&self, run: impl FnOnce()) -> Traffic {
        assert!(self.watched);
        let mut traffic = Traffic::default();
        // SAFETY: `traffic` stays where it is until nothing counts any more.
        unsafe { (self.count)(&raw mut traffic) };
        run();
        // SAFETY: as above.
        unsafe { (self.count)(null_mut()) };
        traffic
    }

    /// The lines of the sources where a message names places of the code, as far as the compiler's own tools tell.
    pub(crate) fn places(&self, message: &str) -> String {
        message
            .split("code+")
            .skip(1)
            .filter_map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_hexdigit() && c != 'x');
                let place = &rest[..end.unwrap_or(rest.len())];
                let mut command = Command::new("addr2line");
                let output = command.arg("-e").arg(&self.path).arg(place).output();
                let line = String::from_utf8(output.ok()?.stdout).ok()?;
                Some(format!("\n  code+{place}: {}", line.trim()))
            })
            .collect()
    }

    fn build(source: &Path, watched: bool) -> Self {
        let path = compiled(source, watched);
        // SAFETY: the library was made of this crate's sources and begins with constructors of empty containers.
        let library = unsafe { Library::new(&path) }.unwrap();
        // SAFETY: the type is that of the function in `shim.cpp`.
        let launch = *unsafe { library.get::<HostLaunch>("asap_host_launch") }.unwrap();
        // SAFETY: as above.
        let count = *unsafe { library.get::<HostCount>("asap_host_count") }.unwrap();
        Self {
            library,
            path,
            watched,
            launch,
            count,
        }
    }
}

/// The stand-in for the driver of GPUs (`tests/driver`), open until the process ends. It has the name of the driver's library, so
/// that whoever opens that afterwards finds it open.
#[cfg(feature = "cuda")]
pub(crate) fn stand_in() -> &'static Library {
    static STAND_IN: OnceLock<Library> = OnceLock::new();
    STAND_IN.get_or_init(|| {
        let path = compiled_stand_in(&crate_folder().join("tests/driver"));
        // SAFETY: the library was made of this crate's sources and begins with constructors of empty containers.
        unsafe { Library::new(path) }.unwrap()
    })
}

/// Also where another crate of the workspace tests with this file.
fn crate_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../asap-kernels"))
}

fn shim_folder() -> PathBuf {
    crate_folder().join("tests/device")
}

/// The shared object of a `.cu` file. It is kept under a name that tells what it was made of, so that tests compile only
/// what has changed.
fn compiled(source: &Path, watched: bool) -> PathBuf {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let flags = flags();
    // The checks call functions of `shim.cpp`, so what is linked needs no library for them.
    let version = version(&compiler);
    let bounds = if version.contains("clang") {
        "array-bounds"
    } else {
        "bounds"
    };
    let watches = if watched { "thread," } else { "" };
    let checks = format!("-fsanitize={watches}alignment,{bounds}");
    let mut made_of = DefaultHasher::new();
    (version, &flags, &checks).hash(&mut made_of);
    let kernels = source.parent().unwrap();
    for folder in [kernels, &shim_folder()] {
        for file in sources(folder) {
            file.hash(&mut made_of);
            fs::read(file).unwrap().hash(&mut made_of);
        }
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let stem = source.file_stem().unwrap().to_string_lossy();
    let stem = format!("{stem}-{:016x}", made_of.finish());
    let library = folder.join(format!("{stem}.so"));
    make(&library, |linked| {
        let object = linked.with_extension("kernels.o");
        let shim = linked.with_extension("shim.o");
        let mut checked = flags.clone();
        checked.push(&checks);
        compile(&compiler, &checked, source, &object);
        compile(&compiler, &flags, &shim_folder().join("shim.cpp"), &shim);
        let mut link = Command::new(&compiler);
        link.args(["-shared", "-pthread", "-o"]);
        run(link.arg(linked).args([&object, &shim]));
        for left in [object, shim] {
            fs::remove_file(left).unwrap();
        }
    });
    library
}

/// `libcuda.so.1` in a folder of its own, which programs open where `LD_LIBRARY_PATH` names the folder. The kernels and the shim lie in
/// the library that other tests use.
#[cfg(feature = "cuda")]
fn compiled_stand_in(sources_in: &Path) -> PathBuf {
    const NAME: &str = "libcuda.so.1";
    let kernels = compiled(&crate_folder().join("kernels/module.cu"), false);
    let mut made_of = DefaultHasher::new();
    kernels.hash(&mut made_of);
    let files = sources(sources_in);
    for file in &files {
        fs::read(file).unwrap().hash(&mut made_of);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = folder.join(format!("stand-in-{:016x}", made_of.finish()));
    fs::create_dir_all(&folder).unwrap();
    let library = folder.join(NAME);
    make(&library, |linked| {
        let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
        let mut command = Command::new(compiler);
        command.args(flags()).args(["-shared", "-o"]).arg(linked);
        command.arg(format!("-Wl,-soname,{NAME}"));
        let headers = Some("hpp".as_ref());
        command.args(files.iter().filter(|file| file.extension() != headers));
        run(command.arg(kernels));
    });
    library
}

/// Makes a file that is not there yet. Another process may be making the same: only what is whole gets the file's name.
fn make(file: &Path, write: impl FnOnce(&Path)) {
    if !file.exists() {
        let unfinished = file.with_extension(std::process::id().to_string());
        write(&unfinished);
        fs::rename(&unfinished, file).unwrap();
    }
}

/// Arithmetic as it is written: a fused multiply-add is one where the kernel asks for it and nowhere else.
fn flags() -> Vec<&'static str> {
    let mut flags = vec![
        "-std=c++17",
        "-O2",
        "-g1",
        "-fPIC",
        "-pthread",
        "-ffp-contract=off",
        // Kernels read floats four at a time and keep them in memory of bytes, as every device allows.
        "-fno-strict-aliasing",
    ];
    // Without it a fused multiply-add is a function call, with the same result.
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") {
        flags.push("-mfma");
    }
    flags
}

/// The compiler's own description, which also tells that it is there.
fn version(compiler: &OsString) -> String {
    match Command::new(compiler).arg("--version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => panic!(
            "the tests of the kernels for GPUs need a C++17 compiler, and {compiler:?} does not start: {error}; Debian and \
             Ubuntu have it in the package g++, Fedora in gcc-c++, macOS in the Xcode command line tools; CXX names another"
        ),
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|end| {
                ["cu", "cuh", "cpp", "hpp"]
                    .iter()
                    .any(|known| end == *known)
            })
        })
        .collect();
    files.sort();
    files
}

fn compile(compiler: &OsString, flags: &[&str], source: &Path, object: &Path) {
    let mut command = Command::new(compiler);
    command.args(flags).arg("-include");
    command.arg(shim_folder().join("shim.cuh"));
    command.args(["-x", "c++", "-c"]).arg(source);
    run(command.arg("-o").arg(object));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{said}");
}

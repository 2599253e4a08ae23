//! Builds kernels for the host with its C++ compiler and the shim, out of `.cu` files or out of the PTX that nvcc makes of them, and the
//! stand-in for the driver of GPUs that runs the latter; opens what comes out.

#[cfg(feature = "cuda")]
#[path = "ptx.rs"]
pub(crate) mod ptx;

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::null_mut;
use std::sync::{Mutex, OnceLock, PoisonError};

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
    /// Instructions of PTX that threads issue: of kernels that nvcc has translated.
    pub(crate) instructions: u64,
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.shared_waves += other.shared_waves;
        self.sectors_read += other.sectors_read;
        self.sectors_written += other.sectors_written;
        self.instructions += other.instructions;
    }
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
        KERNELS.get_or_init(|| Self::open(compiled(&module(), false), false))
    }

    /// The same, with every read and write looked at: many times slower.
    pub(crate) fn of_crate_watched() -> &'static Self {
        static KERNELS: OnceLock<Kernels> = OnceLock::new();
        KERNELS.get_or_init(|| Self::open(compiled(&module(), true), true))
    }

    /// The same as nvcc has translated it.
    #[cfg(feature = "cuda")]
    pub(crate) fn of_nvcc_watched() -> &'static Self {
        static KERNELS: OnceLock<Kernels> = OnceLock::new();
        KERNELS.get_or_init(|| Self::open(compiled_ptx("module", &ptx_of(&module()), true), true))
    }

    /// Kernels that a test has written in PTX, with every read and write looked at.
    #[cfg(feature = "cuda")]
    pub(crate) fn of_ptx(name: &str, ptx: &str) -> Self {
        Self::open(compiled_ptx(name, ptx, true), true)
    }

    /// The kernels that try the shim.
    pub(crate) fn of_probe() -> &'static Self {
        static KERNELS: OnceLock<Kernels> = OnceLock::new();
        KERNELS.get_or_init(|| Self::open(compiled(&probe(), false), false))
    }

    /// The same, with every read and write looked at.
    pub(crate) fn of_probe_watched() -> &'static Self {
        static KERNELS: OnceLock<Kernels> = OnceLock::new();
        KERNELS.get_or_init(|| Self::open(compiled(&probe(), true), true))
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
                let output = command.arg("-ie").arg(&self.path).arg(place).output();
                let line = String::from_utf8(output.ok()?.stdout).ok()?;
                Some(format!("\n  code+{place}: {}", line.trim()))
            })
            .collect()
    }

    fn open(path: PathBuf, watched: bool) -> Self {
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

/// Also where another crate of the workspace tests with this file, and then by the same name, so that all find what one has built.
fn crate_folder() -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../asap-kernels");
    fs::canonicalize(folder).unwrap()
}

fn shim_folder() -> PathBuf {
    crate_folder().join("tests/device")
}

fn module() -> PathBuf {
    crate_folder().join("kernels/module.cu")
}

fn probe() -> PathBuf {
    shim_folder().join("shim_probe.cu")
}

/// The shared object of a `.cu` file.
fn compiled(source: &Path, watched: bool) -> PathBuf {
    let bounds = if version(&compiler(), NO_COMPILER).contains("clang") {
        "array-bounds"
    } else {
        "bounds"
    };
    let watches = if watched { "thread," } else { "" };
    // The checks call functions of `shim.cpp`, so what is linked needs no library for them.
    let checks = format!("-fsanitize={watches}alignment,{bounds}");
    let mut made_of = DefaultHasher::new();
    hash_sources(source.parent().unwrap(), &mut made_of);
    let stem = source.file_stem().unwrap().to_string_lossy();
    linked(&stem, made_of, &["-O2", &checks], |_| source.to_owned())
}

/// The shared object of PTX. As the compiler has much to read, it does little with it; `ptx.hpp` has checks of its own.
#[cfg(feature = "cuda")]
fn compiled_ptx(stem: &str, ptx: &str, watched: bool) -> PathBuf {
    let code = match ptx::translate(ptx, watched) {
        Ok(code) => code,
        Err(what) => {
            panic!("the PTX of {stem}: {what}; `tests/device/ptx.rs` translates what nvcc writes")
        }
    };
    let instructions = shim_folder().join("ptx.hpp");
    let code = format!("#include {instructions:?}\n#line 1 \"{stem}.ptx\"\n{code}");
    let mut flags = vec!["-O1"];
    // Registers of floats are not whole numbers, nor the other way round; with or without signs is the same.
    flags.extend(["-Werror=conversion", "-Werror=float-conversion"]);
    flags.push("-Wno-sign-conversion");
    if watched {
        flags.push("-fsanitize=thread");
    }
    let mut made_of = DefaultHasher::new();
    code.hash(&mut made_of);
    linked(&format!("{stem}-ptx"), made_of, &flags, |linked| {
        let source = beside(linked, "cpp");
        fs::write(&source, code).unwrap();
        source
    })
}

/// What nvcc makes of a `.cu` file on the way to machine code, with the flags of `build.rs`. It is the PTX of both generations that is
/// machine code in the program: what nvcc 13.0 writes for 8.0 and for 9.0 differs in the line that names them.
#[cfg(feature = "cuda")]
fn ptx_of(source: &Path) -> String {
    const FLAGS: [&str; 4] = ["-ptx", "-std=c++17", "-O3", "-arch=compute_90"];
    const NO_NVCC: &str = "tests of a build with the feature `cuda` need nvcc of a CUDA toolkit 12.0 to 13.0: `cargo xtask cuda test` \
                           and `cargo xtask cuda check` bring one; NVCC names another";
    let build = fs::read_to_string(crate_folder().join("build.rs")).unwrap();
    for flag in ["-std=c++17", "-O3", "arch=compute_90,code=compute_90"] {
        assert!(build.contains(flag), "build.rs has other flags: {flag}");
    }
    let nvcc = std::env::var_os("NVCC").unwrap_or_else(|| "nvcc".into());
    let mut made_of = DefaultHasher::new();
    (version(&nvcc, NO_NVCC), FLAGS).hash(&mut made_of);
    hash_sources(source.parent().unwrap(), &mut made_of);
    let stem = source.file_stem().unwrap().to_string_lossy();
    let file = format!("{stem}-{:016x}.ptx", made_of.finish());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    make(&file, |unfinished| {
        let mut command = Command::new(&nvcc);
        run(command.args(FLAGS).arg("-o").arg(unfinished).arg(source));
    });
    fs::read_to_string(file).unwrap()
}

/// The shared object of kernels that `source` writes or names, and of the shim. It is kept under a name that tells what it was made of,
/// so that tests compile only what has changed.
fn linked(
    stem: &str,
    mut made_of: DefaultHasher,
    of_kernels: &[&str],
    source: impl FnOnce(&Path) -> PathBuf,
) -> PathBuf {
    let compiler = compiler();
    let flags = flags();
    (version(&compiler, NO_COMPILER), &flags, of_kernels).hash(&mut made_of);
    hash_sources(&shim_folder(), &mut made_of);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join(format!("{stem}-{:016x}.so", made_of.finish()));
    make(&library, |linked| {
        let object = beside(linked, "kernels.o");
        let shim = beside(linked, "shim.o");
        let kernels = source(linked);
        compile(&compiler, &[&flags, of_kernels].concat(), &kernels, &object);
        let optimised = [&flags[..], &["-O2"]].concat();
        compile(
            &compiler,
            &optimised,
            &shim_folder().join("shim.cpp"),
            &shim,
        );
        let mut link = Command::new(&compiler);
        link.args(["-shared", "-pthread", "-o"]);
        run(link.arg(linked).args([&object, &shim]));
        for left in [object, shim] {
            fs::remove_file(left).unwrap();
        }
        if kernels.parent() == Some(folder) {
            fs::remove_file(kernels).unwrap();
        }
    });
    library
}

/// `libcuda.so.1` in a folder of its own, which programs open where `LD_LIBRARY_PATH` names the folder. The kernels, as nvcc has translated
/// them, and the shim lie in a library beside it.
#[cfg(feature = "cuda")]
fn compiled_stand_in(sources_in: &Path) -> PathBuf {
    const NAME: &str = "libcuda.so.1";
    let kernels = compiled_ptx("module", &ptx_of(&module()), false);
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
        let mut command = Command::new(compiler());
        command.args(flags());
        command.args(["-O2", "-shared", "-o"]).arg(linked);
        command.arg(format!("-Wl,-soname,{NAME}"));
        let headers = Some("hpp".as_ref());
        command.args(files.iter().filter(|file| file.extension() != headers));
        run(command.arg(kernels));
    });
    library
}

/// Makes a file that is not there yet. Another process may be making the same: only what is whole gets the file's name. Threads of this
/// one wait for each other.
fn make(file: &Path, write: impl FnOnce(&Path)) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if !file.exists() {
        let unfinished = beside(file, &std::process::id().to_string());
        write(&unfinished);
        fs::rename(&unfinished, file).unwrap();
    }
}

/// `FILE.END`.
fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

/// Arithmetic as it is written: a fused multiply-add is one where the kernel asks for it and nowhere else.
fn flags() -> Vec<&'static str> {
    let mut flags = vec![
        "-std=c++17",
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

fn compiler() -> OsString {
    std::env::var_os("CXX").unwrap_or_else(|| "c++".into())
}

const NO_COMPILER: &str = "the tests of the kernels for GPUs need a C++17 compiler: Debian and Ubuntu have it in the package g++, Fedora \
                           in gcc-c++, macOS in the Xcode command line tools; CXX names another";

/// A compiler's own description, which also tells that it is there; `missing` says what to do where it is not.
fn version(compiler: &OsString, missing: &str) -> String {
    match Command::new(compiler).arg("--version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => panic!("{compiler:?} does not start: {error}; {missing}"),
    }
}

fn hash_sources(folder: &Path, made_of: &mut DefaultHasher) {
    for file in sources(folder) {
        file.hash(made_of);
        fs::read(file).unwrap().hash(made_of);
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

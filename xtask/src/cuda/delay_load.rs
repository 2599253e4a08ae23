//! Archives that stand in for CUDA's libraries at link time: `libNAME.a` opens its library on the first call.
//!
//! candle asks the linker for five shared libraries, and a binary that names them ends before its first line where they are
//! not. With these archives it names none: a call that finds no library returns a status, which cudarc makes an error.

use super::functions::{Returns, declared};
use super::shell;
use super::version::Version;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = include_str!("delay_load.c");

/// One of CUDA's libraries.
struct Library {
    /// The module of cudarc that declares its functions.
    module: &'static str,
    /// What the linker is asked for.
    name: &'static str,
    /// The number behind `.so.`; none where it is that of the CUDA release.
    number: Option<u32>,
    /// The status when it is not there: a value that its enum has.
    status: u32,
}

const LIBRARIES: [Library; 5] = [
    Library {
        module: "driver",
        name: "cuda",
        number: Some(1),
        // CUDA_ERROR_STUB_LIBRARY: no driver. The real driver says CUDA_ERROR_NO_DEVICE where no GPU is.
        status: 34,
    },
    Library {
        module: "cublas",
        name: "cublas",
        number: None,
        // CUBLAS_STATUS_NOT_INITIALIZED
        status: 1,
    },
    Library {
        module: "cublaslt",
        name: "cublasLt",
        number: None,
        // CUBLAS_STATUS_NOT_INITIALIZED
        status: 1,
    },
    Library {
        module: "curand",
        name: "curand",
        number: Some(10),
        // CURAND_STATUS_INITIALIZATION_FAILED
        status: 203,
    },
    Library {
        module: "nvrtc",
        name: "nvrtc",
        number: None,
        // NVRTC_ERROR_INTERNAL_ERROR
        status: 11,
    },
];

/// Writes an archive for each library into `folder`, and an empty one for the CUDA runtime: candle asks the linker for it, and
/// nothing that is built calls it.
///
/// # Errors
/// If cudarc's sources are not as expected, or gcc fails.
pub(super) fn write_all(folder: &Path, cudarc: &Path, version: Version) -> Result<()> {
    for library in &LIBRARIES {
        let path = cudarc.join("src").join(library.module).join("sys/mod.rs");
        let source =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let functions = declared(&source);
        if functions.is_empty() {
            bail!(
                "expected declarations `fn NAME(...);`, found none in {}",
                path.display()
            );
        }
        let number = library.number.unwrap_or(version.major);
        let file = format!("lib{}.so.{number}", library.name);
        write(folder, library.name, &file, library.status, &functions)?;
    }
    let runtime = folder.join("libcudart.a");
    fs::write(&runtime, "!<arch>\n").with_context(|| format!("writing {}", runtime.display()))
}

/// Writes `FOLDER/libNAME.a`, whose functions open `file`, and return `status` when it is not there.
///
/// # Errors
/// If gcc fails, or this is no x86-64.
fn write(
    folder: &Path,
    name: &str,
    file: &str,
    status: u32,
    functions: &BTreeMap<&str, Returns>,
) -> Result<()> {
    let at = |ending: &str| folder.join(format!("{name}{ending}"));
    let (source, list, object) = (at(".c"), at(".functions"), at(".o"));
    fs::write(&source, SOURCE).with_context(|| format!("writing {}", source.display()))?;
    fs::write(&list, lines(functions)).with_context(|| format!("writing {}", list.display()))?;
    let mut compile = Command::new("gcc");
    compile
        .args(["-c", "-O2", "-fPIC"])
        .arg(format!("-DLIBRARY=\"{file}\""))
        .arg(format!("-DSTATUS={status}"))
        .arg(format!("-DFUNCTIONS=\"{name}.functions\""))
        .arg("-o")
        .args([&object, &source]);
    shell::output(&mut compile, "install gcc, which Rust links with too")?;
    let archive = folder.join(format!("lib{name}.a"));
    let mut collect = Command::new("ar");
    collect.arg("rcs").args([&archive, &object]);
    shell::output(&mut collect, "install binutils, which come with gcc")?;
    for made in [source, list, object] {
        fs::remove_file(&made).with_context(|| format!("removing {}", made.display()))?;
    }
    Ok(())
}

fn lines(functions: &BTreeMap<&str, Returns>) -> String {
    let line = |(name, returns): (&&str, &Returns)| match returns {
        Returns::Status => format!("RETURNS_STATUS({name})\n"),
        Returns::Text => format!("RETURNS_TEXT({name})\n"),
        Returns::Other => format!("RETURNS_OTHER({name})\n"),
    };
    functions.iter().map(line).collect()
}

#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::super::scratch::Folder;
    use super::*;

    const FAKE: &str = "\
int fakeSum(int a, int b, int c, int d, int e, int f, double g, float h, long i, char j, double k) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * (int)g + 8 * (int)h + 9 * (int)i + 10 * j + 11 * (int)k;
}
const char *fakeName(int status) { return status == 5 ? \"five\" : \"other\"; }
";

    const PROGRAM: &str = "\
#include <stdio.h>
int fakeSum(int, int, int, int, int, int, double, float, long, char, double);
const char *fakeName(int);
long fakeSize(void);
int fakeNew(int);
int main(void) {
    for (int i = 0; i < 2; i++)
        printf(\"%d %s %ld %d\\n\", fakeSum(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), fakeName(5), fakeSize(), fakeNew(1));
}
";

    /// What the program prints that is linked with the archive alone.
    fn printed(folder: &Folder) -> String {
        let functions = BTreeMap::from([
            ("fakeSum", Returns::Status),
            ("fakeName", Returns::Text),
            ("fakeSize", Returns::Other),
            ("fakeNew", Returns::Status),
            ("fakeNeverCalled", Returns::Status),
        ]);
        write(folder.path(), "fake", "libfake.so.7", 34, &functions).unwrap();
        folder.write("program.c", PROGRAM);
        folder.gcc("-O2 -pie -fPIE -o program program.c -L. -lfake -Wl,--gc-sections -ldl");
        let mut program = Command::new(folder.path().join("program"));
        shell::output(program.env("LD_LIBRARY_PATH", folder.path()), "").unwrap()
    }

    #[test]
    fn a_call_reaches_the_library_with_every_argument() {
        let folder = Folder::new("delay-load-there");
        folder.write("fake.c", FAKE);
        folder.gcc("-shared -fPIC -o libfake.so.7 fake.c");
        // The library has no fakeSize and no fakeNew, as an older release would not.
        assert_eq!(printed(&folder), "506 five 0 34\n".repeat(2));
    }

    #[test]
    fn a_call_without_the_library_returns_a_status() {
        let folder = Folder::new("delay-load-absent");
        let line = "34 libfake.so.7 is not there 0 34\n";
        assert_eq!(printed(&folder), line.repeat(2));
    }

    #[test]
    fn the_linker_finds_an_archive_for_all_that_candle_asks_for() {
        let folder = Folder::new("delay-load-all");
        let declaration = "        fn fakeOpen() -> fakeStatus_t;\n";
        for library in &LIBRARIES {
            folder.write(&format!("src/{}/sys/mod.rs", library.module), declaration);
        }
        write_all(folder.path(), folder.path(), super::super::version::NEWEST).unwrap();
        folder.write(
            "program.c",
            "int fakeOpen(void); int main(void) { return fakeOpen(); }\n",
        );
        for (library, code) in [("cuda", 34), ("cublas", 1), ("curand", 203), ("nvrtc", 11)] {
            folder.gcc(&format!(
                "-o program program.c -L. -l{library} -lcudart -ldl"
            ));
            let ended = Command::new(folder.path().join("program"))
                .status()
                .unwrap();
            assert_eq!(ended.code(), Some(code), "{library}");
        }
    }
}

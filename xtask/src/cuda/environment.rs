//! The variables that the build scripts of candle, cudarc and asap-kernels read.

use super::shell;
use super::version::Version;
use anyhow::Result;
use std::path::Path;

/// Variables of a build.
pub(super) struct Environment {
    home: String,
    nvcc: String,
    release: String,
    threads: String,
}

impl Environment {
    /// The variables for the archives under `home` and the compiler `nvcc`.
    ///
    /// # Errors
    /// If a path is no UTF-8.
    pub(super) fn new(home: &Path, nvcc: &Path, version: Version) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            home: shell::text(home)?,
            nvcc: shell::text(nvcc)?,
            release: (1000 * version.major + 10 * version.minor).to_string(),
            threads: threads.to_string(),
        })
    }

    /// Names and values.
    pub(super) fn variables(&self) -> [(&str, &str); 6] {
        [
            // cudarc links what lies in lib64 of either.
            ("CUDA_HOME", &self.home),
            ("CUDA_PATH", &self.home),
            // candle's kernels and ours are compiled by it.
            ("NVCC", &self.nvcc),
            // cudarc would ask the nvcc in PATH, and candle a GPU. What is left of candle's kernels is PTX, and that of 8.0 runs
            // on every GPU that ours run on.
            ("CUDARC_CUDA_VERSION", &self.release),
            ("CUDA_COMPUTE_CAP", "80"),
            // candle would take half of them.
            ("CUDAFORGE_THREADS", &self.threads),
        ]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_release_is_spelled_as_cudarc_reads_it() {
        for (major, minor, spelled) in [(13, 0, "13000"), (12, 8, "12080")] {
            let version = Version { major, minor };
            let environment = Environment::new(Path::new("h"), Path::new("n"), version).unwrap();
            assert!(
                environment
                    .variables()
                    .contains(&("CUDARC_CUDA_VERSION", spelled))
            );
        }
    }
}

//! Which nvcc this is, and whether asap can be built with it.

use anyhow::{Context, Result, bail};
use std::fmt;

/// Release of a CUDA toolkit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
}

/// The oldest release that is taken.
const OLDEST: Version = Version {
    major: 12,
    minor: 0,
};
/// The newest release that is taken, and the one that the wheels have.
pub(super) const NEWEST: Version = Version {
    major: 13,
    minor: 0,
};

impl Version {
    /// Reads what `nvcc --version` prints: `..., release 13.0, V13.0.88`.
    ///
    /// # Errors
    /// If there is no release in it.
    pub(super) fn of_nvcc(printed: &str) -> Result<Self> {
        let expected = || format!("expected `release MAJOR.MINOR` from nvcc, found {printed:?}");
        let (_, after) = printed.split_once("release ").with_context(expected)?;
        let number = after.split([',', '\n']).next().unwrap_or(after);
        let (major, minor) = number.trim().split_once('.').with_context(expected)?;
        Ok(Self {
            major: major.parse().with_context(expected)?,
            minor: minor.parse().with_context(expected)?,
        })
    }

    /// Says why asap is not built with this release.
    ///
    /// # Errors
    /// If it is too old or too new.
    pub(super) fn must_fit(self) -> Result<()> {
        if self < OLDEST {
            bail!("nvcc {self} is older than {OLDEST}, the first release that is tried");
        }
        if self > NEWEST {
            bail!(
                "nvcc {self} is newer than {NEWEST}: the PTX it writes, which GPUs after sm_90 run, \
                 is refused by the drivers of CUDA {NEWEST}"
            );
        }
        Ok(())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn version(major: u32, minor: u32) -> Version {
        Version { major, minor }
    }

    #[test]
    fn the_release_is_read_from_what_nvcc_prints() {
        let printed = "nvcc: NVIDIA (R) Cuda compiler driver\nBuilt on Wed_Aug_20_01:58:59_PM_PDT_2025\n\
                       Cuda compilation tools, release 13.0, V13.0.88\nBuild cuda_13.0.r13.0/compiler.36424714_0\n";
        assert_eq!(Version::of_nvcc(printed).unwrap(), version(13, 0));
        let ending = "Cuda compilation tools, release 12.10\n";
        assert_eq!(Version::of_nvcc(ending).unwrap(), version(12, 10));
    }

    #[test]
    fn what_is_no_nvcc_is_said_with_what_it_printed() {
        for printed in ["", "gcc 12", "release x.y,", "release 13"] {
            let error = Version::of_nvcc(printed).unwrap_err().to_string();
            assert!(error.contains(&format!("{printed:?}")), "{error}");
        }
    }

    #[test]
    fn releases_from_12_0_to_13_0_fit() {
        for good in [version(12, 0), version(12, 9), version(13, 0)] {
            assert!(good.must_fit().is_ok(), "{good}");
        }
        let old = version(11, 8).must_fit().unwrap_err().to_string();
        assert!(old.contains("11.8 is older than 12.0"), "{old}");
        let new = version(13, 1).must_fit().unwrap_err().to_string();
        assert!(
            new.contains("13.1 is newer than 13.0") && new.contains("driver"),
            "{new}"
        );
    }
}

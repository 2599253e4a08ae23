//! How much memory the process holds and the machine has, as Linux tells it in `/proc`.
//!
//! Other systems answer `None`: figures are then absent and plans are not refused.

use std::fs;

const KIB: u64 = 1024;

/// Bytes of memory that the process holds now (`VmRSS`).
pub fn resident_bytes() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// The most bytes of memory that the process has held so far (`VmHWM`).
pub fn peak_resident_bytes() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Bytes of memory that a new job could take without swapping (`MemAvailable`).
pub fn available_bytes() -> Option<u64> {
    field(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// `bytes` in MiB, the unit of every memory figure in a run's files.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / (KIB * KIB) as f64
}

/// The value in bytes of a line such as `VmRSS:     1234 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number = line.trim().strip_suffix("kB")?.trim();
    Some(number.parse::<u64>().ok()? * KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_becomes_bytes() {
        let text = "Name:\tasap\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t3\n";
        assert_eq!(field(text, "VmRSS:"), Some(1 << 20));
        assert_eq!(field(text, "VmHWM:"), Some(2 << 20));
        assert_eq!(field(text, "Threads:"), None, "a count is no size");
        assert_eq!(field(text, "VmSwap:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_what_is_held_and_what_is_free() {
        let held = resident_bytes().zip(peak_resident_bytes());
        assert!(
            held.is_some_and(|(now, peak)| 0 < now && now <= peak),
            "{held:?}"
        );
        assert!(available_bytes().is_some_and(|bytes| bytes > 0));
    }
}

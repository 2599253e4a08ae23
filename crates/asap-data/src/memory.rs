//! How much of the machine's memory decoded pictures may take.

use std::fs;

/// One part in so many of what is available.
const SHARE_OF_AVAILABLE: u64 = 4;
/// Where the system does not say what is available.
const UNKNOWN: u64 = 2 << 30;

/// The most bytes that a data set of pictures is held in memory with: a quarter of what is available
/// now (`MemAvailable`), or 2 GiB on a system that does not say. What would take more is decoded on the fly.
pub(crate) fn share() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    available(&text).map_or(UNKNOWN, |bytes| bytes / SHARE_OF_AVAILABLE)
}

fn available(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::available;

    #[test]
    fn what_is_available_is_read_in_bytes() {
        let text = "MemTotal:        100 kB\nMemAvailable:      40 kB\n";
        assert_eq!(available(text), Some(40 * 1024));
        assert_eq!(available("MemTotal: 100 kB\n"), None);
    }
}

//! Where a new run goes when nobody says: `runs/20261124-215852`, after the moment it starts.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder of a new run that starts now.
pub(crate) fn new_folder() -> PathBuf {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let name = moment(seconds);
    let runs = PathBuf::from("runs");
    // Another run may have started in the same second.
    let names = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}-{n}")));
    let mut free = names
        .map(|name| runs.join(name))
        .filter(|folder| !folder.exists());
    free.next().unwrap_or(runs)
}

/// `YYYYMMDD-HHMMSS` in UTC, `seconds` after the start of 1970.
fn moment(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

/// Year, month and day, `days` after 1970-01-01.
///
/// Counted in years that begin in March, so that the leap day is the last of a year; 400 of them are
/// 146,097 days, and the months from March have 153 days in every five.
fn date(days: u64) -> (u64, u64, u64) {
    // 0000-03-01 is 719,468 days before 1970-01-01.
    let days = days + 719_468;
    let (cycle, in_cycle) = (days / 146_097, days % 146_097);
    let year = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year + year / 4 - year / 100);
    let march_month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (cycle * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From GNU date: `date -u -d @SECONDS +%Y%m%d-%H%M%S`.
    #[test]
    fn a_moment_is_its_date_and_time() {
        for (seconds, expected) in [
            (0, "19700101-000000"),
            (951_782_399, "20000228-235959"),
            (951_868_800, "20000301-000000"),
            (1_709_164_800, "20240229-000000"),
            (1_795_557_532, "20261124-215852"),
            (4_107_542_400, "21000301-000000"),
        ] {
            assert_eq!(moment(seconds), expected);
        }
    }
}

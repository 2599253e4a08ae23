//! Numbers as people read and write them.

use asap_train::Costs;

/// `12 s`, `3 min 20 s`, `2 h 05 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0 if seconds > 0.0 => format!("{:.0} ms", seconds * 1e3),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// `512 B`, `1.5 MiB`, `12.0 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1,930,618`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The memory and the disk that a network takes.
pub(crate) fn costs(costs: &Costs) -> String {
    format!(
        "{} of activations for a training step of {} images, {} for classifying one; \
         {} on disk as f32, {} as f16",
        bytes(costs.training_activation_bytes),
        costs.batch,
        bytes(costs.inference_activation_bytes),
        bytes(costs.disk_f32_bytes),
        bytes(costs.disk_f16_bytes),
    )
}

/// A share from 0 to 1 as `91.23 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Seconds of a duration as people write it: `90s`, `30m`, `1h30m`.
///
/// # Errors
/// If the text is anything else, with what was expected.
pub(crate) fn parse_duration(text: &str) -> Result<f64, String> {
    let expected = || format!("expected a time such as 90s, 30m or 1h30m, found `{text}`");
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = rest.split_at(number_ends.ok_or_else(expected)?);
        let factor = match unit.chars().next() {
            Some('h') => 3600.0,
            Some('m') => 60.0,
            Some('s') => 1.0,
            _ => return Err(expected()),
        };
        seconds += factor * number.parse::<f64>().map_err(|_| expected())?;
        rest = &unit[1..];
    }
    if seconds > 0.0 {
        Ok(seconds)
    } else {
        Err(expected())
    }
}

/// A side of an image as people write it: a whole number of pixels, at least 1.
///
/// # Errors
/// If the text is anything else, with what was expected.
pub(crate) fn parse_pixels(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(pixels) if pixels > 0 => Ok(pixels),
        _ => Err(format!(
            "expected a number of pixels, at least 1, found `{text}`"
        )),
    }
}

/// A difference as `2.1e-5`, `0.25` or `0`.
pub(crate) fn difference(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        0.01.. => format!("{value:.2}"),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [
            (0.02, "20 ms"),
            (12.4, "12 s"),
            (59.6, "1 min 00 s"),
            (200.0, "3 min 20 s"),
            (7500.0, "2 h 05 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn bytes_have_the_unit_that_fits() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(3 << 19), "1.5 MiB");
        assert_eq!(bytes(12 << 30), "12.0 GiB");
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_930_618), "1,930,618");
    }

    #[test]
    fn a_written_duration_is_read_or_refused() {
        assert_eq!(parse_duration("90s"), Ok(90.0));
        assert_eq!(parse_duration("1h30m"), Ok(5400.0));
        assert_eq!(parse_duration("0.5h"), Ok(1800.0));
        for bad in ["", "30", "m", "-5m", "5 m", "5d", "0s", "1.2.3s", "5mé"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn differences_are_short_whether_large_or_small() {
        assert_eq!(
            [0.0, 2.14e-5, 0.25, 253.0].map(difference),
            ["0", "2.1e-5", "0.25", "253.00"]
        );
    }

    #[test]
    fn pixels_are_a_whole_number_above_0() {
        assert_eq!(parse_pixels("28"), Ok(28));
        for bad in ["0", "-1", "28.5", "28px", ""] {
            assert!(parse_pixels(bad).is_err(), "{bad}");
        }
    }
}

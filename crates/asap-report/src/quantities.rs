//! Numbers as people read them.

/// A share as per cent with two digits, `90.51 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A count with its thousands apart, `2,538,046`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A large count in short, `2.54 M`.
pub(crate) fn short(number: u64) -> String {
    let number = number as f64;
    match number {
        1e9.. => format!("{:.2} G", number / 1e9),
        1e6.. => format!("{:.2} M", number / 1e6),
        1e4.. => format!("{:.1} k", number / 1e3),
        _ => format!("{number}"),
    }
}

/// A size in memory or on disk, `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Seconds of a longer time, `6 min 12 s`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        3600.. => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
        60.. => format!("{} min {:02} s", whole / 60, whole % 60),
        10.. => format!("{whole} s"),
        _ => format!("{seconds:.1} s"),
    }
}

/// Seconds of a step, `12.3 ms`.
pub(crate) fn step_time(seconds: f64) -> String {
    if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{} ms", significant(seconds * 1e3))
    }
}

/// A number with three digits that count: `0.0123`, `3.1e-6`.
pub(crate) fn significant(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 || !number.is_finite() {
        return format!("{number}");
    }
    if number.fract() == 0.0 && size < 1e5 {
        return format!("{number}");
    }
    match size {
        1e5.. => format!("{number:.2e}"),
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        1.0.. => format!("{number:.2}"),
        0.1.. => format!("{number:.3}"),
        0.001.. => format!("{number:.4}"),
        _ => format!("{number:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_at_every_size() {
        assert_eq!(
            [0, 999, 1000, 2_538_046].map(count),
            ["0", "999", "1,000", "2,538,046"]
        );
        assert_eq!(
            [950, 12_345, 2_538_046, 7_100_000_000].map(short),
            ["950", "12.3 k", "2.54 M", "7.10 G"]
        );
        assert_eq!(
            [0.25, 42.4, 61.0, 4000.0].map(duration),
            ["0.2 s", "42 s", "1 min 01 s", "1 h 06 min"]
        );
        assert_eq!(
            [0.0123, 0.5, 2.0].map(step_time),
            ["12.3 ms", "500 ms", "2.00 s"]
        );
        let numbers = [0.0, 123.4, 1.234, -0.1234, 0.01234, 3.14e-6, f64::NAN].map(significant);
        assert_eq!(
            numbers,
            ["0", "123", "1.23", "-0.123", "0.0123", "3.1e-6", "NaN"]
        );
        assert_eq!(
            [512, 3 << 19, 12 << 30].map(bytes),
            ["0.5 KiB", "1.5 MiB", "12.0 GiB"]
        );
        assert_eq!(percent(0.90514), "90.51 %");
    }
}

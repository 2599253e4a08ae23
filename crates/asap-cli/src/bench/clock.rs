//! Wall time and CPU time of a piece of work.

use std::time::Instant;

/// Seconds that passed, and seconds that all threads of the process computed meanwhile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds {
    pub(super) wall: f64,
    /// Absent where the system does not tell.
    pub(super) cpu: Option<f64>,
}

/// What `work` returns and how long it took.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, Seconds) {
    let (cpu, wall) = (process_seconds(), Instant::now());
    let value = work();
    let wall = wall.elapsed().as_secs_f64();
    let cpu = process_seconds()
        .zip(cpu)
        .map(|(after, before)| after - before);
    (value, Seconds { wall, cpu })
}

/// CPU seconds of all threads of this process, those that ended included.
#[cfg(unix)]
fn process_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9)
}

#[cfg(not(unix))]
fn process_seconds() -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn cpu_time_counts_work_and_not_sleep() {
        let (_, asleep) = timed(|| std::thread::sleep(std::time::Duration::from_millis(50)));
        let (sum, awake) = timed(|| (0..200_000_000_u64).fold(1, |a: u64, b| a.rotate_left(5) ^ b));
        assert!(sum > 0);
        assert!(
            asleep.cpu.is_some_and(|cpu| cpu < asleep.wall),
            "{asleep:?}"
        );
        assert!(awake.cpu.is_some_and(|cpu| cpu > 0.0), "{awake:?}");
    }
}

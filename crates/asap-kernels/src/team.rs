//! A team of threads that run one function together, and the barrier they meet at.
//!
//! A step is a few hundred stages of some hundred microseconds; waking a thread for each would cost more than the
//! work. So the whole step runs on every thread of the team (each on its own images), and stages end at a barrier
//! that spins for a moment before it sleeps.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// How often a thread looks whether the others have come before it goes to sleep: about as long as a stage takes.
const SPINS: u32 = 4_000;

/// Where the threads of a team wait for one another.
pub(crate) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    generation: AtomicUsize,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    wake: Condvar,
}

impl Barrier {
    fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            bed: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Returns when every thread of the team has called it. Writes made before are visible after.
    pub(crate) fn wait(&self) {
        if self.threads == 1 {
            return;
        }
        let generation = self.generation.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            // Sequentially consistent with the sleeper's two steps below: either it sees the new generation, or it
            // is counted here.
            self.generation.fetch_add(1, Ordering::SeqCst);
            if self.sleepers.load(Ordering::SeqCst) > 0 {
                drop(self.bed.lock().unwrap_or_else(PoisonError::into_inner));
                self.wake.notify_all();
            }
            return;
        }
        for _ in 0..SPINS {
            if self.generation.load(Ordering::Acquire) != generation {
                return;
            }
            std::hint::spin_loop();
        }
        // More threads than processors, or somebody else's program: a thread that spins would keep the one it waits
        // for from running.
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        while self.generation.load(Ordering::SeqCst) == generation {
            bed = self.wake.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        drop(bed);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

type Job = *const (dyn Fn(usize) + Sync);

/// A job's address on its way to the workers.
#[derive(Clone, Copy)]
struct Posted(Job);
// SAFETY: the function behind it is `Sync`, and `Team::run` keeps it alive until every worker is done with it.
unsafe impl Send for Posted {}

struct Board {
    job: Option<Posted>,
    /// Counts jobs, so that a worker takes each once.
    number: usize,
    running: usize,
    closed: bool,
}

struct Shared {
    board: Mutex<Board>,
    posted: Condvar,
    done: Condvar,
}

/// Threads that wait for jobs; the caller is thread 0.
pub(crate) struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    barrier: Barrier,
}

impl Team {
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            board: Mutex::new(Board {
                job: None,
                number: 0,
                running: 0,
                closed: false,
            }),
            posted: Condvar::new(),
            done: Condvar::new(),
        });
        let mut team = Self {
            shared,
            workers: Vec::new(),
            barrier: Barrier::new(threads),
        };
        for thread in 1..threads {
            let shared = Arc::clone(&team.shared);
            let name = format!("asap-{thread}");
            let worker = std::thread::Builder::new()
                .name(name)
                .spawn(move || work(&shared, thread))?;
            team.workers.push(worker);
        }
        Ok(team)
    }

    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    pub(crate) fn barrier(&self) -> &Barrier {
        &self.barrier
    }

    /// Runs `job` with every thread's number, on every thread at once. `&mut`: one job at a time.
    pub(crate) fn run(&mut self, job: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() {
            return job(0);
        }
        // SAFETY: only the lifetime changes; this function returns after every worker is done with `job`.
        let forever = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        {
            let mut board = self
                .shared
                .board
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            board.job = Some(Posted(forever));
            board.number += 1;
            board.running = self.workers.len();
            self.shared.posted.notify_all();
        }
        let abort = AbortOnPanic;
        job(0);
        std::mem::forget(abort);
        let mut board = self
            .shared
            .board
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while board.running > 0 {
            board = self
                .shared
                .done
                .wait(board)
                .unwrap_or_else(PoisonError::into_inner);
        }
        board.job = None;
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared
            .board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.shared.posted.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has ended the process already.
            drop(worker.join());
        }
    }
}

/// A thread that panics would leave the others at a barrier for ever: end the process instead.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        std::process::abort();
    }
}

fn work(shared: &Shared, thread: usize) {
    let mut seen = 0;
    loop {
        let job = {
            let mut board = shared.board.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if board.closed {
                    return;
                }
                match board.job {
                    Some(job) if board.number != seen => {
                        seen = board.number;
                        break job;
                    }
                    _ => {
                        board = shared
                            .posted
                            .wait(board)
                            .unwrap_or_else(PoisonError::into_inner)
                    }
                }
            }
        };
        let abort = AbortOnPanic;
        // SAFETY: `Team::run` waits for `running` to reach 0 before the function behind the pointer goes.
        unsafe { (*job.0)(thread) };
        std::mem::forget(abort);
        let mut board = shared.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.running -= 1;
        if board.running == 0 {
            shared.done.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn every_thread_runs_each_job_once_and_sees_what_the_others_wrote_before_the_barrier() {
        for threads in [1, 2, 3, 5] {
            let mut team = Team::new(threads).unwrap();
            for round in 0..50 {
                let cells: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
                let sums: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
                let barrier = Barrier::new(threads);
                team.run(&|thread| {
                    cells[thread].fetch_add(thread + round + 1, Ordering::Relaxed);
                    barrier.wait();
                    let sum = cells.iter().map(|c| c.load(Ordering::Relaxed)).sum();
                    sums[thread].store(sum, Ordering::Relaxed);
                });
                let expected: usize = (0..threads).map(|t| t + round + 1).sum();
                assert!(sums.iter().all(|s| s.load(Ordering::Relaxed) == expected));
            }
        }
    }
}

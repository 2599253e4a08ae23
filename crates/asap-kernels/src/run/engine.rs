//! A plan with its buffers and threads.

use super::pass::{Pass, Wanted};
use super::worker::{Shared, Worker};
use crate::error::Error;
use crate::memory::Memory;
use crate::plan::Plan;
use crate::table::Level;
use crate::team::{Barrier, Team};

/// Everything that a step writes to.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) arena: Memory,
    pub(super) transposed: Vec<f32>,
    /// Per thread: scratch, vectors, gradients, in this order.
    pub(super) private: Memory,
    pub(super) private_len: usize,
    pub(super) sums: Vec<f64>,
    /// Per image: logits, or a tensor on its way out.
    pub(super) outputs: Vec<f32>,
    pub(super) op_weight_gradients: Vec<f64>,
    /// Per thread: loss, correct.
    pub(super) results: Vec<[f64; 2]>,
}

impl Buffers {
    fn new(plan: &Plan, threads: usize) -> Result<Self, Error> {
        let scratch = 2 * plan.scratch.tile + 3 * plan.scratch.image + 4 * plan.scratch.chunk;
        let private_len = (scratch + plan.vectors_len + plan.slab_len).next_multiple_of(64);
        let memory = |len: usize| {
            let bytes = 4 * len as u64;
            Memory::zeroed(len).map_err(|source| Error::Memory { bytes, source })
        };
        Ok(Self {
            arena: memory(plan.training.len.max(plan.inference.len))?,
            transposed: vec![0.0; plan.transposed_len],
            private: memory(threads * private_len)?,
            private_len,
            sums: vec![0.0; threads * plan.sums_len],
            outputs: vec![0.0; plan.batch * plan.output_len()],
            op_weight_gradients: vec![0.0; plan.op_weights],
            results: vec![[0.0; 2]; threads],
        })
    }
}

/// A plan with its buffers and threads.
pub struct Engine {
    pub(super) plan: Plan,
    pub(super) level: Level,
    pub(super) team: Team,
    pub(super) buffers: Buffers,
}

impl Engine {
    /// Buffers and threads for a plan.
    ///
    /// # Errors
    /// If threads cannot be started, memory is short, or the processor lacks `level`.
    pub fn new(plan: Plan, level: Level, threads: usize) -> Result<Self, Error> {
        let threads = threads.max(1);
        if !level.is_available() {
            return Err(Error::Level { level });
        }
        let team = Team::new(threads).map_err(|source| Error::Threads { threads, source })?;
        Ok(Self {
            level,
            team,
            buffers: Buffers::new(&plan, threads)?,
            plan,
        })
    }

    /// Takes another plan: the buffers of the old one go before those of the new one come.
    ///
    /// # Errors
    /// If the system has not the memory; the engine is of no use then.
    pub fn replace(&mut self, plan: Plan) -> Result<(), Error> {
        self.buffers = Buffers::default();
        self.buffers = Buffers::new(&plan, self.team.threads())?;
        self.plan = plan;
        Ok(())
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Gradient of the loss in every op weight, as the last step that wanted them found it.
    pub fn op_weight_gradients(&self) -> &[f64] {
        &self.buffers.op_weight_gradients
    }

    pub(super) fn run(
        &mut self,
        pass: Pass<'_>,
        labels: &[u32],
        writes: Writes<'_>,
        images: usize,
        mode: Mode,
    ) {
        let plan = &self.plan;
        let threads = self.team.threads();
        let scratch = plan.scratch;
        let arrangement = if mode.train {
            &plan.training
        } else {
            &plan.inference
        };
        let buffers = &arrangement.buffers[..];
        let shared = Shared {
            private: self.buffers.private.as_mut_ptr(),
            sums: self.buffers.sums.as_mut_ptr(),
            arena: self.buffers.arena.as_mut_ptr(),
            transposed: self.buffers.transposed.as_mut_ptr(),
            statistics: writes.statistics.as_mut_ptr(),
            gradients: writes.gradients.as_mut_ptr(),
            outputs: self.buffers.outputs.as_mut_ptr(),
            op_weight_gradients: self.buffers.op_weight_gradients.as_mut_ptr(),
            results: self.buffers.results.as_mut_ptr(),
        };
        let (private_len, level) = (self.buffers.private_len, self.level);
        // Two borrows of the team: the barrier outlives the call, `run` takes the whole.
        let barrier: *const Barrier = self.team.barrier();
        let barrier = SyncPointer(barrier);
        self.team.run(&|thread| {
            let (shared, barrier) = (&shared, &barrier);
            // SAFETY: every thread has its own `private_len` f32 and `sums_len` f64; the barrier lives in the team,
            // which is borrowed during this call.
            let (private, barrier) =
                unsafe { (shared.private.add(thread * private_len), &*barrier.0) };
            let tiles = 2 * scratch.tile;
            let areas = tiles + 3 * scratch.image;
            // SAFETY: the areas lie one after another in the private memory, in the order of `Engine::new`.
            let worker = unsafe {
                Worker {
                    plan,
                    level,
                    barrier,
                    buffers,
                    pass,
                    labels,
                    mode,
                    shared,
                    thread,
                    threads,
                    private_len,
                    batch: images,
                    images: images * thread / threads..images * (thread + 1) / threads,
                    tile: private,
                    gradient_tile: private.add(scratch.tile),
                    image: [0, 1, 2].map(|i| private.add(tiles + i * scratch.image)),
                    chunk: [0, 1, 2, 3].map(|i| private.add(areas + i * scratch.chunk)),
                    vectors: private.add(areas + 4 * scratch.chunk),
                    gradients: private.add(areas + 4 * scratch.chunk + plan.vectors_len),
                    sums: shared.sums.add(thread * plan.sums_len),
                }
            };
            worker.run();
        });
    }
}

#[derive(Clone, Copy)]
pub(super) struct Mode {
    pub(super) train: bool,
    pub(super) wanted: Wanted,
    pub(super) part: Part,
}

/// Which of a plan's tasks run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Forward,
    /// After `Forward`, on what that left in the buffers.
    Backward,
}

/// What a pass changes outside the engine.
pub(super) struct Writes<'a> {
    pub(super) statistics: &'a mut [f32],
    pub(super) gradients: &'a mut [f32],
}

struct SyncPointer(*const Barrier);
// SAFETY: a barrier is made to be shared; the pointer is only read.
unsafe impl Sync for SyncPointer {}

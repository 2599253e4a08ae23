//! Runs a plan: forward and backward over buffers laid out once.
//!
//! Every thread runs every task on its own images; tasks that need sums over all images come after a barrier and are
//! computed by every thread for itself, from the threads' partial sums in a fixed order. So results are the same bit
//! for bit for the same number of threads, and nobody waits for one thread's serial part.

mod auxiliary;
mod backward;
mod coefficients;
mod dense;
mod doors;
mod drop_path;
mod forward;
mod head;
mod pass;
mod stem;

pub use pass::{Outcome, Pass};

use std::ops::Range;

use crate::error::Error;
use crate::memory::Memory;
use crate::plan::{BufferAt, Norm, Place, Plan, Task, View};
use crate::table::{Level, Table};
use crate::team::{Barrier, Team};

/// Whose gradients a step computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Of the weights: also updates the running statistics.
    Weights,
    /// Of the op weights.
    OpWeights,
    /// Of both: also updates the running statistics.
    Both,
}

impl Wanted {
    pub(crate) fn weights(self) -> bool {
        self != Self::OpWeights
    }
    pub(crate) fn op_weights(self) -> bool {
        self != Self::Weights
    }
}

/// Everything that a step writes to.
#[derive(Default)]
struct Buffers {
    arena: Memory,
    transposed: Vec<f32>,
    /// Per thread: scratch, vectors, gradients, in this order.
    private: Memory,
    private_len: usize,
    sums: Vec<f64>,
    /// Per image: logits, or a tensor on its way out.
    outputs: Vec<f32>,
    op_weight_gradients: Vec<f64>,
    /// Per thread: loss, correct.
    results: Vec<[f64; 2]>,
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
    plan: Plan,
    level: Level,
    team: Team,
    buffers: Buffers,
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

    fn run(
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
struct Mode {
    train: bool,
    wanted: Wanted,
    part: Part,
}

/// Which of a plan's tasks run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Forward,
    /// After `Forward`, on what that left in the buffers.
    Backward,
}

/// What a pass changes outside the engine.
struct Writes<'a> {
    statistics: &'a mut [f32],
    gradients: &'a mut [f32],
}

struct SyncPointer(*const Barrier);
// SAFETY: a barrier is made to be shared; the pointer is only read.
unsafe impl Sync for SyncPointer {}

/// What threads write to, each its own part.
struct Shared {
    private: *mut f32,
    sums: *mut f64,
    arena: *mut f32,
    transposed: *mut f32,
    statistics: *mut f32,
    gradients: *mut f32,
    outputs: *mut f32,
    op_weight_gradients: *mut f64,
    results: *mut [f64; 2],
}
// SAFETY: threads write disjoint parts: their images of the arena and the outputs, their private memory and sums, their
// share of parameters and transposes; statistics and op weight gradients are thread 0's. What others read, they read
// after a barrier.
unsafe impl Sync for Shared {}

/// One thread's view of a pass.
struct Worker<'a> {
    plan: &'a Plan,
    /// Where they lie in this pass.
    buffers: &'a [BufferAt],
    level: Level,
    barrier: &'a Barrier,
    pass: Pass<'a>,
    labels: &'a [u32],
    mode: Mode,
    shared: &'a Shared,
    thread: usize,
    threads: usize,
    /// f32 from a thread's private memory to the next thread's.
    private_len: usize,
    /// Images of the batch, and this thread's among them.
    batch: usize,
    images: Range<usize>,
    tile: *mut f32,
    gradient_tile: *mut f32,
    image: [*mut f32; 3],
    chunk: [*mut f32; 4],
    vectors: *mut f32,
    gradients: *mut f32,
    sums: *mut f64,
}

/// A tensor of one image as a task sees it.
#[derive(Clone, Copy)]
struct Image {
    at: *mut f32,
    pixel: usize,
}

impl Worker<'_> {
    fn run(&self) {
        // SAFETY: this thread's own sums.
        unsafe { self.sums.write_bytes(0, self.plan.sums_len) };
        if self.mode.train {
            self.start_step();
        } else {
            let norms: Vec<usize> = (0..self.plan.norms.len()).collect();
            self.coefficients(&norms);
        }
        if self.mode.part != Part::Backward {
            for task in &self.plan.forward {
                self.task(task);
            }
        }
        if self.mode.part != Part::Forward {
            for task in &self.plan.backward {
                self.task(task);
            }
            if self.mode.wanted.weights() {
                self.barrier.wait();
                self.reduce_gradients();
            }
        }
    }

    fn task(&self, task: &Task) {
        let plan = self.plan;
        // SAFETY: tasks come in the order of the plan, with a barrier wherever one reads what other threads wrote; all
        // places were allotted by the plan's builder for `plan.batch` images.
        unsafe {
            match task {
                Task::Barrier => {
                    if self.mode.train {
                        self.barrier.wait();
                    }
                }
                Task::Coefficients(norms) => {
                    if self.mode.train {
                        self.coefficients(norms);
                    }
                }
                Task::Stem => self.stem(plan.stem()),
                Task::Input(i) => self.input(&plan.inputs[*i]),
                Task::BankFirst(b) => self.bank_first(&plan.banks[*b]),
                Task::Pools(b) => self.pools_again(&plan.banks[*b]),
                Task::BankSecond(b) => self.bank_second(&plan.banks[*b]),
                Task::Node(n) => self.node(&plan.nodes[*n]),
                Task::Head => self.head(plan.head()),
                Task::Auxiliary(task) => self.auxiliary(plan.auxiliary(), *task),
                Task::Clear(place, size) => self.clear(*place, *size),
                Task::NodeSums(n) => self.node_sums(&plan.nodes[*n]),
                Task::NodeCoefficients(n) => self.node_coefficients(&plan.nodes[*n]),
                Task::PoolCoefficients(b) => self.pool_coefficients(&plan.banks[*b]),
                Task::BankSecondBack(b) => self.bank_second_back(&plan.banks[*b]),
                Task::InnerCoefficients(b) => self.inner_coefficients(&plan.banks[*b]),
                Task::SourceCoefficients { norm, sums } => self.source_coefficients(*norm, *sums),
                Task::BankFirstBack(b) => self.bank_first_back(&plan.banks[*b]),
                Task::InputBack(i) => self.input_back(&plan.inputs[*i]),
                Task::InputSums(i) => self.input_sums(&plan.inputs[*i]),
                Task::StemSums => self.stem_sums(plan.stem()),
                Task::StemBack => self.stem_back(plan.stem()),
                Task::Source => self.fill_source(plan.doors()),
                Task::Result => self.hand_out_result(plan.doors()),
                Task::ResultGradient => self.fill_result_gradient(plan.doors()),
                Task::SourceGradient => self.hand_out_source_gradient(plan.doors()),
            }
        }
    }

    /// Zeroes this thread's gradients, fills the vector of ones, transposes this thread's share of the kernels.
    fn start_step(&self) {
        let plan = self.plan;
        // SAFETY: the gradients are this thread's own, and every transpose is made by one thread.
        unsafe {
            if self.mode.wanted.weights() {
                self.gradients.write_bytes(0, plan.slab_len);
            }
            for i in 0..plan.ones_len {
                *self.vectors.add(plan.ones_vector + i) = 1.0;
            }
            if self.thread == 0 && self.mode.wanted.op_weights() {
                self.shared
                    .op_weight_gradients
                    .write_bytes(0, plan.op_weights);
            }
            for transpose in plan
                .transposes
                .iter()
                .skip(self.thread)
                .step_by(self.threads)
            {
                let from = &self.pass.parameters[transpose.from..];
                let to = self.shared.transposed.add(transpose.to);
                for row in 0..transpose.rows {
                    for column in 0..transpose.columns {
                        *to.add(column * transpose.rows + row) =
                            from[row * transpose.columns + column];
                    }
                }
            }
        }
    }

    /// Adds up the threads' gradients in the order of the threads, each parameter by one thread.
    fn reduce_gradients(&self) {
        let plan = self.plan;
        let stride = self.private_len;
        for parameter in plan
            .parameters
            .iter()
            .skip(self.thread)
            .step_by(self.threads)
        {
            let len = parameter.kind.slab_len();
            // SAFETY: the gradients of thread 0 lie `thread * stride` before this thread's; all threads have written
            // theirs before the barrier, and only this thread writes this parameter's sum.
            unsafe {
                let first = self
                    .gradients
                    .sub(self.thread * stride)
                    .add(parameter.offset);
                let out = std::slice::from_raw_parts_mut(
                    self.shared.gradients.add(parameter.offset),
                    len,
                );
                out.copy_from_slice(std::slice::from_raw_parts(first, len));
                for thread in 1..self.threads {
                    let other = std::slice::from_raw_parts(first.add(thread * stride), len);
                    for (sum, value) in out.iter_mut().zip(other) {
                        *sum += value;
                    }
                }
                parameter.kind.clear_foreign_columns(out);
            }
        }
    }

    fn table(&self, channels: usize) -> &'static Table {
        self.level.table(channels)
    }

    /// An image's tensor.
    ///
    /// # Safety
    /// `image` is this thread's.
    unsafe fn at(&self, place: Place, image: usize) -> Image {
        // SAFETY: the buffer holds `plan.batch` images from its offset on.
        let at = unsafe {
            let buffer = self.buffers[place.buffer];
            let arena = self.shared.arena.add(buffer.offset);
            arena.add(image * buffer.image + place.at)
        };
        Image {
            at,
            pixel: place.pixel,
        }
    }

    /// The coefficients that a view is read through, null where there are none.
    fn view_coefficients(&self, view: View) -> (*const f32, *const f32) {
        match view.norm {
            Some(norm) => {
                let norm: &Norm = &self.plan.norms[norm];
                (self.vector(norm.a_vector), self.vector(norm.b_vector))
            }
            None => (std::ptr::null(), std::ptr::null()),
        }
    }

    fn vector(&self, at: usize) -> *mut f32 {
        debug_assert!(at < self.plan.vectors_len);
        // SAFETY: vectors were allotted by the builder.
        unsafe { self.vectors.add(at) }
    }

    fn sum(&self, at: usize) -> *mut f64 {
        debug_assert!(at < self.plan.sums_len);
        // SAFETY: sums were allotted by the builder.
        unsafe { self.sums.add(at) }
    }

    fn parameter(&self, at: usize) -> *const f32 {
        self.pass.parameters[at..].as_ptr()
    }

    fn transposed(&self, at: usize) -> *const f32 {
        debug_assert!(at < self.plan.transposed_len);
        // SAFETY: transposes were allotted by the builder.
        unsafe { self.shared.transposed.add(at) }
    }

    fn gradient(&self, at: usize) -> *mut f32 {
        debug_assert!(at < self.plan.slab_len);
        // SAFETY: as the parameters.
        unsafe { self.gradients.add(at) }
    }

    /// Adds up a sum over the threads, in their order.
    ///
    /// # Safety
    /// A barrier lies between the last write to the sum and this.
    unsafe fn total(&self, at: usize) -> f64 {
        let mut total = 0.0;
        for thread in 0..self.threads {
            // SAFETY: every thread has its own `sums_len` sums.
            total += unsafe { *self.shared.sums.add(thread * self.plan.sums_len + at) };
        }
        total
    }
}

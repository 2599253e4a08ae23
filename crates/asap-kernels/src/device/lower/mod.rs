//! From a plan to launches, task by task.
//!
//! Sums over the batch are left in parts, one for each block that adds up; whoever reads them adds the parts in their order,
//! so that the same step gives the same bits.

mod auxiliary;
mod bank;
mod bank_back;
mod chain_back;
mod ends;
mod input;
mod node;
mod norms;
mod patches;
mod places;
mod product;
mod reductions;
mod tasks;

use std::collections::HashMap;

use super::abi::{self, Plain, THREADS};
use super::launch::{Launch, Precision, Work};
use super::memory::{Bases, Sizes};
use super::program::{Arena, Goal, Tables, Target};
use crate::error::Error;
use crate::layout::ParameterKind;
use crate::plan::{BufferAt, Plan};
use reductions::Parts;

/// Blocks for each multiprocessor: it runs two or four at a time, according to the kernel, and then all end together.
const BLOCKS: usize = 4;
/// Parts that any sum may have.
const MOST_PARTS: usize = 64;
/// Numbers in all parts of sums over channels, if they have more parts: one block adds them up.
const MOST_SUMS: usize = 1 << 14;
/// Numbers in all parts of a kernel's gradient, if it has more parts: they are written and read once more.
const MOST_PARTIALS: usize = 1 << 20;

/// A plan on its way to launches.
struct Lowering<'a> {
    plan: &'a Plan,
    goal: Goal,
    target: Target,
    bases: &'a Bases,
    buffers: &'a [BufferAt],
    /// Whether a buffer's values are bf16.
    half: &'a [bool],
    tables: &'a mut Tables,
    launches: Vec<Launch>,
    /// By place among the plan's sums.
    sums: HashMap<usize, abi::Sums>,
    sums_len: usize,
    /// f32 that the task under way has taken, and the most that one took.
    scratch: usize,
    most_scratch: usize,
    /// Of gradients of kernels.
    parts: Parts,
    /// By place in the slab.
    kinds: HashMap<usize, &'a ParameterKind>,
    /// Normalisations on their way back that nothing was launched after: they go together.
    norms_back: Vec<abi::NormBackward>,
}

/// The launches of a pass. `tables` and `sizes` grow by what they need.
pub(super) fn lower(
    plan: &Plan,
    arena: &Arena,
    goal: Goal,
    target: Target,
    bases: &Bases,
    tables: &mut Tables,
    sizes: &mut Sizes,
) -> Result<Vec<Launch>, Error> {
    let arrangement = match goal {
        Goal::Train(_) => &arena.training,
        Goal::Logits => &arena.inference,
    };
    let parameters = plan.parameters.iter();
    let mut lowering = Lowering {
        plan,
        goal,
        target,
        bases,
        buffers: &arrangement.buffers,
        half: &arena.half,
        tables,
        launches: Vec::new(),
        sums: HashMap::new(),
        sums_len: 0,
        scratch: 0,
        most_scratch: 0,
        parts: Parts::default(),
        kinds: parameters.map(|p| (p.offset, &p.kind)).collect(),
        norms_back: Vec::new(),
    };
    lowering.pass()?;
    sizes.sums = sizes.sums.max(lowering.sums_len);
    sizes.scratch = sizes.scratch.max(lowering.most_scratch);
    sizes.partials = sizes.partials.max(lowering.parts.most);
    Ok(lowering.launches)
}

impl Lowering<'_> {
    /// Appends a launch over `jobs`, after what waits to go together.
    fn launch<T: Plain>(
        &mut self,
        kernel: &'static str,
        grid: [usize; 2],
        shared_floats: usize,
        jobs: &[T],
        work: Work,
    ) {
        self.launch_norms_back();
        self.append(kernel, grid, shared_floats, jobs, work);
    }

    fn append<T: Plain>(
        &mut self,
        kernel: &'static str,
        [x, y]: [usize; 2],
        shared_floats: usize,
        jobs: &[T],
        work: Work,
    ) {
        let address = self.tables.push(jobs);
        self.launches.push(Launch {
            kernel,
            grid: [x.max(1) as u32, y.max(1) as u32, jobs.len() as u32],
            shared_bytes: 4 * shared_floats as u32,
            jobs: address,
            step: self.bases.step,
            work,
        });
    }

    /// Of three names that differ in the precision, that of this lowering's.
    fn precise(&self, [f32, tf32, bf16]: [&'static str; 3]) -> &'static str {
        match self.target.precision {
            Precision::F32 => f32,
            Precision::Tf32 => tf32,
            Precision::Bf16 => bf16,
        }
    }

    /// Blocks that keep the whole device busy.
    fn whole_blocks(&self) -> usize {
        BLOCKS * self.target.capacity.multiprocessors
    }

    /// How many blocks share `items` of each of `jobs` tables' rows, with sums over so many channels.
    fn splits(&self, items: usize, jobs: usize, channels: usize) -> usize {
        let most = (MOST_SUMS / channels).max(MOST_PARTS);
        (self.whole_blocks() / jobs).min(most).min(items).max(1)
    }

    /// The same, with gradients of kernels of so many numbers.
    fn kernel_splits(&self, items: usize, jobs: usize, len: usize) -> usize {
        let most = (MOST_PARTIALS / len).max(MOST_PARTS);
        (self.whole_blocks() / jobs).min(most).min(items).max(1)
    }

    /// Room for `splits` parts of `len` sums.
    fn new_sums(&mut self, splits: usize, len: usize) -> abi::Sums {
        let at = self.bases.sums + 8 * self.sums_len as u64;
        // Parts that a kernel reads four at a time begin on whole lines.
        self.sums_len += (splits * len).next_multiple_of(16);
        abi::Sums {
            at,
            splits: splits as u32,
            stride: len as u32,
        }
    }

    /// Room for `len` f32 until the task is over.
    fn new_scratch(&mut self, len: usize) -> u64 {
        let at = self.bases.scratch + 4 * self.scratch as u64;
        self.scratch += len.next_multiple_of(64);
        self.most_scratch = self.most_scratch.max(self.scratch);
        at
    }

    /// Blocks of one thread for each of `items`.
    fn blocks(items: usize) -> usize {
        items.div_ceil(THREADS as usize)
    }
}

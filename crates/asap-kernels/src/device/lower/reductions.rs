//! Gradients of kernels, left in parts, one for each block that adds up: many kernels' are added up at a time, since each has little to do
//! and waits long for what it reads.

use super::Lowering;
use crate::device::abi;
use crate::device::launch::Work;
use crate::layout::ParameterKind;

/// f32 of parts that may wait: few enough to be still in the cache in front of the device's memory.
const MOST_WAITING: usize = 1 << 22;

/// Parts that wait to be added up.
#[derive(Default)]
pub(super) struct Parts {
    jobs: Vec<abi::Reduce>,
    /// f32 that they take.
    len: usize,
    /// The most that some took.
    pub(super) most: usize,
}

impl Lowering<'_> {
    /// Room for `len` f32 of parts that a launch is about to leave.
    pub(super) fn new_partials(&mut self, len: usize) -> u64 {
        if self.parts.len + len > MOST_WAITING {
            self.add_up_parts();
        }
        let at = self.bases.partials + 4 * self.parts.len as u64;
        self.parts.len += len.next_multiple_of(64);
        self.parts.most = self.parts.most.max(self.parts.len);
        at
    }

    /// Notes the parts of a kernel's gradient: `splits` times `len` numbers, `stride` apart.
    pub(super) fn leave_parts(
        &mut self,
        kernel: usize,
        partials: u64,
        len: usize,
        splits: usize,
        stride: usize,
    ) {
        let [columns, first, kept] = match self.kinds.get(&kernel) {
            Some(ParameterKind::Pointwise {
                outputs,
                first,
                columns,
                ..
            }) if *first > 0 || outputs != columns => [*columns, *first, *outputs],
            _ => [0; 3],
        };
        let job = abi::Reduce {
            partials,
            out: self.gradient(kernel),
            len: len as u32,
            splits: splits as u32,
            stride: stride as u32,
            columns: columns as u32,
            first: first as u32,
            kept: kept as u32,
        };
        self.parts.jobs.push(job);
    }

    /// Adds up all parts that wait.
    pub(super) fn add_up_parts(&mut self) {
        self.parts.len = 0;
        let jobs = std::mem::take(&mut self.parts.jobs);
        let Some(longest) = jobs.iter().map(|job| job.len as usize).max() else {
            return;
        };
        let values = jobs
            .iter()
            .map(|job| f64::from(job.len) * f64::from(job.splits + 1));
        let work = Work {
            bytes: 4.0 * values.sum::<f64>(),
            operations: 0.0,
        };
        self.launch("reduce", [Self::blocks(longest), 1], 0, &jobs, work);
    }
}

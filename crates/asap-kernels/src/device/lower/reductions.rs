//! Gradients of kernels, left in parts, one for each block that adds up: many kernels' are added up at a time, since each has little to do
//! and waits long for what it reads.

use super::Lowering;
use crate::device::abi;
use crate::device::launch::Work;
use crate::layout::ParameterKind;

/// f32 of parts that wait at most, but where one launch leaves more.
const MOST_WAITING: usize = 1 << 22;

/// Most values of a job, or one row of them: every job of a launch gets as many blocks as its longest.
const LONGEST: usize = 1024;

/// Parts that wait to be added up.
#[derive(Default)]
pub(super) struct Parts {
    jobs: Vec<abi::Reduce>,
    /// f32 that they take.
    len: usize,
    /// The largest `len` so far.
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

    /// Notes the parts of a kernel's gradient: `splits` times `len` values, `stride` apart.
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
        // Whole rows, where there are any.
        let row = columns.max(1);
        let piece = (LONGEST / row).max(1) * row;
        let out = self.gradient(kernel);
        for at in (0..len).step_by(piece) {
            self.parts.jobs.push(abi::Reduce {
                partials: partials + 4 * at as u64,
                out: out + 4 * at as u64,
                len: piece.min(len - at) as u32,
                splits: splits as u32,
                stride: stride as u32,
                columns: columns as u32,
                first: first as u32,
                kept: kept as u32,
            });
        }
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

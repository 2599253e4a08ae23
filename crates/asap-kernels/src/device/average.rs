//! An average of the weights and running statistics, beside them on the device.

use super::abi::{self, Follow, THREADS};
use super::engine::DeviceEngine;
use super::launch::{Launch, Work};
use crate::error::Error;

/// The average's memory, and what moves it.
pub(super) struct Average {
    block: u64,
    pub(super) weights: u64,
    pub(super) statistics: u64,
    pub(super) launch: Launch,
}

impl DeviceEngine {
    /// Makes room for an average of the weights and one of the running statistics, in the place of others: zeros, until
    /// [`super::Slab::AverageWeights`] and [`super::Slab::AverageStatistics`] are written.
    ///
    /// # Errors
    /// If the device has not as much memory.
    pub fn keep_average(&mut self) -> Result<(), Error> {
        self.hand_over()?;
        self.forget_average();
        let (bases, sizes) = (&self.built.bases, &self.built.sizes);
        let lens = [sizes.weights, sizes.statistics];
        let [weights, statistics] = lens.map(|len| (4 * len).next_multiple_of(256));
        let table = weights + statistics;
        let block = self.device.allocate(table + 2 * size_of::<Follow>())?;
        let averages = [block, block + weights as u64];
        let job = |values, average, len: usize| Follow {
            values,
            average,
            len: len as u64,
        };
        let jobs = [
            job(bases.weights, averages[0], lens[0]),
            job(bases.statistics, averages[1], lens[1]),
        ];
        let jobs_at = block + table as u64;
        let launch = Launch {
            kernel: "follow",
            grid: [
                (lens[0].max(lens[1]) / 4).div_ceil(THREADS as usize) as u32,
                1,
                2,
            ],
            shared_bytes: 0,
            jobs: jobs_at,
            step: bases.step,
            work: Work {
                bytes: 12.0 * (lens[0] + lens[1]) as f64,
                operations: 0.0,
            },
        };
        self.device.upload(jobs_at, abi::bytes(&jobs))?;
        self.average = Some(Average {
            block,
            weights: averages[0],
            statistics: averages[1],
            launch,
        });
        Ok(())
    }

    /// Gives back the memory of an average; that of a plan is of no use to another.
    pub(super) fn forget_average(&mut self) {
        if let Some(average) = self.average.take() {
            self.forget_graphs();
            self.device.free(average.block);
        }
    }
}

pub(super) fn no_average() -> Error {
    Error::Device {
        what: "an average of the weights".to_owned(),
        problem: "none lies on the device".to_owned(),
    }
}

//! The walk along a plan.

use super::Lowering;
use super::places::value_bytes;
use crate::device::abi::{self, MIXED, THREADS};
use crate::device::launch::Work;
use crate::device::memory::CLEARED;
use crate::device::program::Goal;
use crate::error::Error;
use crate::plan::{Bank, Doors, Place, Size, Task};

impl Lowering<'_> {
    pub(super) fn pass(&mut self) -> Result<(), Error> {
        let plan = self.plan;
        match self.goal {
            Goal::Logits => self.running_coefficients(),
            Goal::Train(_) if self.goal.op_weights() && plan.op_weights > 0 => {
                self.clear_op_weight_gradients();
            }
            Goal::Train(_) => {}
        }
        self.tasks(&plan.forward)?;
        if let Goal::Train(_) = self.goal {
            if plan.head.is_some() {
                self.outcome();
            }
            self.tasks(&plan.backward)?;
        }
        self.launch_norms_back();
        self.add_up_parts();
        Ok(())
    }

    /// Banks go through a task together where theirs follow one another. Not in eval mode, where what one bank is done with may be another's
    /// to write.
    fn tasks(&mut self, tasks: &[Task]) -> Result<(), Error> {
        let plan = self.plan;
        let train = self.goal.train();
        let banks = |tasks: &[Task]| -> Vec<&Bank> {
            let banks = tasks.iter().filter_map(Task::shared_bank);
            banks.map(|bank| &plan.banks[bank]).collect()
        };
        let same = |task: &Task, next: &Task| train && task.goes_with(next);
        for tasks in tasks.chunk_by(same) {
            self.scratch = 0;
            match &tasks[0] {
                Task::BankFirst(_) => self.banks_first(&banks(tasks))?,
                Task::BankSecond(_) => self.banks_second(&banks(tasks))?,
                Task::Pools(_) => self.pools(&banks(tasks)),
                Task::BankSecondBack(_) => self.banks_second_back(&banks(tasks))?,
                task => self.task(task)?,
            }
        }
        Ok(())
    }

    fn task(&mut self, task: &Task) -> Result<(), Error> {
        let plan = self.plan;
        match task {
            // What is launched runs in order.
            Task::Barrier => {}
            // `tasks` sees to these.
            Task::BankFirst(_) | Task::BankSecond(_) | Task::Pools(_) | Task::BankSecondBack(_) => {
            }
            Task::Coefficients(norms) => {
                if self.goal.train() {
                    self.coefficients(norms);
                }
            }
            Task::Stem => self.stem(plan.stem()),
            Task::Input(i) => self.input(&plan.inputs[*i]),
            Task::Node(n) => self.node(*n),
            Task::Head => self.head(plan.head()),
            Task::Auxiliary(task) => {
                if self.goal.train() {
                    self.auxiliary(plan.auxiliary(), *task);
                }
            }
            Task::Clear(place, size) => self.clear(*place, *size),
            Task::NodeSums(n) => self.node_sums(&plan.nodes[*n]),
            Task::NodeCoefficients(n) => self.node_coefficients(&plan.nodes[*n]),
            Task::PoolCoefficients(b) => self.pool_coefficients(&plan.banks[*b]),
            Task::InnerCoefficients(b) => self.inner_coefficients(&plan.banks[*b]),
            Task::SourceCoefficients { norm, sums } => self.source_coefficients(&[(*norm, *sums)]),
            Task::BankFirstBack(b) => self.bank_first_back(&plan.banks[*b])?,
            Task::InputBack(i) => self.input_back(&plan.inputs[*i]),
            Task::InputSums(i) => {
                let input = &plan.inputs[*i];
                self.pair_sums(input.out, input.gradient, input.y, input.sums);
            }
            Task::StemSums => {
                let stem = plan.stem();
                self.pair_sums(stem.size, stem.gradient, stem.y, stem.sums);
            }
            Task::StemBack => self.stem_back(plan.stem()),
            // What is handed in and out lies where the plan has it.
            Task::Source | Task::Result | Task::SourceGradient => {}
            Task::ResultGradient => {
                let Doors {
                    result,
                    result_sums,
                    ..
                } = *plan.doors();
                if let Some(sums) = result_sums {
                    self.pair_sums(result.size, result.gradient, result.tensor.place, sums);
                }
            }
        }
        Ok(())
    }

    /// Zeros for a gradient nobody wrote.
    fn clear(&mut self, place: Place, size: Size) {
        let job = abi::Mix {
            terms: 0,
            out: self.tensor(place),
            count: 0,
            add: 0,
            pixels: size.pixels() as u32,
            channels: size.channels as u32,
        };
        self.mix(&[job], size, 0);
    }

    /// Op weight gradients add up over the cells.
    fn clear_op_weight_gradients(&mut self) {
        let floats = 2 * self.plan.op_weights.next_multiple_of(CLEARED);
        let job = abi::Mix {
            terms: 0,
            out: abi::Tensor {
                at: self.bases.op_weight_gradients,
                image: 0,
                pixel: 4,
            },
            count: 0,
            add: 0,
            pixels: floats as u32 / 4,
            channels: 4,
        };
        // As one image: there is always one.
        let grid = [mix_blocks(floats / 4, 4), 1];
        self.launch("mix", grid, 0, &[job], Work::default());
    }

    /// Mixes of tensors of one size, so many of which are bf16.
    pub(super) fn mix(&mut self, jobs: &[abi::Mix], size: Size, half: usize) {
        let values = self.plan.batch * size.len();
        let tensors: u32 = jobs.iter().map(|job| job.count + 1 + job.add).sum();
        let work = Work {
            bytes: values as f64 * (4.0 * f64::from(tensors) - 2.0 * half as f64),
            operations: 0.0,
        };
        let grid = [mix_blocks(size.pixels(), size.channels), self.plan.batch];
        self.launch("mix", grid, 0, jobs, work);
    }

    /// `sum g` and `sum g y` of a pair, for the coefficients of a normalisation: at `sums`, and `channels` later.
    pub(super) fn pair_sums(&mut self, size: Size, g: Place, y: Place, sums: usize) {
        let (g, y) = (self.tensor(g), self.tensor(y));
        self.pair_sums_at(size, g, y, sums);
    }

    pub(super) fn pair_sums_at(&mut self, size: Size, g: abi::Tensor, y: abi::Tensor, sums: usize) {
        let found = self.products(size, g, &[self.plain_term(y, 0, 0)]);
        self.sums.insert(sums, found[0]);
        self.sums.insert(sums + size.channels, found[2]);
    }

    /// Sums of a gradient; for each term those over the images that keep it, and of the products.
    pub(super) fn products(
        &mut self,
        size: Size,
        g: abi::Tensor,
        terms: &[abi::Term],
    ) -> Vec<abi::Sums> {
        let (rows, channels) = (1 + 2 * terms.len(), size.channels);
        let items = self.plan.batch * size.pixels();
        let splits = self.splits(items.div_ceil(64), terms.len() + 1, channels);
        let sums = self.new_sums(splits, rows * channels);
        let read: f64 = terms.iter().map(|term| value_bytes(&term.y)).sum();
        let job = abi::Products {
            terms: self.tables.push(terms),
            g,
            sums: sums.at,
            count: terms.len() as u32,
            pixels: size.pixels() as u32,
            channels: channels as u32,
            reserved: 0,
        };
        let work = Work {
            bytes: (items * channels) as f64 * (4.0 + read),
            operations: 0.0,
        };
        let grid = [splits, terms.len() + 1];
        self.launch("products", grid, SUMS_FLOATS, &[job], work);
        let row = |row: usize| abi::Sums {
            at: sums.at + 8 * (row * channels) as u64,
            ..sums
        };
        (0..rows).map(row).collect()
    }
}

/// Blocks of `mix` for an image of so many pixels and channels.
fn mix_blocks(pixels: usize, channels: usize) -> usize {
    let threads = THREADS as usize;
    let lanes = threads / (channels / 4).min(threads);
    let groups = channels.div_ceil(4 * threads);
    pixels.div_ceil(MIXED as usize * lanes) * groups
}

/// f32 of shared memory of the kernels that add up: 8 f64 for each thread.
pub(super) const SUMS_FLOATS: usize = 4096;

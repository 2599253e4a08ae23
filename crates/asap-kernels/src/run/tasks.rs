//! The walk along a plan: every thread runs every task, in order.

use super::Worker;
use super::engine::Part;
use crate::plan::Task;

impl Worker<'_> {
    pub(super) fn run(&self) {
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
}

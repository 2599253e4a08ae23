//! The order of a bank's tasks forward, and of a cell's and its banks' backward.

use super::{CellRecord, PlanBuilder};
use crate::plan::Task;

impl PlanBuilder {
    /// Forward tasks of banks whose sources are complete.
    pub(super) fn banks_forward(&mut self, banks: &[usize]) {
        let mut first = Vec::new();
        let mut second = Vec::new();
        for &b in banks {
            let bank = &self.plan.banks[b];
            first.extend(bank.pools.iter().filter_map(|p| p.y.norm));
            first.extend(bank.reduces.iter().map(|(r, _)| r.norm));
            first.extend(bank.convolutions.iter().map(|c| c.first.norm));
            second.extend(
                bank.convolutions
                    .iter()
                    .filter_map(|c| c.second.map(|s| s.norm)),
            );
        }
        let forward = &mut self.plan.forward;
        forward.extend(banks.iter().map(|&b| Task::BankFirst(b)));
        if !first.is_empty() {
            forward.extend([Task::Barrier, Task::Coefficients(first)]);
        }
        if !second.is_empty() {
            forward.extend(banks.iter().map(|&b| Task::BankSecond(b)));
            forward.extend([Task::Barrier, Task::Coefficients(second)]);
        }
    }

    /// Backward tasks of banks whose nodes' coefficients are complete.
    pub(super) fn banks_backward(&mut self, banks: &[usize]) {
        let backward = &mut self.plan.backward;
        backward.extend(banks.iter().map(|&b| Task::PoolCoefficients(b)));
        let separable: Vec<usize> = banks
            .iter()
            .copied()
            .filter(|&b| {
                self.plan.banks[b]
                    .convolutions
                    .iter()
                    .any(|c| c.second.is_some())
            })
            .collect();
        if !separable.is_empty() {
            backward.extend(separable.iter().map(|&b| Task::BankSecondBack(b)));
            backward.push(Task::Barrier);
            backward.extend(separable.iter().map(|&b| Task::InnerCoefficients(b)));
        }
        backward.extend(banks.iter().map(|&b| Task::BankFirstBack(b)));
    }

    /// From the complete gradient of a node to the coefficients of its terms.
    pub(super) fn node_backward(&mut self, node: usize) {
        self.plan.backward.extend([
            Task::NodeSums(node),
            Task::Barrier,
            Task::NodeCoefficients(node),
        ]);
    }

    pub(super) fn cell_backward(&mut self, cell: &CellRecord) {
        self.clear_unwritten(cell.source);
        for bank in cell.banks.into_iter().flatten() {
            if !self.plan.banks[bank].pools.is_empty() {
                self.plan.backward.push(Task::Pools(bank));
            }
        }
        for (i, &node) in cell.nodes.iter().enumerate().rev() {
            let bank = cell.banks.get(i + 2).copied().flatten();
            self.banks_backward(bank.as_slice());
            if !self.plan.nodes[node].terms.is_empty() {
                self.node_backward(node);
            }
        }
        let first: Vec<usize> = cell.banks[..2].iter().flatten().copied().collect();
        self.banks_backward(&first);
        if cell.inputs.iter().all(Option::is_none) {
            return;
        }
        self.plan.backward.push(Task::Barrier);
        let inputs = cell.inputs.iter().flatten();
        self.plan
            .backward
            .extend(inputs.map(|&i| self.plan.inputs[i].coefficients()));
        for (input, source) in cell.inputs.iter().zip(cell.previous) {
            if let &Some(input) = input {
                let source = &mut self.sources[source];
                self.plan.inputs[input].source_gradient_add = source.written;
                source.written = true;
                self.plan.backward.push(Task::InputBack(input));
            }
        }
    }
}

//! What threads divide by parameter, not by image: kernels transposed before a step, sums of gradients after it.

use super::Worker;

impl Worker<'_> {
    /// Zeroes this thread's gradients, fills the vector of ones, transposes this thread's share of the kernels.
    pub(super) fn start_step(&self) {
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
    pub(super) fn reduce_gradients(&self) {
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
}

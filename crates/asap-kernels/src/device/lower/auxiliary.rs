//! The auxiliary head: a second classifier in the middle of a network, in training only.

use super::Lowering;
use super::input::Window;
use super::product::{Backward, Forward};
use crate::device::abi;
use crate::device::launch::Work;
use crate::plan::{AUXILIARY_POOL, Auxiliary, AuxiliaryTask, Stage};

impl Lowering<'_> {
    pub(super) fn auxiliary(&mut self, head: &Auxiliary, task: AuxiliaryTask) {
        match task {
            AuxiliaryTask::First => self.auxiliary_first(head),
            AuxiliaryTask::Second => {
                let source = self.view(head.first.view());
                self.stage(head, &head.second, source, true);
            }
            AuxiliaryTask::Classifier => {
                let stage = &head.second;
                let (source, gradient) = (self.view(stage.view()), self.tensor(stage.gradient));
                self.classify(head.classifier, source, gradient, stage.out, true);
                self.pair_sums(stage.out, stage.gradient, stage.y, stage.sums);
            }
            AuxiliaryTask::SecondBack => {
                let (first, second) = (&head.first, &head.second);
                let source = self.view(first.view());
                let upstream = self.stage_upstream(head, second);
                self.product_weight_gradient(&[Backward {
                    upstream,
                    source,
                    relu: true,
                    kernels: vec![second.kernel],
                }]);
                let out = self.tensor(first.gradient);
                self.product_input_gradient(&[upstream], Some(source), out, false);
                self.pair_sums(first.out, first.gradient, first.y, first.sums);
            }
            AuxiliaryTask::FirstBack => self.auxiliary_first_back(head),
        }
    }

    fn pooled(&self, head: &Auxiliary) -> abi::View {
        abi::View {
            y: self.tensor(head.pooled),
            a: 0,
            b: 0,
        }
    }

    fn window_pool(&self, head: &Auxiliary) -> abi::WindowPool {
        abi::WindowPool {
            source: self.view(head.source),
            y: self.tensor(head.pooled),
            window: AUXILIARY_POOL as u32,
            stride: head.stride as u32,
            height: head.size.height as u32,
            width: head.size.width as u32,
            channels: head.size.channels as u32,
            reserved: 0,
        }
    }

    fn auxiliary_first(&mut self, head: &Auxiliary) {
        let job = self.window_pool(head);
        let values = self.plan.batch * head.pooled_size.len();
        let blocks = Self::blocks(values / 4);
        self.launch("window_pool", [blocks, 1], 0, &[job], Work::default());
        let source = self.pooled(head);
        self.stage(head, &head.first, source, false);
    }

    fn stage(&mut self, head: &Auxiliary, stage: &Stage, source: abi::View, relu: bool) {
        let forward = Forward {
            convolution: self.stage_convolution(head, stage),
            source,
            y: stage.y,
            norm: stage.norm,
        };
        self.product_forward(&[forward], relu);
    }

    fn stage_convolution(&self, head: &Auxiliary, stage: &Stage) -> abi::Convolution {
        let is_first = stage.kernel == head.first.kernel;
        let (size, side) = match is_first {
            true => (head.pooled_size, 1),
            false => (head.first.out, 2),
        };
        let window = Window {
            taps: side * side,
            width: side,
            stride: 1,
            begin: 0,
        };
        self.window_convolution(stage.kernel, window, size, stage.out)
    }

    fn stage_upstream(&mut self, head: &Auxiliary, stage: &Stage) -> abi::Upstream {
        let (g, y) = (self.tensor(stage.gradient), self.tensor(stage.y));
        let terms = match stage.norm {
            Some(norm) => self.through_norm(norm, g, y).to_vec(),
            None => vec![self.plain_term(g, 0, 0)],
        };
        abi::Upstream {
            convolution: self.stage_convolution(head, stage),
            terms: self.tables.push(&terms),
            count: terms.len() as u32,
            reserved: 0,
        }
    }

    fn auxiliary_first_back(&mut self, head: &Auxiliary) {
        let source = self.pooled(head);
        let upstream = self.stage_upstream(head, &head.first);
        self.product_weight_gradient(&[Backward {
            upstream,
            source,
            relu: false,
            kernels: vec![head.first.kernel],
        }]);
        // What was pooled is needed no more: its gradient takes its place.
        self.product_input_gradient(&[upstream], None, source.y, false);
        let job = abi::WindowPoolGradient {
            pool: self.window_pool(head),
            out: self.tensor(head.source_gradient),
            add: u32::from(head.source_gradient_add),
            reserved: 0,
        };
        let values = self.plan.batch * head.size.len();
        let blocks = Self::blocks(values / 4);
        self.launch(
            "window_pool_gradient",
            [blocks, 1],
            0,
            &[job],
            Work::default(),
        );
    }
}

//! The auxiliary head: its parts after all others, its tasks between those of the cells.

use super::PlanBuilder;
use crate::layout::{ParameterKind, padded, padded_segments};
use crate::plan::{AUXILIARY_POOL, AUXILIARY_ROWS, Auxiliary, AuxiliaryTask, Size, Stage, Task};

/// Channels after the first and the second convolution, in both forms.
const CHANNELS: [usize; 2] = [128, 768];

/// Which of DARTS's two auxiliary heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuxiliaryForm {
    /// The pool has stride 3.
    Cifar,
    /// The pool has stride 2, and no normalisation follows the second convolution.
    ImageNet,
}

impl AuxiliaryForm {
    fn stride(self) -> usize {
        match self {
            Self::Cifar => 3,
            Self::ImageNet => 2,
        }
    }

    /// Fewest rows and columns of what the head reads: the second convolution needs two pooled ones.
    pub fn least_size(self) -> usize {
        AUXILIARY_POOL + self.stride()
    }
}

impl PlanBuilder {
    /// An auxiliary head reads the newest cell.
    pub fn auxiliary(&mut self, form: AuxiliaryForm) {
        self.auxiliary = Some((self.sources.len() - 1, form));
    }

    /// Parts and forward tasks of the head, if there is one.
    ///
    /// # Panics
    /// If the cell that it reads has less than [`AuxiliaryForm::least_size`].
    pub(super) fn auxiliary_forward(&mut self, classes: usize) {
        let Some((source, form)) = self.auxiliary else {
            return;
        };
        let source = self.sources[source].clone();
        let (size, stride) = (source.size, form.stride());
        assert!(
            size.height.min(size.width) >= form.least_size(),
            "an auxiliary head reads {0} x {0} pixels or more",
            form.least_size()
        );
        let pooled = |size: usize| (size - AUXILIARY_POOL) / stride + 1;
        let pooled_size = Size {
            height: pooled(size.height),
            width: pooled(size.width),
            ..size
        };
        let out = CHANNELS.map(padded);
        let kind = ParameterKind::Pointwise {
            segments: source.segments.clone(),
            outputs: CHANNELS[0],
            first: 0,
            columns: out[0],
        };
        let inputs = padded_segments(&source.segments);
        let size_first = Size {
            channels: out[0],
            ..pooled_size
        };
        let first = self.auxiliary_stage(1, kind, inputs, size_first, CHANNELS[0], true);
        let kind = ParameterKind::Dense {
            kernel: 2,
            inputs: CHANNELS[0],
            outputs: CHANNELS[1],
        };
        let size_second = Size {
            height: pooled_size.height - 1,
            width: pooled_size.width - 1,
            channels: out[1],
        };
        let normalise = form == AuxiliaryForm::Cifar;
        let second = self.auxiliary_stage(2, kind, 4 * out[0], size_second, CHANNELS[1], normalise);
        let segments = vec![CHANNELS[1]];
        let classifier = self.classifier("auxiliary.classifier", segments, classes);

        let scratch = &mut self.plan.scratch;
        scratch.image = scratch.image.max(size.len()).max(out[1]).max(classes);
        let widest = inputs.max(second.inputs).max(out[1]);
        scratch.chunk = scratch.chunk.max(AUXILIARY_ROWS * widest);
        self.plan.auxiliary = Some(Auxiliary {
            source: source.view,
            size,
            source_gradient: source.gradient,
            source_gradient_add: false,
            stride,
            pooled: self.place_side_by_side(pooled_size),
            pooled_size,
            first,
            second,
            classifier,
        });
        for (task, stage) in [
            (AuxiliaryTask::First, first),
            (AuxiliaryTask::Second, second),
        ] {
            self.plan.forward.push(Task::Auxiliary(task));
            if let Some(norm) = stage.norm {
                let wait = [Task::Barrier, Task::Coefficients(vec![norm])];
                self.plan.forward.extend(wait);
            }
        }
        let task = Task::Auxiliary(AuxiliaryTask::Classifier);
        self.plan.forward.push(task);
    }

    fn auxiliary_stage(
        &mut self,
        number: usize,
        kind: ParameterKind,
        inputs: usize,
        out: Size,
        channels: usize,
        normalise: bool,
    ) -> Stage {
        let kernel = self.kernel(format!("auxiliary.conv{number}"), kind, out.pixels());
        let name = format!("auxiliary.norm{number}");
        Stage {
            inputs,
            kernel,
            transposed: self.transposed(kernel, inputs, out.channels),
            out,
            y: self.place_side_by_side(out),
            norm: normalise.then(|| self.norm(&name, channels, out.pixels(), true)),
            gradient: self.place_side_by_side(out),
            sums: self.sums(2 * out.channels),
        }
    }

    /// Backward tasks of the head, if it reads this source, whose later readers are done.
    pub(super) fn auxiliary_backward(&mut self, source: usize) {
        let Some(auxiliary) = &mut self.plan.auxiliary else {
            return;
        };
        if self.auxiliary.is_none_or(|(read, _)| read != source) {
            return;
        }
        auxiliary.source_gradient_add = self.sources[source].written;
        self.sources[source].written = true;
        for (stage, task) in [
            (auxiliary.second, AuxiliaryTask::SecondBack),
            (auxiliary.first, AuxiliaryTask::FirstBack),
        ] {
            if let Some(norm) = stage.norm {
                let sums = stage.sums;
                let wait = [Task::Barrier, Task::SourceCoefficients { norm, sums }];
                self.plan.backward.extend(wait);
            }
            self.plan.backward.push(Task::Auxiliary(task));
        }
    }
}

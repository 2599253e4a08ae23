//! A whole network in the plain form: stem, cells, head; forward and backward.

use std::collections::BTreeMap;

use asap_genotype::{CellKind, OpWeights, Topology};
use asap_kernels::reference::{Tensor4, Window, smoothed_cross_entropy};
use asap_space::{NamedTensor, NetworkConfig, Regularisation, StemForm};

use super::cell::{Cell, Place};
use super::path::{Gradients, Mode, Pass, Path};

/// A network described by its config, its topology and its tensors.
pub(crate) struct ReferenceNetwork<'a> {
    config: &'a NetworkConfig,
    topology: &'a Topology,
    tensors: BTreeMap<String, Vec<f64>>,
}

/// What one training step finds.
pub(crate) struct Outcome {
    pub(crate) loss: f64,
    pub(crate) correct: usize,
    pub(crate) gradients: Gradients,
    pub(crate) op_weight_gradients: OpWeights,
    /// Running means and variances after the step.
    pub(crate) running: BTreeMap<String, Vec<f64>>,
}

/// A forward pass with all that the backward pass needs.
struct Forward<'a> {
    stem: Path,
    cells: Vec<Cell<'a>>,
    head: Path,
    /// In training, if the network has such a head.
    auxiliary: Option<Path>,
}

impl<'a> ReferenceNetwork<'a> {
    pub(crate) fn new(
        config: &'a NetworkConfig,
        topology: &'a Topology,
        tensors: &[NamedTensor],
    ) -> Self {
        let values = |tensor: &NamedTensor| tensor.values.iter().map(|v| f64::from(*v)).collect();
        let tensors = tensors
            .iter()
            .map(|tensor| (tensor.name.clone(), values(tensor)))
            .collect();
        Self {
            config,
            topology,
            tensors,
        }
    }

    /// How near a training step comes to a kink: see `Pass::margin`.
    pub(crate) fn margin(
        &self,
        pixels: &[f32],
        op_weights: &OpWeights,
        regularisation: Regularisation,
    ) -> f64 {
        let mut pass = Pass::new(&self.tensors, Mode::Training, regularisation);
        self.forward(&mut pass, pixels, op_weights);
        pass.margin
    }

    /// Logits under the running statistics, row by row.
    pub(crate) fn evaluate(&self, pixels: &[f32], op_weights: &OpWeights) -> Vec<f64> {
        let mut pass = Pass::new(&self.tensors, Mode::Evaluation, Regularisation::default());
        self.forward(&mut pass, pixels, op_weights)
            .head
            .output
            .values
    }

    pub(crate) fn step(
        &self,
        pixels: &[f32],
        labels: &[u32],
        op_weights: &OpWeights,
        regularisation: Regularisation,
    ) -> Outcome {
        let mut pass = Pass::new(&self.tensors, Mode::Training, regularisation);
        let forward = self.forward(&mut pass, pixels, op_weights);
        let logits = &forward.head.output;
        let smoothing = f64::from(regularisation.label_smoothing);
        let entropy = smoothed_cross_entropy(logits, labels, smoothing);
        let mut loss = entropy.loss;
        let weight = f64::from(regularisation.auxiliary_weight);
        let in_auxiliary = forward.auxiliary.as_ref().map(|head| {
            let entropy = smoothed_cross_entropy(&head.output, labels, smoothing);
            loss += weight * entropy.loss;
            entropy.gradient.map(|value| weight * value)
        });
        let (gradients, op_weight_gradients) =
            self.backward(&forward, &entropy.gradient, in_auxiliary.as_ref());
        Outcome {
            loss,
            correct: count_correct(logits, labels),
            gradients,
            op_weight_gradients,
            running: pass.running,
        }
    }

    fn forward<'b>(
        &'b self,
        pass: &mut Pass<'_>,
        pixels: &[f32],
        op_weights: &'b OpWeights,
    ) -> Forward<'b> {
        let NetworkConfig {
            height,
            width,
            image_channels,
            ..
        } = *self.config;
        let images = pixels.len() / (height * width * image_channels);
        let images = Tensor4::new(
            [images, height, width, image_channels],
            pixels.iter().map(|value| f64::from(*value)).collect(),
        );
        let stem = Path::from(&images)
            .dense(
                pass,
                "stem.conv",
                Window {
                    kernel: 3,
                    stride: 1,
                    dilation: 1,
                },
            )
            .norm(pass, "stem.norm");

        let mut cells: Vec<Cell<'b>> = Vec::new();
        let mut channels = self.config.channels;
        for index in 0..self.config.cells {
            let kind = self.kind(index);
            if kind == CellKind::Reduction {
                channels *= 2;
            }
            let place = Place {
                index,
                kind,
                topology: self.topology.cell(kind),
                op_weights: op_weights.cell(kind),
                first_weight: match kind {
                    CellKind::Normal => 0,
                    CellKind::Reduction => self.topology.cell(CellKind::Normal).operations_alive(),
                },
                channels,
                after_reduction: index > 0 && self.kind(index - 1) == CellKind::Reduction,
                form: self.config.form,
            };
            let cell = Cell::forward(pass, place, sources(&stem.output, &cells, index));
            cells.push(cell);
        }
        let last = cells.last().map_or(&stem.output, |cell| &cell.output);
        let head = Path::from(last)
            .global_average_pool()
            .linear(pass, "classifier");
        let read = &cells[self.auxiliary_cell()].output;
        let auxiliary = (self.config.auxiliary && pass.mode == Mode::Training)
            .then(|| auxiliary(pass, read, self.config.stem));
        Forward {
            stem,
            cells,
            head,
            auxiliary,
        }
    }

    fn auxiliary_cell(&self) -> usize {
        2 * self.config.cells / 3
    }

    fn backward(
        &self,
        forward: &Forward<'_>,
        gradient: &Tensor4,
        in_auxiliary: Option<&Tensor4>,
    ) -> (Gradients, OpWeights) {
        let mut gradients = Gradients::new();
        let mut op_weight_gradients = OpWeights::zeros(self.topology);
        let stem = &forward.stem.output;
        // The gradient in the output of the stem, then in that of every cell.
        let mut in_outputs = vec![Tensor4::zeros(stem.shape())];
        in_outputs.extend(
            forward
                .cells
                .iter()
                .map(|cell| Tensor4::zeros(cell.output.shape())),
        );
        let cells = forward.cells.len();
        in_outputs[cells] = forward.head.backward(gradient, &mut gradients);
        if let (Some(head), Some(gradient)) = (&forward.auxiliary, in_auxiliary) {
            let read = self.auxiliary_cell() + 1;
            in_outputs[read] = in_outputs[read].plus(&head.backward(gradient, &mut gradients));
        }
        for (index, cell) in forward.cells.iter().enumerate().rev() {
            let [before_last, last] = cell.backward(
                &in_outputs[index + 1],
                sources(stem, &forward.cells, index),
                &mut gradients,
                op_weight_gradients.cell_mut(self.kind(index)),
            );
            for (output, gradient) in [(index.saturating_sub(1), before_last), (index, last)] {
                in_outputs[output] = in_outputs[output].plus(&gradient);
            }
        }
        forward.stem.backward(&in_outputs[0], &mut gradients);
        (gradients, op_weight_gradients)
    }

    fn kind(&self, index: usize) -> CellKind {
        let cells = self.config.cells;
        if index == cells / 3 || index == 2 * cells / 3 {
            CellKind::Reduction
        } else {
            CellKind::Normal
        }
    }
}

/// The outputs of the two cells before this one, the stem's where there is no such cell.
fn sources<'a>(stem: &'a Tensor4, cells: &'a [Cell<'_>], index: usize) -> [&'a Tensor4; 2] {
    let output = |back: usize| index.checked_sub(back).map_or(stem, |i| &cells[i].output);
    [output(2), output(1)]
}

/// The head that reads the cell at 2/3 of the depth; no padding anywhere.
fn auxiliary(pass: &mut Pass<'_>, read: &Tensor4, stem: StemForm) -> Path {
    let window = Window {
        kernel: 2,
        stride: 1,
        dilation: 1,
    };
    let stride = match stem {
        StemForm::Cifar => 3,
        StemForm::ImageNet => 2,
    };
    let path = Path::from(read)
        .relu(pass)
        .unpadded_average_pool(stride)
        .pointwise(pass, "auxiliary.conv1")
        .norm(pass, "auxiliary.norm1")
        .relu(pass)
        .dense(pass, "auxiliary.conv2", window);
    let path = match stem {
        StemForm::Cifar => path.norm(pass, "auxiliary.norm2"),
        StemForm::ImageNet => path,
    };
    path.relu(pass)
        .global_average_pool()
        .linear(pass, "auxiliary.classifier")
}

fn count_correct(logits: &Tensor4, labels: &[u32]) -> usize {
    let right = |(image, label): (usize, &u32)| {
        let row = &logits.values[image * logits.c..][..logits.c];
        let best = (0..logits.c).max_by(|a, b| row[*a].total_cmp(&row[*b]));
        best == Some(*label as usize)
    };
    labels
        .iter()
        .enumerate()
        .filter(|pair| right(*pair))
        .count()
}

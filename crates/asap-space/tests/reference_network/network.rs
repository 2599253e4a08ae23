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
    /// What the first cell reads, the newest last.
    stems: Vec<Path>,
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
        let stems = stems(pass, &images, self.config.stem);
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
                after_reduction: match index {
                    0 => self.config.stem == StemForm::ImageNet,
                    _ => self.kind(index - 1) == CellKind::Reduction,
                },
                form: self.config.form,
            };
            let cell = Cell::forward(
                pass,
                place,
                sources(&stems, &cells, index).map(|(_, output)| output),
            );
            cells.push(cell);
        }
        let head = Path::from(&cells[cells.len() - 1].output)
            .global_average_pool()
            .linear(pass, "classifier");
        let read = &cells[self.auxiliary_cell()].output;
        let auxiliary = (self.config.auxiliary && pass.mode == Mode::Training)
            .then(|| auxiliary(pass, read, self.config.stem));
        Forward {
            stems,
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
        let (stems, cells) = (&forward.stems, &forward.cells);
        // The gradient in the output of every stem, then of every cell.
        let outputs = stems.iter().map(|stem| &stem.output);
        let outputs = outputs.chain(cells.iter().map(|cell| &cell.output));
        let mut in_outputs: Vec<Tensor4> = outputs
            .map(|output| Tensor4::zeros(output.shape()))
            .collect();
        let last = in_outputs.len() - 1;
        in_outputs[last] = forward.head.backward(gradient, &mut gradients);
        if let (Some(head), Some(gradient)) = (&forward.auxiliary, in_auxiliary) {
            let read = stems.len() + self.auxiliary_cell();
            in_outputs[read] = in_outputs[read].plus(&head.backward(gradient, &mut gradients));
        }
        for (index, cell) in cells.iter().enumerate().rev() {
            let sources = sources(stems, cells, index);
            let in_sources = cell.backward(
                &in_outputs[stems.len() + index],
                sources.map(|(_, output)| output),
                &mut gradients,
                op_weight_gradients.cell_mut(self.kind(index)),
            );
            for ((source, _), gradient) in sources.into_iter().zip(in_sources) {
                in_outputs[source] = in_outputs[source].plus(&gradient);
            }
        }
        for (index, stem) in stems.iter().enumerate().rev() {
            let in_source = stem.backward(&in_outputs[index], &mut gradients);
            if let Some(source) = index.checked_sub(1) {
                in_outputs[source] = in_outputs[source].plus(&in_source);
            }
        }
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

/// The outputs of the two before this cell, with their numbers: cells, and where there is no such cell, stems.
fn sources<'a>(
    stems: &'a [Path],
    cells: &'a [Cell<'_>],
    index: usize,
) -> [(usize, &'a Tensor4); 2] {
    [2, 1].map(|back| {
        let number = (stems.len() + index).saturating_sub(back);
        match number.checked_sub(stems.len()) {
            Some(cell) => (number, &cells[cell].output),
            None => (number, &stems[number].output),
        }
    })
}

fn stems(pass: &mut Pass<'_>, images: &Tensor4, form: StemForm) -> Vec<Path> {
    let window = |stride| Window {
        kernel: 3,
        stride,
        dilation: 1,
    };
    match form {
        StemForm::Cifar => vec![
            Path::from(images)
                .dense(pass, "stem.conv", window(1))
                .norm(pass, "stem.norm"),
        ],
        StemForm::ImageNet => {
            let first = Path::from(images)
                .dense(pass, "stem0.conv1", window(2))
                .norm(pass, "stem0.norm1")
                .relu(pass)
                .dense(pass, "stem0.conv2", window(2))
                .norm(pass, "stem0.norm2");
            let second = Path::from(&first.output)
                .relu(pass)
                .dense(pass, "stem1.conv", window(2))
                .norm(pass, "stem1.norm");
            vec![first, second]
        }
    }
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

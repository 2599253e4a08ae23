//! A path through layers: what it computes, and how a gradient comes back through it.

use std::collections::BTreeMap;

use asap_kernels::reference::{self, Affine, Statistics, Tensor4, Window};
use asap_space::Regularisation;

/// The gradients of the loss in the parameters, by name.
pub(crate) type Gradients = BTreeMap<String, Vec<f64>>;

/// Which statistics normalise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Those of the batch, which also move the running ones.
    Training,
    /// The running ones.
    Evaluation,
}

/// What the layers of one forward pass read and leave behind.
pub(crate) struct Pass<'a> {
    /// Parameters and running statistics by name.
    pub(crate) tensors: &'a BTreeMap<String, Vec<f64>>,
    pub(crate) mode: Mode,
    /// The running statistics after this pass, by name: `training` only.
    pub(crate) running: BTreeMap<String, Vec<f64>>,
    /// Of a training step.
    pub(crate) regularisation: Regularisation,
    /// How near the pass came to a kink: the smallest `|x|` before a ReLU and the smallest lead in a max
    /// pool. Exact zeros and ties do not count: they are decided by rule, alike in every precision.
    pub(crate) margin: f64,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        tensors: &'a BTreeMap<String, Vec<f64>>,
        mode: Mode,
        regularisation: Regularisation,
    ) -> Self {
        Self {
            regularisation,
            tensors,
            mode,
            running: BTreeMap::new(),
            margin: f64::INFINITY,
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> &'a [f64] {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("the network has no tensor {name}"))
    }

    fn note(&mut self, distance: f64) {
        if distance > 0.0 {
            self.margin = self.margin.min(distance);
        }
    }
}

type Backward = Box<dyn Fn(&Tensor4, &mut Gradients) -> Tensor4>;

/// Layers one after the other.
pub(crate) struct Path {
    pub(crate) output: Tensor4,
    backward: Vec<Backward>,
}

impl Path {
    pub(crate) fn from(input: &Tensor4) -> Self {
        Self {
            output: input.clone(),
            backward: Vec::new(),
        }
    }

    /// The gradient of the loss in the path's input; those of its parameters are added up.
    pub(crate) fn backward(&self, gradient: &Tensor4, gradients: &mut Gradients) -> Tensor4 {
        self.backward
            .iter()
            .rev()
            .fold(gradient.clone(), |gradient, layer| {
                layer(&gradient, gradients)
            })
    }

    pub(crate) fn relu(self, pass: &mut Pass<'_>) -> Self {
        for value in &self.output.values {
            pass.note(value.abs());
        }
        let input = self.output.clone();
        self.then(reference::relu(&input), move |gradient, _| {
            reference::relu_backward(&input, gradient)
        })
    }

    pub(crate) fn depthwise(self, pass: &Pass<'_>, name: &str, window: Window) -> Self {
        let (input, weights) = (self.output.clone(), pass.tensor(name).to_vec());
        let name = name.to_owned();
        let output = reference::depthwise(&input, &weights, window);
        self.then(output, move |gradient, gradients| {
            let result = reference::depthwise_backward(&input, &weights, window, gradient);
            add(gradients, &name, &result.weights);
            result.input
        })
    }

    pub(crate) fn pointwise(self, pass: &Pass<'_>, name: &str) -> Self {
        let (input, weights) = (self.output.clone(), pass.tensor(name).to_vec());
        let name = name.to_owned();
        let output = reference::pointwise(&input, &weights);
        self.then(output, move |gradient, gradients| {
            let result = reference::pointwise_backward(&input, &weights, gradient);
            add(gradients, &name, &result.weights);
            result.input
        })
    }

    pub(crate) fn dense(self, pass: &Pass<'_>, name: &str, window: Window) -> Self {
        let (input, weights) = (self.output.clone(), pass.tensor(name).to_vec());
        let name = name.to_owned();
        let output = reference::dense(&input, &weights, window);
        self.then(output, move |gradient, gradients| {
            let result = reference::dense_backward(&input, &weights, window, gradient);
            add(gradients, &name, &result.weights);
            result.input
        })
    }

    /// The two halves of a factorised reduce: `NAME.conv_a` of the even pixels, `NAME.conv_b` of the shifted.
    pub(crate) fn halves(self, pass: &Pass<'_>, name: &str) -> Self {
        let shape = self.output.shape();
        let half = |first: usize, ending: &str| {
            Self::from(&reference::every_second(&self.output, first))
                .pointwise(pass, &format!("{name}.{ending}"))
        };
        let (even, shifted) = (half(0, "conv_a"), half(1, "conv_b"));
        let output = Tensor4::concat(&[&even.output, &shifted.output]);
        self.then(output, move |gradient, gradients| {
            let channels = even.output.c;
            let in_even = gradient.channels(0, channels);
            let in_shifted = gradient.channels(channels, gradient.c - channels);
            let in_even = even.backward(&in_even, gradients);
            let in_shifted = shifted.backward(&in_shifted, gradients);
            reference::every_second_backward(shape, 0, &in_even)
                .plus(&reference::every_second_backward(shape, 1, &in_shifted))
        })
    }

    /// Batch norm, with an affine if the network has one of this name.
    pub(crate) fn norm(self, pass: &mut Pass<'_>, name: &str) -> Self {
        let input = self.output.clone();
        let mean = format!("{name}.mean");
        let variance = format!("{name}.variance");
        let mut running = Statistics {
            mean: pass.tensor(&mean).to_vec(),
            variance: pass.tensor(&variance).to_vec(),
        };
        let affine = pass
            .tensors
            .contains_key(&format!("{name}.scale"))
            .then(|| {
                let values = |ending| pass.tensor(&format!("{name}.{ending}")).to_vec();
                (values("scale"), values("shift"))
            });
        if pass.mode == Mode::Evaluation {
            let output = reference::normalise(&input, &running, borrowed(&affine));
            return self.then(output, |_, _| {
                unreachable!("evaluation has no backward pass")
            });
        }

        let rows = input.n * input.h * input.w;
        reference::update_running(&mut running, &reference::statistics(&input), rows);
        pass.running.insert(mean, running.mean);
        pass.running.insert(variance, running.variance);
        let name = name.to_owned();
        let output = reference::batch_norm(&input, borrowed(&affine));
        self.then(output, move |gradient, gradients| {
            let result = reference::batch_norm_backward(&input, borrowed(&affine), gradient);
            if affine.is_some() {
                add(gradients, &format!("{name}.scale"), &result.scale);
                add(gradients, &format!("{name}.shift"), &result.shift);
            }
            result.input
        })
    }

    pub(crate) fn max_pool(self, pass: &mut Pass<'_>, stride: usize) -> Self {
        let input = self.output.clone();
        let window = Window {
            kernel: 3,
            stride,
            dilation: 1,
        };
        let output = reference::max_pool(&input, stride);
        for (image, y, x, channel) in output.positions() {
            let largest = output.at(image, y, x, channel);
            for tap in window.taps([y, x], [input.h, input.w]) {
                pass.note(largest - input.at(image, tap.y, tap.x, channel));
            }
        }
        self.then(output, move |gradient, _| {
            reference::max_pool_backward(&input, stride, gradient)
        })
    }

    pub(crate) fn average_pool(self, stride: usize) -> Self {
        let shape = self.output.shape();
        let output = reference::average_pool(&self.output, stride);
        self.then(output, move |gradient, _| {
            reference::average_pool_backward(shape, stride, gradient)
        })
    }

    pub(crate) fn unpadded_average_pool(self, stride: usize) -> Self {
        let shape = self.output.shape();
        let output = reference::unpadded_average_pool(&self.output, stride);
        self.then(output, move |gradient, _| {
            reference::unpadded_average_pool_backward(shape, stride, gradient)
        })
    }

    pub(crate) fn global_average_pool(self) -> Self {
        let shape = self.output.shape();
        let output = reference::global_average_pool(&self.output);
        self.then(output, move |gradient, _| {
            reference::global_average_pool_backward(shape, gradient)
        })
    }

    /// What a training step loses of the output of an operation on its way to a node.
    pub(crate) fn drop_path(self, pass: &Pass<'_>, cell: usize, weight: usize) -> Self {
        if pass.mode == Mode::Evaluation {
            return self;
        }
        let scales: Vec<f64> = (0..self.output.n)
            .map(|image| f64::from(pass.regularisation.path_scale(image, cell, weight)))
            .collect();
        let output = reference::drop_path(&self.output, &scales);
        self.then(output, move |gradient, _| {
            reference::drop_path_backward(&scales, gradient)
        })
    }

    /// The linear layer of `NAME.weight` and `NAME.bias`.
    pub(crate) fn linear(self, pass: &Pass<'_>, name: &str) -> Self {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let (input, weights) = (self.output.clone(), pass.tensor(&weight).to_vec());
        let output = reference::linear(&input, &weights, pass.tensor(&bias));
        self.then(output, move |gradient, gradients| {
            let result = reference::linear_backward(&input, &weights, gradient);
            add(gradients, &weight, &result.weights);
            add(gradients, &bias, &result.bias);
            result.input
        })
    }

    fn then(
        mut self,
        output: Tensor4,
        backward: impl Fn(&Tensor4, &mut Gradients) -> Tensor4 + 'static,
    ) -> Self {
        self.output = output;
        self.backward.push(Box::new(backward));
        self
    }
}

fn add(gradients: &mut Gradients, name: &str, values: &[f64]) {
    let sums = gradients
        .entry(name.to_owned())
        .or_insert_with(|| vec![0.0; values.len()]);
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

fn borrowed(affine: &Option<(Vec<f64>, Vec<f64>)>) -> Option<Affine<'_>> {
    affine
        .as_ref()
        .map(|(scale, shift)| Affine { scale, shift })
}

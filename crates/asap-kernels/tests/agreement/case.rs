//! A case: an operation, a mixed op or a cell input with its numbers, and what a form of it computes.

use asap_kernels::reference::Tensor4;
use asap_kernels::{
    CellInputConfig, CellOperation, OperationConfig, cell_input_parameters, operation_parameters,
};

use crate::random::Random;

pub(crate) const SEPARABLE_3: CellOperation = CellOperation::Separable { kernel: 3 };
pub(crate) const SEPARABLE_5: CellOperation = CellOperation::Separable { kernel: 5 };
pub(crate) const DILATED_3: CellOperation = CellOperation::Dilated { kernel: 3 };
pub(crate) const DILATED_5: CellOperation = CellOperation::Dilated { kernel: 5 };

/// All that DARTS has.
pub(crate) const OPERATIONS: [CellOperation; 7] = [
    CellOperation::MaxPool,
    CellOperation::AveragePool,
    CellOperation::Skip,
    SEPARABLE_3,
    SEPARABLE_5,
    DILATED_3,
    DILATED_5,
];

/// What is computed.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Operations(OperationConfig),
    CellInput(CellInputConfig),
}

impl Subject {
    pub(crate) fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        match self {
            Self::Operations(config) => operation_parameters(config).unwrap(),
            Self::CellInput(config) => cell_input_parameters(config).unwrap(),
        }
    }

    pub(crate) fn is_affine(&self) -> bool {
        match self {
            Self::Operations(config) => config.affine,
            Self::CellInput(config) => config.affine,
        }
    }

    fn channels(&self) -> [usize; 2] {
        match self {
            Self::Operations(config) => [config.channels; 2],
            Self::CellInput(config) => [config.inputs, config.outputs],
        }
    }

    fn stride(&self) -> usize {
        match self {
            Self::Operations(config) => config.stride,
            Self::CellInput(config) => 1 + usize::from(config.reduce),
        }
    }

    /// Whether any of it is a pointwise product or another convolution.
    pub(crate) fn has_products(&self) -> bool {
        let is_product = |operation: &CellOperation, stride: usize| match operation {
            CellOperation::MaxPool | CellOperation::AveragePool => false,
            CellOperation::Skip => stride > 1,
            _ => true,
        };
        match self {
            Self::Operations(config) => {
                let mut operations = config.operations.iter();
                operations.any(|operation| is_product(operation, config.stride))
            }
            Self::CellInput(_) => true,
        }
    }

    fn op_weights(&self) -> usize {
        match self {
            Self::Operations(config) => config.operations.len(),
            Self::CellInput(_) => 0,
        }
    }
}

/// A subject with its numbers, every one of them the same in f32 and in f64.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) subject: Subject,
    /// `[N, H, W, C]`.
    pub(crate) source: Tensor4,
    /// Name, shape, values.
    pub(crate) parameters: Vec<(String, Vec<usize>, Vec<f64>)>,
    pub(crate) op_weights: Vec<f64>,
    /// Of the loss in the result.
    pub(crate) gradient: Tensor4,
}

impl Case {
    /// Images `[n, h, w]` and parameters at random.
    pub(crate) fn new(subject: Subject, [n, h, w]: [usize; 3], seed: u64) -> Self {
        let mut random = Random::new(seed);
        let ([inputs, outputs], stride) = (subject.channels(), subject.stride());
        let source = random.images([n, h, w, inputs], 1.7);
        let parameters = subject.parameters().into_iter().map(|(name, shape)| {
            let count = shape.iter().product();
            let fan_in: usize = shape[1..].iter().product();
            let values = match name.rsplit('.').next() {
                Some("scale") => random.values(count, 0.5).iter().map(|v| 1.0 + v).collect(),
                Some("shift") => random.values(count, 0.5),
                _ => random.values(count, (3.0 / fan_in as f64).sqrt()),
            };
            (
                name,
                shape,
                values.into_iter().map(|v| f64::from(v as f32)).collect(),
            )
        });
        let parameters = parameters.collect();
        let op_weights = random.values(subject.op_weights(), 1.0);
        let out = [n, h.div_ceil(stride), w.div_ceil(stride), outputs];
        let gradient = random.images(out, 1.0);
        Self {
            subject,
            source,
            parameters,
            op_weights,
            gradient,
        }
    }

    /// Shifts every channel before an inner ReLU to one of its sides, by turns, so far that normalised numbers stay there.
    pub(crate) fn shift_inner(&mut self) {
        let inner = |name: &str| name.ends_with("norm1.shift");
        for (name, _, values) in &mut self.parameters {
            for (c, value) in values.iter_mut().enumerate().filter(|_| inner(name)) {
                *value = if c % 2 == 0 { 8.0 } else { -8.0 };
            }
        }
    }

    pub(crate) fn parameter(&self, name: &str) -> &[f64] {
        let parameter = self.parameters.iter().find(|(found, ..)| found == name);
        &parameter.unwrap_or_else(|| panic!("no parameter {name}")).2
    }

    /// In a message.
    pub(crate) fn title(&self) -> String {
        format!("{:?} of {:?}", self.subject, self.source.shape())
    }
}

/// A result with its gradients, `[N, H, W, C]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Computed {
    pub(crate) result: Tensor4,
    pub(crate) source: Tensor4,
    /// By name, in the order of the case's parameters.
    pub(crate) parameters: Vec<(String, Vec<f64>)>,
    pub(crate) op_weights: Vec<f64>,
}

//! Weights and running statistics by name, in the shapes that PyTorch gives them.

use std::collections::BTreeMap;

use asap_kernels::{Plan, padded};

use crate::error::{Error, Result};

/// A tensor with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// For example `cells.0.edges.0-2.sep_conv_3x3.depthwise1`.
    pub name: String,
    /// For a kernel `[O, I, kh, kw]`.
    pub shape: Vec<usize>,
    /// In row-major order.
    pub values: Vec<f32>,
}

/// A slab's values by parameter, sorted by name.
pub(crate) fn from_slab(plan: &Plan, slab: &[f32]) -> Vec<NamedTensor> {
    let tensors = plan.parameters().iter().map(|parameter| {
        let values = parameter
            .kind
            .places()
            .into_iter()
            .map(|at| slab[parameter.offset + at]);
        let (name, shape) = (parameter.name.clone(), parameter.kind.shape());
        NamedTensor {
            name,
            shape,
            values: values.collect(),
        }
    });
    sorted(tensors.collect())
}

/// Means and variances by normalisation, sorted by name.
pub(crate) fn from_statistics(plan: &Plan, statistics: &[f32]) -> Vec<NamedTensor> {
    let tensors = plan.statistics().iter().flat_map(|s| {
        [("mean", 0), ("variance", padded(s.channels))].map(|(what, skip)| NamedTensor {
            name: format!("{}.{what}", s.name),
            shape: vec![s.channels],
            values: statistics[s.offset + skip..][..s.channels].to_vec(),
        })
    });
    sorted(tensors.collect())
}

pub(crate) fn sorted(mut tensors: Vec<NamedTensor>) -> Vec<NamedTensor> {
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors
}

/// Tensors that are taken out one by one; what is left over at the end belongs to no network of this kind.
pub(crate) struct Taken<'a>(BTreeMap<&'a str, &'a NamedTensor>);

impl<'a> Taken<'a> {
    pub(crate) fn new(tensors: &'a [NamedTensor]) -> Self {
        Self(tensors.iter().map(|t| (t.name.as_str(), t)).collect())
    }

    /// The values of a tensor of this shape.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<&'a [f32]> {
        let problem = match self.0.remove(name) {
            None => format!("missing, expected shape {shape:?}"),
            Some(tensor)
                if tensor.shape == shape
                    && tensor.values.len() == shape.iter().product::<usize>() =>
            {
                return Ok(&tensor.values);
            }
            Some(tensor) => {
                let (found, values) = (&tensor.shape, tensor.values.len());
                format!("expected shape {shape:?}, found {found:?} with {values} values")
            }
        };
        Err(Error::Tensor {
            name: name.to_owned(),
            problem,
        })
    }

    pub(crate) fn finish(self) -> Result<()> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let problem = "the network has no such tensor".to_owned();
                Err(Error::Tensor {
                    name: name.to_owned(),
                    problem,
                })
            }
        }
    }

    /// Fills a slab with the plan's parameters.
    pub(crate) fn slab(&mut self, plan: &Plan) -> Result<Vec<f32>> {
        let mut slab = vec![0.0; plan.slab_len()];
        for parameter in plan.parameters() {
            let values = self.take(&parameter.name, &parameter.kind.shape())?;
            for (place, value) in parameter.kind.places().into_iter().zip(values) {
                slab[parameter.offset + place] = *value;
            }
        }
        Ok(slab)
    }

    /// Fills the slab of running statistics.
    pub(crate) fn statistics(&mut self, plan: &Plan) -> Result<Vec<f32>> {
        let mut slab = vec![0.0; plan.statistics_len()];
        for s in plan.statistics() {
            for (what, skip) in [("mean", 0), ("variance", padded(s.channels))] {
                let values = self.take(&format!("{}.{what}", s.name), &[s.channels])?;
                slab[s.offset + skip..][..s.channels].copy_from_slice(values);
            }
        }
        Ok(slab)
    }
}

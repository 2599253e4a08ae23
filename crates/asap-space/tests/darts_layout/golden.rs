//! A state dict with a batch, and what PyTorch computes of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use asap_genotype::{Listing, OpWeights};
use asap_space::{
    DartsAlphas, DartsLayout, DartsNetwork, Execution, Images, NamedTensor, Network,
    darts_op_weights,
};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

/// What the files leave out: see `golden_darts.py`.
const FROM_FORMULA: &str = "auxiliary_head.features.5.weight";

/// A file of golden values.
pub(crate) struct Golden {
    tensors: BTreeMap<String, NamedTensor>,
    pub(crate) state_dict: Vec<NamedTensor>,
    pub(crate) labels: Vec<u32>,
}

impl Golden {
    pub(crate) fn read(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/golden/darts_{name}.safetensors"));
        let bytes = std::fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (mut tensors, mut labels) = (BTreeMap::new(), Vec::new());
        for (name, view) in file.tensors() {
            let shape = view.shape().to_vec();
            if view.dtype() == Dtype::I64 {
                let (numbers, _) = view.data().as_chunks::<8>();
                let numbers = numbers
                    .iter()
                    .map(|bytes| i64::from_le_bytes(*bytes) as u32);
                match name == "labels" {
                    true => labels = numbers.collect(),
                    false => assert!(name.ends_with("num_batches_tracked")),
                }
                continue;
            }
            let (numbers, _) = view.data().as_chunks::<4>();
            let values = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let values = values.collect();
            tensors.insert(
                name.clone(),
                NamedTensor {
                    name,
                    shape,
                    values,
                },
            );
        }
        let state = tensors.values().filter_map(|tensor| {
            Some(NamedTensor {
                name: tensor.name.strip_prefix("state.")?.to_owned(),
                ..tensor.clone()
            })
        });
        let mut state_dict: Vec<NamedTensor> = state.collect();
        if state_dict
            .iter()
            .any(|tensor| tensor.name.starts_with("auxiliary_head."))
        {
            state_dict.push(from_formula());
        }
        Self {
            tensors,
            state_dict,
            labels,
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> &NamedTensor {
        &self.tensors[name]
    }

    pub(crate) fn values(&self, name: &str) -> &[f32] {
        &self.tensor(name).values
    }

    /// Every tensor whose name begins with a word, by the rest of its name.
    pub(crate) fn group(&self, word: &str) -> impl Iterator<Item = (&str, &[f32])> {
        let prefix = format!("{word}.");
        self.tensors.iter().filter_map(move |(name, tensor)| {
            Some((name.strip_prefix(&prefix)?, tensor.values.as_slice()))
        })
    }

    /// Height and width of the images.
    pub(crate) fn image(&self) -> [usize; 2] {
        let shape = &self.tensor("images").shape;
        [shape[2], shape[3]]
    }

    /// The images as a network takes them: `[N, H, W, C]`.
    pub(crate) fn pixels(&self) -> Vec<f32> {
        let NamedTensor { shape, values, .. } = self.tensor("images");
        let (channels, pixels) = (shape[1], shape[2] * shape[3]);
        let mut out = Vec::with_capacity(values.len());
        for image in values.chunks_exact(channels * pixels) {
            for pixel in 0..pixels {
                out.extend((0..channels).map(|channel| image[channel * pixels + pixel]));
            }
        }
        out
    }

    pub(crate) fn network(&self, layout: &DartsLayout) -> Network {
        let execution = Execution {
            batch: self.labels.len(),
            threads: 2,
        };
        layout.network(&self.state_dict, execution).unwrap()
    }

    pub(crate) fn op_weights(&self, network: &Network) -> OpWeights {
        if !self.tensors.contains_key("alphas_normal") {
            return OpWeights::ones(network.topology());
        }
        let [normal, reduction] = ["alphas_normal", "alphas_reduce"].map(|name| {
            let mut rows = DartsAlphas::default();
            for (row, values) in rows.iter_mut().zip(self.values(name).as_chunks::<8>().0) {
                *row = *values;
            }
            rows
        });
        darts_op_weights([&normal, &reduction])
    }
}

impl Golden {
    /// The batch, with its images as [`Self::pixels`] gives them.
    pub(crate) fn batch<'a>(&'a self, pixels: &'a [f32]) -> Images<'a> {
        Images {
            pixels,
            labels: &self.labels,
        }
    }
}

/// The layout of the state dict of a published genotype.
pub(crate) fn derived(golden: &Golden, genotype: &str) -> DartsLayout {
    let listing = Listing::named(genotype).unwrap();
    let network = DartsNetwork::Derived(listing);
    DartsLayout::of_state_dict(&golden.state_dict, network, golden.image()).unwrap()
}

/// The layout of the state dict of a search network.
pub(crate) fn search(golden: &Golden) -> DartsLayout {
    DartsLayout::of_state_dict(&golden.state_dict, DartsNetwork::Search, golden.image()).unwrap()
}

fn from_formula() -> NamedTensor {
    let shape = vec![768, 128, 2, 2];
    let values = (0..shape.iter().product::<usize>() as u64).map(|i| {
        let share = (i * 2_654_435_761 % (1 << 32)) as f64 / 2_f64.powi(32);
        ((share - 0.5) * 0.2) as f32
    });
    NamedTensor {
        name: FROM_FORMULA.to_owned(),
        values: values.collect(),
        shape,
    }
}

//! Files of golden values: see `tests/golden/README.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use asap_genotype::{EDGES, OpWeights, Topology};
use asap_space::{Execution, Images, NamedTensor, Network, NetworkConfig, Regularisation};
use safetensors::tensor::{Dtype, SafeTensors};

/// A file of golden values with the network that it is about.
pub(crate) struct Golden {
    pub(crate) tensors: BTreeMap<String, NamedTensor>,
    pub(crate) labels: Vec<u32>,
    pub(crate) config: NetworkConfig,
    pub(crate) topology: Topology,
    pub(crate) op_weights: OpWeights,
    /// Of a training step.
    pub(crate) regularisation: Regularisation,
}

impl Golden {
    pub(crate) fn read(file: &str, config: NetworkConfig, topology: Topology) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/golden/{file}.safetensors"));
        let bytes = std::fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors = BTreeMap::new();
        let mut labels = Vec::new();
        for (name, view) in file.tensors() {
            let values: Vec<f32> = match view.dtype() {
                Dtype::F32 => numbers(view.data(), f32::from_le_bytes),
                Dtype::F64 => numbers(view.data(), |bytes| f64::from_le_bytes(bytes) as f32),
                _ => {
                    labels = numbers(view.data(), u32::from_le_bytes);
                    continue;
                }
            };
            let shape = view.shape().to_vec();
            tensors.insert(
                name.clone(),
                NamedTensor {
                    name,
                    shape,
                    values,
                },
            );
        }
        let op_weights = OpWeights::ones(&topology);
        Self {
            tensors,
            labels,
            config,
            topology,
            op_weights,
            regularisation: Regularisation::default(),
        }
    }

    pub(crate) fn values(&self, name: &str) -> &[f32] {
        &self.tensors[name].values
    }

    pub(crate) fn wide(&self, name: &str) -> Vec<f64> {
        self.values(name)
            .iter()
            .map(|value| f64::from(*value))
            .collect()
    }

    /// The rows of a table of edges and operations.
    pub(crate) fn by_edge(&self, name: &str) -> [Vec<f64>; EDGES] {
        let rows = self.wide(name);
        std::array::from_fn(|edge| {
            rows[edge * rows.len() / EDGES..(edge + 1) * rows.len() / EDGES].to_vec()
        })
    }

    /// The tensors whose names begin with a word, by the rest of their names.
    pub(crate) fn group(&self, word: &str) -> impl Iterator<Item = (&str, &NamedTensor)> {
        let prefix = format!("{word}.");
        self.tensors
            .iter()
            .filter_map(move |(name, tensor)| Some((name.strip_prefix(&prefix)?, tensor)))
    }

    /// A fresh network with PyTorch's parameters. All of its parameters are PyTorch's: names and shapes too.
    pub(crate) fn network(&self, threads: usize) -> Network {
        let execution = Execution {
            batch: self.labels.len(),
            threads,
        };
        let mut network =
            Network::new(self.config.clone(), self.topology.clone(), execution, 1).unwrap();
        let mut tensors = network.tensors().unwrap();
        let before: BTreeMap<&str, &NamedTensor> = self.group("before").collect();
        let (mut parameters, mut drawn) = (0, 0);
        for tensor in &mut tensors {
            if tensor.name.ends_with(".mean") {
                assert!(
                    tensor.values.iter().all(|value| *value == 0.0),
                    "{}",
                    tensor.name
                );
            } else if tensor.name.ends_with(".variance") {
                assert!(
                    tensor.values.iter().all(|value| *value == 1.0),
                    "{}",
                    tensor.name
                );
            } else if tensor.name == DRAWN {
                tensor.values = drawn_values(tensor.values.len());
                drawn += 1;
            } else {
                let golden = before[tensor.name.as_str()];
                assert_eq!(tensor.shape, golden.shape, "{}", tensor.name);
                tensor.values.clone_from(&golden.values);
                parameters += 1;
            }
        }
        assert_eq!(parameters, before.len());
        assert_eq!(drawn, usize::from(self.config.auxiliary));
        network.load_tensors(&tensors).unwrap();
        network
    }

    pub(crate) fn images(&self) -> Images<'_> {
        Images {
            pixels: self.values("pixels"),
            labels: &self.labels,
        }
    }
}

/// The one parameter that no file holds: it is large.
const DRAWN: &str = "auxiliary.conv2";

/// Numbers between -1/16 and 1/16 without an order, as `benches/peer/golden_regularised.py` draws them.
fn drawn_values(count: usize) -> Vec<f32> {
    let counters = (0..count as u32).map(|i| i.wrapping_mul(2_654_435_761));
    counters
        .map(|counter| ((counter >> 8) as f32 / (1_u32 << 24) as f32 - 0.5) / 8.0)
        .collect()
}

fn numbers<const SIZE: usize, T>(data: &[u8], read: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
    let (numbers, rest) = data.as_chunks::<SIZE>();
    assert!(rest.is_empty());
    numbers.iter().map(|bytes| read(*bytes)).collect()
}

//! Golden state dicts of PyTorch as files that the program takes: see `benches/peer/golden_darts.py`.

use crate::place::Place;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A tensor as its file has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) kind: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

impl Tensor {
    pub(crate) fn new(shape: &[usize], values: &[f32]) -> Self {
        Self {
            kind: Dtype::F32,
            shape: shape.to_vec(),
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }
    }

    pub(crate) fn labels(values: &[i64]) -> Self {
        Self {
            kind: Dtype::I64,
            shape: vec![values.len()],
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }
    }

    pub(crate) fn values(&self) -> Vec<f32> {
        assert_eq!(self.kind, Dtype::F32);
        let (words, _) = self.bytes.as_chunks::<4>();
        words
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    }
}

pub(crate) fn read(path: &Path) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let tensor = Tensor {
            kind: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        };
        (name, tensor)
    });
    tensors.collect()
}

pub(crate) fn write(place: &Place, name: &str, tensors: &Tensors) {
    let views = tensors.iter().map(|(name, tensor)| {
        let view = TensorView::new(tensor.kind, tensor.shape.clone(), &tensor.bytes).unwrap();
        (name, view)
    });
    place.write(name, safetensors::serialize(views, None).unwrap());
}

/// A golden file; its state dict lies in `weights.safetensors`, its batch in `inputs.safetensors`.
pub(crate) fn golden(place: &Place, name: &str) -> Tensors {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../asap-space/tests/golden");
    let golden = read(&folder.join(format!("darts_{name}.safetensors")));
    let state = golden.iter().filter_map(|(name, tensor)| {
        let key = name.strip_prefix("state.")?;
        Some((key.to_owned(), tensor.clone()))
    });
    write(place, "weights.safetensors", &state.collect());
    let inputs = ["images", "labels", "alphas_normal", "alphas_reduce"].map(|name| {
        let tensor = golden.get(name)?;
        Some((name.to_owned(), tensor.clone()))
    });
    write(
        place,
        "inputs.safetensors",
        &inputs.into_iter().flatten().collect(),
    );
    golden
}

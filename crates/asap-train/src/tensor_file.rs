//! Tensors and a JSON description in one safetensors file.
//!
//! The description stands in the file's metadata under one key, so that a checkpoint is one file and
//! one rename. One key only: several would be written in the order of a hash map, and the same run
//! would not give the same bytes twice.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use asap_space::NamedTensor;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::atomic::write_atomically;
use crate::error::{Error, Result};

/// Key of the description in the metadata.
const KEY: &str = "asap";

/// Writes `description` and `tensors` to `path`, whole or not at all.
pub(crate) fn write(
    path: &Path,
    description: &impl Serialize,
    tensors: &[NamedTensor],
) -> Result<()> {
    let text = serde_json::to_string(description)
        .map_err(|error| Error::malformed(path, format!("cannot be described: {error}")))?;
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|tensor| little_endian(&tensor.values))
        .collect();
    let mut views = Vec::with_capacity(tensors.len());
    for (tensor, bytes) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)
            .map_err(|error| Error::malformed(path, format!("tensor {}: {error}", tensor.name)))?;
        views.push((tensor.name.as_str(), view));
    }
    let metadata = HashMap::from([(KEY.to_owned(), text)]);
    let file = safetensors::serialize(views, Some(metadata))
        .map_err(|error| Error::malformed(path, error.to_string()))?;
    write_atomically(path, &file)
}

/// The description and the tensors, sorted by name, of the file at `path`.
pub(crate) fn read<D: DeserializeOwned>(path: &Path) -> Result<(D, Vec<NamedTensor>)> {
    let file = fs::read(path).map_err(|source| Error::io("read", path, source))?;
    let malformed = |message: String| Error::malformed(path, message);
    let (_, metadata) = SafeTensors::read_metadata(&file)
        .map_err(|error| malformed(format!("expected a safetensors file: {error}")))?;
    let text = metadata
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(KEY))
        .ok_or_else(|| {
            malformed(format!(
                "expected a description of asap under `{KEY}` in its metadata"
            ))
        })?;
    let description = serde_json::from_str(text)
        .map_err(|error| malformed(format!("its description is not as expected: {error}")))?;
    let tensors = SafeTensors::deserialize(&file).map_err(|error| malformed(error.to_string()))?;
    let mut named = Vec::with_capacity(tensors.len());
    for (name, view) in tensors.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(malformed(format!(
                "tensor {name} is {:?}, expected F32",
                view.dtype()
            )));
        }
        let (values, _) = view.data().as_chunks::<4>();
        let values = values
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        named.push(NamedTensor {
            name,
            shape: view.shape().to_vec(),
            values,
        });
    }
    named.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((description, named))
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::testing::TemporaryFolder;

    fn tensors() -> Vec<NamedTensor> {
        let values = vec![1.0, -0.0, f32::MIN_POSITIVE / 2.0, 0.1, f32::MAX, -2.5];
        vec![
            NamedTensor {
                name: "a".into(),
                shape: vec![2, 3],
                values,
            },
            NamedTensor {
                name: "b".into(),
                shape: vec![1],
                values: vec![7.0],
            },
        ]
    }

    #[test]
    fn every_bit_comes_back() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("file.safetensors");
        write(&path, &[0.1, 1.0 / 3.0], &tensors()).unwrap();
        let (description, found): (Vec<f64>, _) = read(&path).unwrap();
        assert_eq!(description, [0.1, 1.0 / 3.0]);
        assert_eq!(found.len(), 2);
        for (found, expected) in found.iter().zip(tensors()) {
            assert_eq!(
                (&found.name, &found.shape),
                (&expected.name, &expected.shape)
            );
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found.values), bits(&expected.values));
        }
    }

    #[test]
    fn the_same_content_is_the_same_bytes() {
        let folder = TemporaryFolder::new();
        let paths = ["one", "two"].map(|name| folder.path().join(name));
        for path in &paths {
            write(path, &"description", &tensors()).unwrap();
        }
        assert_eq!(fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
    }

    #[test]
    fn a_file_cut_short_is_named_in_the_error() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("file.safetensors");
        write(&path, &"description", &tensors()).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in [0, 5, 40, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let error = read::<String>(&path).unwrap_err().to_string();
            assert!(error.contains("file.safetensors"), "{error}");
        }
    }

    #[test]
    fn a_safetensors_file_of_something_else_is_refused() {
        let folder = TemporaryFolder::new();
        let path = folder.path().join("other.safetensors");
        let none: Vec<(&str, TensorView<'_>)> = Vec::new();
        fs::write(&path, safetensors::serialize(none, None).unwrap()).unwrap();
        let error = read::<String>(&path).unwrap_err().to_string();
        assert!(error.contains("expected a description of asap"), "{error}");
    }
}

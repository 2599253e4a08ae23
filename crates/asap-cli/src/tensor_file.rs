//! Safetensors files of other programs: read tensor by tensor, and written whole or not at all.

use anyhow::{Context, Result, bail};
use asap_space::NamedTensor;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::path::Path;

/// What `read` makes of the file at `path`.
///
/// # Errors
/// If the file cannot be read, is no safetensors file, or `read` fails; the message names the file.
pub(crate) fn open<T>(path: &Path, read: impl FnOnce(&SafeTensors<'_>) -> Result<T>) -> Result<T> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let place = || path.display().to_string();
    let file = SafeTensors::deserialize(&bytes)
        .context("expected a safetensors file")
        .with_context(place)?;
    read(&file).with_context(place)
}

/// Every tensor, sorted by name, but those that `skipped` names; all have to be f32.
///
/// # Errors
/// If a tensor has another type.
pub(crate) fn all_floats(
    file: &SafeTensors<'_>,
    skipped: impl Fn(&str) -> bool,
) -> Result<Vec<NamedTensor>> {
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        if !skipped(&name) {
            let values = floats(file, &name, view.shape())?;
            let shape = view.shape().to_vec();
            tensors.push(NamedTensor {
                name,
                shape,
                values,
            });
        }
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

/// The values of an f32 tensor of this shape.
///
/// # Errors
/// If there is none.
pub(crate) fn floats(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let view = tensor(file, name, Dtype::F32, shape)?;
    let (words, _) = view.data().as_chunks::<4>();
    Ok(words
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect())
}

/// A tensor of this type and shape.
///
/// # Errors
/// If there is none.
pub(crate) fn tensor<'a>(
    file: &SafeTensors<'a>,
    name: &str,
    kind: Dtype,
    shape: &[usize],
) -> Result<TensorView<'a>> {
    let view = file
        .tensor(name)
        .with_context(|| format!("expected a tensor `{name}`"))?;
    if view.dtype() != kind || view.shape() != shape {
        bail!(
            "tensor `{name}`: expected {kind:?} {shape:?}, found {:?} {:?}",
            view.dtype(),
            view.shape()
        );
    }
    Ok(view)
}

/// Writes f32 tensors, a 0 (i64, without dimensions) under every name in `counters`, and a line of metadata.
///
/// # Errors
/// If the file cannot be written; the old one is then still there.
pub(crate) fn write(
    path: &Path,
    tensors: &[NamedTensor],
    counters: &[String],
    metadata: Option<(&str, String)>,
) -> Result<()> {
    let place = || format!("cannot write {}", path.display());
    let little_endian = |tensor: &NamedTensor| -> Vec<u8> {
        tensor
            .values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let bytes: Vec<Vec<u8>> = tensors.iter().map(little_endian).collect();
    let mut views = Vec::with_capacity(tensors.len() + counters.len());
    for (tensor, bytes) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).with_context(place)?;
        views.push((tensor.name.as_str(), view));
    }
    let zero = 0_i64.to_le_bytes();
    for name in counters {
        let view = TensorView::new(Dtype::I64, Vec::new(), &zero).with_context(place)?;
        views.push((name, view));
    }
    // One key at most: several would be written in the order of a hash map.
    let metadata = metadata.map(|(key, text)| HashMap::from([(key.to_owned(), text)]));
    let file = safetensors::serialize(views, metadata).with_context(place)?;
    Ok(asap_train::write_atomically(path, &file)?)
}

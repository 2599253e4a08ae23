//! Weights, batches and alphas from files, to start where another program starts.
//!
//! Both are safetensors: the weights under this project's names, and the inputs as
//! `weight.pixels` `[N, H, W, C]`, `weight.labels` `[N]`, `alpha.pixels`, `alpha.labels`, and
//! `alphas.normal` and `alphas.reduction` `[edges, operations]`.

use super::batch::Batch;
use anyhow::{Context, Result, bail, ensure};
use asap_genotype::{CellKind, OpWeights, Topology};
use asap_space::NamedTensor;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::Path;

/// What a benchmark starts from.
pub(super) struct Inputs {
    pub(super) weight: Batch,
    pub(super) alpha: Batch,
    /// Absent for a network without choices.
    pub(super) alphas: Option<OpWeights>,
}

/// The inputs in the file at `path`, for images of `shape` `[N, H, W, C]`.
///
/// # Errors
/// If the file cannot be read or has other tensors; the message names it.
pub(super) fn read(path: &Path, shape: [usize; 4], topology: &Topology) -> Result<Inputs> {
    open(path, |file| {
        let batch = |name: &str| -> Result<Batch> {
            let pixels = floats(file, &format!("{name}.pixels"), &shape)?;
            let labels = tensor(file, &format!("{name}.labels"), Dtype::U32, &shape[..1])?;
            let labels = words(labels.data()).map(u32::from_le_bytes).collect();
            Ok(Batch { pixels, labels })
        };
        let has_alphas = file.names().iter().any(|name| name.starts_with("alphas."));
        let alphas = has_alphas.then(|| alphas(file, topology)).transpose()?;
        Ok(Inputs {
            weight: batch("weight")?,
            alpha: batch("alpha")?,
            alphas,
        })
    })
}

/// Every tensor of the file at `path`.
///
/// # Errors
/// If the file cannot be read or has tensors of another type; the message names it.
pub(super) fn read_tensors(path: &Path) -> Result<Vec<NamedTensor>> {
    open(path, |file| {
        let mut tensors = Vec::new();
        for (name, view) in file.tensors() {
            let values = floats(file, &name, view.shape())?;
            tensors.push(NamedTensor {
                name,
                shape: view.shape().to_vec(),
                values,
            });
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tensors)
    })
}

fn open<T>(path: &Path, read: impl FnOnce(&SafeTensors<'_>) -> Result<T>) -> Result<T> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let place = || path.display().to_string();
    let file = SafeTensors::deserialize(&bytes).with_context(place)?;
    read(&file).with_context(place)
}

fn alphas(file: &SafeTensors<'_>, topology: &Topology) -> Result<OpWeights> {
    let mut alphas = OpWeights::zeros(topology);
    for kind in CellKind::ALL {
        let rows = alphas.cell_mut(kind);
        let shape = [rows.len(), rows[0].len()];
        let mut values = floats(file, &format!("alphas.{kind}"), &shape)?.into_iter();
        for row in rows {
            ensure!(
                row.len() == shape[1],
                "alphas need the same operations on every edge"
            );
            row.iter_mut()
                .zip(&mut values)
                .for_each(|(alpha, value)| *alpha = f64::from(value));
        }
    }
    Ok(alphas)
}

fn floats(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let view = tensor(file, name, Dtype::F32, shape)?;
    Ok(words(view.data()).map(f32::from_le_bytes).collect())
}

fn tensor<'a>(
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

fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    bytes.as_chunks::<4>().0.iter().copied()
}

//! Weights, batches and alphas from files, to start where another program starts.
//!
//! Both are safetensors: the weights under this project's names, and the inputs as
//! `weight.pixels` `[N, H, W, C]`, `weight.labels` `[N]`, `alpha.pixels`, `alpha.labels`, and
//! `alphas.normal` and `alphas.reduction` `[edges, operations]`.

use super::batch::Batch;
use crate::tensor_file::{all_floats, floats, open, tensor};
use anyhow::{Result, ensure};
use asap_genotype::{CellKind, OpWeights, Topology};
use asap_space::NamedTensor;
use safetensors::tensor::{Dtype, SafeTensors};
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
            let (words, _) = labels.data().as_chunks::<4>();
            let labels = words
                .iter()
                .map(|bytes| u32::from_le_bytes(*bytes))
                .collect();
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
    open(path, |file| all_floats(file, |_| false))
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

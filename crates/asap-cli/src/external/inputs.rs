//! Images, labels and alphas from a file, as PyTorch has them.

use crate::tensor_file::{floats, open, tensor};
use anyhow::{Context, Result, bail, ensure};
use asap_space::DartsAlphas;
use safetensors::tensor::{Dtype, SafeTensors};
use std::path::Path;

/// A batch as another program wrote it.
pub(super) struct Inputs {
    /// The file, for errors.
    place: String,
    /// `[N, C, H, W]`.
    pub(super) shape: [usize; 4],
    /// The images in asap's order, `[N, H, W, C]`.
    pub(super) pixels: Vec<f32>,
    labels: Option<Vec<i64>>,
    alphas: Option<[DartsAlphas; 2]>,
}

impl Inputs {
    /// What the file at `path` holds.
    ///
    /// # Errors
    /// If the file cannot be read, or a tensor has another type or shape than it should.
    pub(super) fn read(path: &Path) -> Result<Self> {
        open(path, |file| {
            let images = file
                .tensor("images")
                .context("expected a tensor `images`")?;
            let shape = match images.shape() {
                &[n, c, h, w] if n > 0 => [n, c, h, w],
                other => bail!("tensor `images`: expected [N, C, H, W], found {other:?}"),
            };
            let has = |name: &str| file.names().contains(&name);
            Ok(Self {
                place: path.display().to_string(),
                shape,
                pixels: channels_last(&floats(file, "images", &shape)?, shape),
                labels: has("labels").then(|| labels(file, shape[0])).transpose()?,
                alphas: has("alphas_normal").then(|| alphas(file)).transpose()?,
            })
        })
    }

    /// A label for each image, each under `classes`.
    ///
    /// # Errors
    /// If there are none, or one is of no class.
    pub(super) fn labels(&self, classes: usize) -> Result<Vec<u32>> {
        let labels = self.labels.as_ref();
        let labels = labels
            .with_context(|| format!("{}: expected a tensor `labels`, I64 [N]", self.place))?;
        let class_of = |&label: &i64| {
            let class = u32::try_from(label).ok();
            let class = class.filter(|&class| (class as usize) < classes);
            class.with_context(|| {
                let (place, last) = (&self.place, classes - 1);
                format!("{place}: tensor `labels`: expected classes 0 to {last}, found {label}")
            })
        };
        labels.iter().map(class_of).collect()
    }

    /// The alphas of normal and reduction cells.
    ///
    /// # Errors
    /// If there are none.
    pub(super) fn alphas(&self) -> Result<[&DartsAlphas; 2]> {
        let alphas = self.alphas.as_ref().with_context(|| {
            let place = &self.place;
            format!("{place}: expected tensors `alphas_normal` and `alphas_reduce`, F32 [14, 8]")
        });
        let [normal, reduction] = alphas?;
        Ok([normal, reduction])
    }
}

fn labels(file: &SafeTensors<'_>, images: usize) -> Result<Vec<i64>> {
    let view = tensor(file, "labels", Dtype::I64, &[images])?;
    let (words, _) = view.data().as_chunks::<8>();
    Ok(words
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes))
        .collect())
}

fn alphas(file: &SafeTensors<'_>) -> Result<[DartsAlphas; 2]> {
    let read = |name: &str| -> Result<DartsAlphas> {
        let mut rows = DartsAlphas::default();
        let values = floats(file, name, &[rows.len(), rows[0].len()])?;
        ensure!(
            values.iter().all(|value| value.is_finite()),
            "tensor `{name}`: expected finite numbers"
        );
        for (row, values) in rows.iter_mut().zip(values.as_chunks().0) {
            *row = *values;
        }
        Ok(rows)
    };
    Ok([read("alphas_normal")?, read("alphas_reduce")?])
}

fn channels_last(values: &[f32], [_, channels, height, width]: [usize; 4]) -> Vec<f32> {
    let pixels = height * width;
    let mut out = Vec::with_capacity(values.len());
    for image in values.chunks_exact((channels * pixels).max(1)) {
        for pixel in 0..pixels {
            out.extend((0..channels).map(|channel| image[channel * pixels + pixel]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_a_pixel_come_to_lie_side_by_side() {
        let images = [0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0];
        let found = channels_last(&images, [2, 2, 1, 2]);
        assert_eq!(found, [0.0, 10.0, 1.0, 11.0, 20.0, 30.0, 21.0, 31.0]);
    }
}

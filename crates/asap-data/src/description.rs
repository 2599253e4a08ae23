//! What a data set holds, in figures.

use std::fmt;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::normalisation::Normalisation;

/// Counts, sizes and colours of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// What it is called.
    pub name: String,
    /// Number of images.
    pub images: usize,
    /// Name of each class and its number of images, in the order of the labels.
    pub classes: Vec<(String, usize)>,
    /// Height of every image, in pixels.
    pub height: usize,
    /// Width of every image, in pixels.
    pub width: usize,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Mean and standard deviation of each channel over all images, as [`Normalisation::of`] takes them.
    pub normalisation: Normalisation,
    /// Bytes of all images, decoded.
    pub bytes: u64,
    /// Whether images are decoded from their files when they are needed, because they would take more than a quarter
    /// of the memory available; else they are held in memory.
    pub streamed: bool,
    /// Number of files that were left out because they could not be read.
    pub skipped: usize,
}

impl Dataset {
    /// Counts, sizes and colours of this data set.
    ///
    /// # Errors
    ///
    /// If images are decoded on the fly and a file cannot be read any more.
    pub fn describe(&self) -> Result<Description> {
        let mut counts = vec![0; self.classes().len()];
        for &label in self.labels() {
            counts[label as usize] += 1;
        }
        Ok(Description {
            name: self.name().to_owned(),
            images: self.len(),
            classes: self.classes().iter().cloned().zip(counts).collect(),
            height: self.height(),
            width: self.width(),
            channels: self.channels(),
            normalisation: Normalisation::of(self, &self.indices())?,
            bytes: self.len() as u64 * self.image_bytes() as u64,
            streamed: self.is_streamed(),
            skipped: self.skipped().len(),
        })
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colour = if self.channels == 1 { "grey" } else { "RGB" };
        let (height, width) = (self.height, self.width);
        writeln!(
            f,
            "{}: {} images, {height}x{width} pixels, {colour}",
            self.name, self.images
        )?;
        let figures = |numbers: &[f64]| {
            numbers
                .iter()
                .map(|number| format!("{number:.4}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let Normalisation { mean, std } = &self.normalisation;
        writeln!(f, "mean {}, std {}", figures(mean), figures(std))?;
        let mebibytes = self.bytes as f64 / f64::from(1 << 20);
        let kept = match self.streamed {
            true => "decoded on the fly: more than a quarter of the memory available",
            false => "held in memory",
        };
        writeln!(f, "{mebibytes:.1} MiB of images, {kept}")?;
        if self.skipped > 0 {
            writeln!(f, "{} files left out: they cannot be read", self.skipped)?;
        }
        let longest = self
            .classes
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        write!(f, "{} classes", self.classes.len())?;
        for (name, count) in &self.classes {
            write!(f, "\n  {name:longest$}  {count}")?;
        }
        Ok(())
    }
}

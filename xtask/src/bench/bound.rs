//! What a step cannot take less than on a GPU: for each kernel the time of its bytes or of its arithmetic, whichever is
//! longer, at the figures that the card's maker gives.

use super::configuration::Precision;
use super::program::number;
use anyhow::{Context, Result};
use serde_json::Value;

/// What a card can do at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Card {
    bytes_per_second: f64,
    /// On tensor cores without sparsity, in f32 on the others.
    flops_per_second: [f64; 3],
}

/// Words of the names of cards, all of which must be there, with NVIDIA's figures for them.
const CARDS: [(&[&str], Card); 2] = [
    (
        &["H100", "HBM3"],
        Card {
            bytes_per_second: 3.35e12,
            flops_per_second: [67e12, 495e12, 989e12],
        },
    ),
    (
        &["H200"],
        Card {
            bytes_per_second: 4.8e12,
            flops_per_second: [67e12, 495e12, 989e12],
        },
    ),
];
/// Cards for two slots and parts of a card, with less of everything than those of the same number.
const SLOWER: [&str; 3] = ["NVL", "PCIe", "MIG"];

impl Card {
    /// The card with a name as the driver gives it; `None` if its figures are not known here.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let has = |word: &&str| name.split_whitespace().any(|one| one == *word);
        if SLOWER.iter().any(has) {
            return None;
        }
        let fits = |words: &[&str]| words.iter().all(has);
        CARDS
            .iter()
            .find(|(words, _)| fits(words))
            .map(|(_, card)| *card)
    }

    fn seconds(self, bytes: f64, flops: f64, precision: Precision) -> f64 {
        let rate = self.flops_per_second[precision as usize];
        (bytes / self.bytes_per_second).max(flops / rate)
    }
}

/// What one kernel does in a step, in all its launches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kernel {
    pub(crate) name: String,
    pub(crate) launches: f64,
    pub(crate) seconds: f64,
    pub(crate) bytes: f64,
    pub(crate) flops: f64,
}

impl Kernel {
    /// The kernels of a profiled step, the one that takes longest first.
    ///
    /// # Errors
    /// If the line has none, or one lacks a figure.
    pub(crate) fn all(line: &Value) -> Result<Vec<Self>> {
        let found = line["kernels"].as_object();
        let found = found.with_context(|| {
            format!("expected an object in `kernels`, found {}", line["kernels"])
        })?;
        let kernel = |(name, fields): (&String, &Value)| -> Result<Self> {
            let figure = |field| number(fields, field).with_context(|| format!("kernel {name}"));
            Ok(Self {
                name: name.clone(),
                launches: figure("launches")?,
                seconds: figure("seconds")?,
                bytes: figure("bytes")?,
                flops: figure("flops")?,
            })
        };
        let mut kernels: Vec<Self> = found.iter().map(kernel).collect::<Result<_>>()?;
        kernels.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        Ok(kernels)
    }

    /// The least that it can take.
    pub(crate) fn bound_seconds(&self, card: Card, precision: Precision) -> f64 {
        card.seconds(self.bytes, self.flops, precision)
    }

    /// The part of its time that its bound explains.
    pub(crate) fn share_of_bound(&self, card: Card, precision: Precision) -> f64 {
        self.bound_seconds(card, precision) / self.seconds
    }
}

/// The least that kernels can take together.
pub(crate) fn bound_seconds(kernels: &[Kernel], card: Card, precision: Precision) -> f64 {
    let bounds = kernels
        .iter()
        .map(|kernel| kernel.bound_seconds(card, precision));
    bounds.sum()
}

/// The share of the time that kernels spend at more than half of their bound.
pub(crate) fn share_near_bound(kernels: &[Kernel], card: Card, precision: Precision) -> f64 {
    let near = |kernel: &&Kernel| kernel.share_of_bound(card, precision) > 0.5;
    let all: f64 = kernels.iter().map(|kernel| kernel.seconds).sum();
    let near: f64 = kernels
        .iter()
        .filter(near)
        .map(|kernel| kernel.seconds)
        .sum();
    near / all
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use serde_json::json;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    }

    #[test]
    fn cards_are_known_by_their_names() {
        for (name, known) in [
            ("NVIDIA H100 80GB HBM3", true),
            ("NVIDIA H200", true),
            ("NVIDIA H100 PCIe", false),
            ("NVIDIA H200 NVL", false),
            ("NVIDIA H200 MIG 1g.18gb", false),
            ("NVIDIA GH200 480GB", false),
            ("NVIDIA A100-SXM4-80GB", false),
            ("cpu", false),
        ] {
            assert_eq!(Card::named(name).is_some(), known, "{name}");
        }
        let h200 = Card::named("NVIDIA H200").unwrap();
        close(h200.seconds(4.8e12, 0.0, Precision::F32), 1.0);
    }

    #[test]
    fn a_kernel_is_bound_by_what_takes_longer() {
        let card = Card::named("NVIDIA H100 80GB HBM3").unwrap();
        close(card.seconds(3.35e9, 1e9, Precision::Tf32), 1e-3);
        close(card.seconds(3.35e9, 990e9, Precision::Tf32), 2e-3);
        close(card.seconds(1.0, 989e9, Precision::Bf16), 1e-3);
        close(card.seconds(1.0, 67e9, Precision::F32), 1e-3);
    }

    #[test]
    fn kernels_of_a_line_have_a_bound_together_and_a_share_near_it() {
        let card = Card::named("NVIDIA H100 80GB HBM3").unwrap();
        let kernel = |seconds: f64, bytes: f64| json!({"launches": 2, "seconds": seconds, "bytes": bytes, "flops": 0});
        let line =
            json!({"kernels": {"slow": kernel(3e-3, 3.35e9), "quick": kernel(1e-3, 2.68e9)}});
        let kernels = Kernel::all(&line).unwrap();
        assert_eq!(kernels[0].name, "slow");
        close(kernels[0].share_of_bound(card, Precision::Tf32), 1.0 / 3.0);
        close(kernels[1].share_of_bound(card, Precision::Tf32), 0.8);
        close(bound_seconds(&kernels, card, Precision::Tf32), 1.8e-3);
        close(share_near_bound(&kernels, card, Precision::Tf32), 0.25);
    }

    #[test]
    fn a_line_without_kernels_is_refused() {
        let error = Kernel::all(&json!({"kernels": null})).unwrap_err();
        assert!(error.to_string().contains("`kernels`, found null"));
        let error = Kernel::all(&json!({"kernels": {"mix": {"launches": 1}}})).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("kernel mix") && text.contains("`seconds`"),
            "{text}"
        );
    }
}

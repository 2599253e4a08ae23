//! How a step runs on a GPU: the precision of both programs, and PyTorch's mode and layout.
//!
//! PyTorch is compared at its best, and which configuration that is depends on network and card: all are tried.

use anyhow::{Result, ensure};
use clap::ValueEnum;
use serde_json::Value;

/// In what numbers products are computed; sums are in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// 24 bits
    F32,
    /// 11 bits in the range of f32
    Tf32,
    /// 8 bits in the range of f32
    Bf16,
}

impl Precision {
    pub(crate) const ALL: [Self; 3] = [Self::F32, Self::Tf32, Self::Bf16];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }
}

/// A GPU and the precision that asap computes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gpu {
    /// `cuda` or `cuda:N`.
    pub(crate) device: String,
    pub(crate) precision: Precision,
}

impl Gpu {
    /// The GPU of a device `cuda` or `cuda:N`.
    ///
    /// # Errors
    /// If that is no such device.
    pub(crate) fn new(device: &str, precision: Precision) -> Result<Self> {
        let number = device.strip_prefix("cuda").and_then(|rest| match rest {
            "" => Some(0),
            _ => rest.strip_prefix(':')?.parse::<u32>().ok(),
        });
        ensure!(
            number.is_some(),
            "--device: expected cpu, cuda or cuda:N, found {device}"
        );
        Ok(Self {
            device: device.to_owned(),
            precision,
        })
    }

    /// What tells asap to compute there.
    pub(crate) fn for_asap(&self) -> Vec<String> {
        let words = [
            "--device",
            &self.device,
            "--precision",
            self.precision.name(),
        ];
        words.map(str::to_owned).to_vec()
    }
}

/// How PyTorch runs the operations of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Eager,
    /// The whole step as one CUDA graph.
    Graph,
    Compile,
    MaxAutotune,
}

/// The order of an image's values in PyTorch's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Nchw,
    ChannelsLast,
}

impl Layout {
    fn name(self) -> &'static str {
        match self {
            Self::Nchw => "nchw",
            Self::ChannelsLast => "channels-last",
        }
    }
}

/// A configuration of PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    pub(crate) mode: Mode,
    pub(crate) precision: Precision,
    /// Without one it takes the layout that was the faster one without compiling.
    pub(crate) layout: Option<Layout>,
}

/// What came of trying a configuration: the JSON line, if there is one.
pub(crate) type Trial = (Configuration, Option<Value>);

impl Configuration {
    pub(crate) fn eager(precision: Precision) -> Self {
        Self {
            mode: Mode::Eager,
            precision,
            layout: Some(Layout::ChannelsLast),
        }
    }

    /// Those to try, in an order in which each finds what it needs to know.
    pub(crate) fn all(precisions: &[Precision]) -> Vec<Self> {
        let of = |&precision: &Precision| {
            [
                (Mode::Eager, Some(Layout::Nchw)),
                (Mode::Eager, Some(Layout::ChannelsLast)),
                (Mode::Graph, Some(Layout::Nchw)),
                (Mode::Graph, Some(Layout::ChannelsLast)),
                (Mode::Compile, None),
                (Mode::MaxAutotune, None),
            ]
            .map(|(mode, layout)| Self {
                mode,
                precision,
                layout,
            })
        };
        precisions.iter().flat_map(of).collect()
    }

    /// Whether PyTorch's compiler has to see the step first, which takes many minutes.
    pub(crate) fn compiles(self) -> bool {
        matches!(self.mode, Mode::Compile | Mode::MaxAutotune)
    }

    /// `eager-tf32-nchw`, `compile-bf16`.
    pub(crate) fn name(self) -> String {
        let layout = self
            .layout
            .map_or(String::new(), |layout| format!("-{}", layout.name()));
        format!("{}-{}{layout}", self.mode_name(), self.precision.name())
    }

    /// What tells a program in PyTorch, on a device; `trials` are the configurations tried so far.
    pub(crate) fn arguments(self, device: &str, trials: &[Trial]) -> Vec<String> {
        let layout = self
            .layout
            .unwrap_or_else(|| faster_layout(self.precision, trials));
        let words = [
            "--device",
            device,
            "--mode",
            self.mode_name(),
            "--precision",
            self.precision.name(),
            "--layout",
            layout.name(),
        ];
        words.map(str::to_owned).to_vec()
    }

    fn mode_name(self) -> &'static str {
        match self.mode {
            Mode::Eager => "eager",
            Mode::Graph => "graph",
            Mode::Compile => "compile",
            Mode::MaxAutotune => "max-autotune",
        }
    }
}

/// The configuration with the fastest step; `None` if none has worked.
pub(crate) fn fastest(trials: &[Trial]) -> Option<Configuration> {
    let timed = trials.iter().filter_map(|(configuration, line)| {
        let seconds = line.as_ref()?["median_step_s"].as_f64()?;
        Some((*configuration, seconds))
    });
    let best = timed.min_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map(|(configuration, _)| configuration)
}

/// The layout that was faster as a graph, or in eager mode where no graph worked: there the processor may be what limits both.
fn faster_layout(precision: Precision, trials: &[Trial]) -> Layout {
    let of = |mode| {
        let tried = trials.iter().filter(|(configuration, _)| {
            configuration.mode == mode && configuration.precision == precision
        });
        fastest(&tried.cloned().collect::<Vec<Trial>>())
    };
    of(Mode::Graph)
        .or_else(|| of(Mode::Eager))
        .and_then(|configuration| configuration.layout)
        .unwrap_or(Layout::ChannelsLast)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trials(precision: Precision, seconds: [Option<f64>; 6]) -> Vec<Trial> {
        let line = |s: Option<f64>| s.map(|s| json!({ "median_step_s": s }));
        let all = Configuration::all(&[precision]).into_iter();
        all.zip(seconds.map(line)).collect()
    }

    #[test]
    fn every_mode_is_tried_in_every_precision() {
        let names: Vec<String> = Configuration::all(&[Precision::Tf32, Precision::Bf16])
            .into_iter()
            .map(Configuration::name)
            .collect();
        assert_eq!(
            names,
            [
                "eager-tf32-nchw",
                "eager-tf32-channels-last",
                "graph-tf32-nchw",
                "graph-tf32-channels-last",
                "compile-tf32",
                "max-autotune-tf32",
                "eager-bf16-nchw",
                "eager-bf16-channels-last",
                "graph-bf16-nchw",
                "graph-bf16-channels-last",
                "compile-bf16",
                "max-autotune-bf16",
            ]
        );
    }

    #[test]
    fn the_fastest_that_worked_is_the_best() {
        let all = trials(
            Precision::Tf32,
            [Some(0.3), Some(0.2), None, None, None, Some(0.25)],
        );
        let best = fastest(&all).map(Configuration::name);
        assert_eq!(best.as_deref(), Some("eager-tf32-channels-last"));
        assert_eq!(fastest(&trials(Precision::Tf32, [None; 6])), None);
    }

    #[test]
    fn compiling_takes_the_layout_that_was_faster_without() {
        let compile = Configuration::all(&[Precision::Bf16])[4];
        let timed = |eager: [f64; 2], graph: [Option<f64>; 2]| {
            let [a, b] = eager.map(Some);
            [a, b, graph[0], graph[1], None, None]
        };
        for (seconds, expected) in [
            (timed([0.1, 0.2], [None, None]), "nchw"),
            (timed([0.3, 0.2], [None, None]), "channels-last"),
            (timed([0.3, 0.2], [Some(0.1), Some(0.15)]), "nchw"),
            (timed([0.1, 0.2], [Some(0.15), Some(0.1)]), "channels-last"),
            // The one graph that worked says more than eager mode.
            (timed([0.1, 0.2], [None, Some(0.15)]), "channels-last"),
            ([None; 6], "channels-last"),
        ] {
            let found = compile.arguments("cuda", &trials(Precision::Bf16, seconds));
            assert_eq!(found.last().map(String::as_str), Some(expected));
        }
        // What another precision likes does not matter.
        let other = trials(Precision::Tf32, timed([0.1, 0.2], [None, None]));
        let found = compile.arguments("cuda", &other).join(" ");
        assert_eq!(
            found,
            "--device cuda --mode compile --precision bf16 --layout channels-last"
        );
    }
}

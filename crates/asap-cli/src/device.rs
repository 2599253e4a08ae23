//! `--device` and `--precision`: what computes, and how.

use crate::output;
use anyhow::{Result, bail};
use asap_space::{Place, Precision};
use asap_train::ComputedOn;
use clap::ValueEnum;
use std::str::FromStr;

/// Flags of the device.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct DeviceFlags {
    /// What computes: auto (a GPU where this build and the machine have one), cpu, cuda, or cuda:N for another GPU than the
    /// first [default: auto]
    #[arg(long, value_name = "DEVICE")]
    device: Option<Choice>,
    /// How a GPU multiplies: with factors of f32, tf32 or bf16, which also halves most of the memory; sums are f32 or wider
    /// [default: tf32; f32 on the CPU]
    #[arg(long, value_enum, hide_possible_values = true)]
    precision: Option<Factors>,
    /// What a GPU computes in where nothing is asked for.
    #[arg(skip)]
    usual: Precision,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Auto,
    Cpu,
    Cuda(usize),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ordinal = |text: &str| text.parse().ok();
        match text {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(ordinal)
                .map(Self::Cuda),
        }
        .ok_or_else(|| format!("expected auto, cpu, cuda or cuda:N, found {text}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Factors {
    F32,
    Tf32,
    Bf16,
}

impl Factors {
    fn precision(self) -> Precision {
        match self {
            Self::F32 => Precision::F32,
            Self::Tf32 => Precision::Tf32,
            Self::Bf16 => Precision::Bf16,
        }
    }
}

impl DeviceFlags {
    /// Where networks run. Of a GPU that `auto` does not come to, a line says why.
    ///
    /// # Errors
    /// If what was asked for is not there, or cannot compute like that.
    pub(crate) fn place(self) -> Result<Place> {
        match self.device.unwrap_or(Choice::Auto) {
            Choice::Cuda(ordinal) => cuda(ordinal, self.gpu_precision()),
            Choice::Cpu => self.processor(),
            Choice::Auto if !cfg!(feature = "cuda") => self.processor(),
            Choice::Auto => match cuda(0, self.gpu_precision()) {
                Ok(place) => Ok(place),
                Err(error) => {
                    output::note(format_args!("the CPU computes: {error:#}"));
                    self.processor()
                }
            },
        }
    }

    /// The flags of a run that is gone on with: what they leave open is as it was before.
    pub(crate) fn of_run(self, before: Option<&ComputedOn>) -> Self {
        let Some(before) = before else {
            return self;
        };
        let device = self.device.or(match before.is_processor() {
            true => Some(Choice::Cpu),
            // Which of several GPUs it was does not matter; that there may be none today, `auto` knows.
            false => None,
        });
        // Of a GPU alone: if there is none today, the CPU goes on in its own.
        let usual = match before.is_processor() {
            true => self.usual,
            false => before.precision().unwrap_or(self.usual),
        };
        Self {
            device,
            usual,
            ..self
        }
    }

    /// Whether the CPU was asked for by name.
    pub(crate) fn is_processor(self) -> bool {
        self.device == Some(Choice::Cpu)
    }

    /// Refuses a device for what only the processor does.
    ///
    /// # Errors
    /// If a GPU was asked for, or a precision that only one has.
    pub(crate) fn require_processor(self, what: &str) -> Result<()> {
        if let Some(Choice::Cuda(_)) = self.device {
            bail!("{what} computes on the CPU: leave out --device, or give it cpu");
        }
        self.processor().map(drop)
    }

    fn gpu_precision(self) -> Precision {
        self.precision.map_or(self.usual, Factors::precision)
    }

    fn processor(self) -> Result<Place> {
        match self.precision.map(Factors::precision) {
            None | Some(Precision::F32) => Ok(Place::Processor),
            Some(other) => bail!(
                "--precision: expected f32 on the CPU, found {}",
                other.name()
            ),
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda(ordinal: usize, precision: Precision) -> Result<Place> {
    Ok(Place::cuda(ordinal, precision)?)
}

#[cfg(not(feature = "cuda"))]
fn cuda(_ordinal: usize, _precision: Precision) -> Result<Place> {
    bail!("this asap was built without CUDA: cargo xtask cuda build")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_the_help_says() {
        let read = |text: &str| text.parse::<Choice>();
        assert_eq!(read("auto"), Ok(Choice::Auto));
        assert_eq!(read("cpu"), Ok(Choice::Cpu));
        assert_eq!(read("cuda"), Ok(Choice::Cuda(0)));
        assert_eq!(read("cuda:3"), Ok(Choice::Cuda(3)));
        for other in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CUDA"] {
            assert!(read(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_run_goes_on_as_it_was_unless_told_otherwise() {
        let before = |device: &str, precision: &str| ComputedOn {
            device: device.to_owned(),
            precision: precision.to_owned(),
        };
        let gone_on = |device, precision, before: &ComputedOn| {
            let usual = Precision::default();
            let flags = DeviceFlags {
                device,
                precision,
                usual,
            };
            let flags = flags.of_run(Some(before));
            (flags.device, flags.gpu_precision())
        };
        let processor = before("cpu", "f32");
        let gpu = before("NVIDIA H100", "bf16");
        let (cpu, cuda) = (Some(Choice::Cpu), Some(Choice::Cuda(1)));
        assert_eq!(gone_on(None, None, &processor).0, cpu);
        assert_eq!(gone_on(None, None, &gpu), (None, Precision::Bf16));
        // What is said counts, the rest stays.
        assert_eq!(gone_on(cuda, None, &gpu), (cuda, Precision::Bf16));
        assert_eq!(gone_on(cuda, None, &processor), (cuda, Precision::Tf32));
        let tf32 = Some(Factors::Tf32);
        assert_eq!(gone_on(None, tf32, &gpu), (None, Precision::Tf32));
    }

    #[test]
    fn a_run_of_a_gpu_goes_on_without_one_too() {
        // Where there is none, as in a build without CUDA, the CPU takes over in its own precision.
        let flags = DeviceFlags {
            device: None,
            precision: None,
            usual: Precision::Tf32,
        };
        let before = ComputedOn {
            device: "NVIDIA H100".to_owned(),
            precision: "bf16".to_owned(),
        };
        assert!(flags.of_run(Some(&before)).place().is_ok());
    }
}

//! `asap bench step`: the time of one step of a supernet, or of a network derived from it.

use super::job::{Job, Start, Step};
use super::launches;
use super::report::{Measured, Report};
use super::scale::Scale;
use crate::device::DeviceFlags;
use crate::{genotypes, output};
use anyhow::{Result, ensure};
use asap_genotype::{OpSet, Topology};
use asap_space::{Execution, Form, Place, macs_per_image, parameter_count};
use asap_train::peak_resident_bytes;
use std::path::PathBuf;
use std::time::Instant;

/// Settings of `asap bench step`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) scale: Scale,
    /// Channels of an image
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) image_channels: usize,
    /// Steps that are timed
    #[arg(long, value_name = "N", default_value_t = 5)]
    steps: usize,
    /// Steps before the clock starts
    #[arg(long, value_name = "N", default_value_t = 2)]
    warmup: usize,
    /// Threads that compute [default: as many as the machine has cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Which update is timed
    #[arg(long, value_enum, default_value_t = Step::Weight)]
    pub(super) step: Step,
    /// Time a derived network instead of the supernet: a published name or a genotype file
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) genotype: Option<String>,
    /// Give the derived network the form that is trained for use, in the place of the supernet's
    #[arg(long = "final", requires = "genotype")]
    is_final: bool,
    /// Seed of weights, images and alphas
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    device: DeviceFlags,
    /// Time the kernels of a step one by one too, on a GPU
    #[arg(long)]
    profile: bool,
    /// Start from the weights of a safetensors file
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Start from the images and alphas of a safetensors file
    #[arg(long, value_name = "FILE")]
    inputs: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(cores)
    }

    pub(super) fn form(&self) -> Form {
        if self.is_final {
            Form::Final
        } else {
            Form::Search
        }
    }

    fn start<'a>(&'a self, place: &'a Place) -> Result<Start<'a>> {
        ensure!(
            self.threads() > 0,
            "--threads: expected at least 1, found 0"
        );
        let topology = match &self.genotype {
            Some(genotype) => Topology::from_genotype(&genotypes::find(genotype)?),
            None => Topology::full(&OpSet::darts7()),
        };
        ensure!(
            self.genotype.is_none() || self.step == Step::Weight,
            "--genotype: a derived network has no alphas, so --step must be weight"
        );
        Ok(Start {
            config: self.scale.network(self.image_channels, self.form()),
            topology,
            execution: Execution {
                batch: self.scale.batch,
                threads: self.threads(),
            },
            place,
            seed: self.seed,
            weights: self.weights.as_deref(),
            inputs: self.inputs.as_deref(),
        })
    }
}

/// Times the steps and prints the line.
///
/// # Errors
/// If a setting makes no sense, a file cannot be read, or the network cannot be built.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.steps > 0, "--steps: expected at least 1, found 0");
    let place = arguments.device.place()?;
    ensure!(
        place.is_device() || !arguments.profile,
        "--profile: only a GPU runs kernels one by one, and the CPU computes here"
    );
    let start = arguments.start(&place)?;
    let base_bytes = peak_resident_bytes();
    let mut job = Job::new(start)?;
    let started = Instant::now();
    let mut losses = job.run(arguments.step, arguments.warmup)?.losses;
    let warmup_seconds = started.elapsed().as_secs_f64();
    let timed = job.run(arguments.step, arguments.steps)?;
    losses.extend(timed.losses);
    let on_device = launches::of(&mut job, arguments.step, arguments.profile)?;
    let (config, topology) = (job.network.config(), job.network.topology());
    let measured = Measured {
        warmup_seconds,
        steps: timed.seconds,
        losses,
        macs_per_image: macs_per_image(config, topology)?,
        weights: parameter_count(config, topology)?,
        base_bytes,
        peak_bytes: peak_resident_bytes(),
        place,
        on_device,
    };
    output::line(serde_json::to_string(&Report::new(arguments, measured))?)
}

//! `asap plan`: what a search will take, before it starts.

use crate::images::Images;
use crate::quantities::{bytes, costs, count, duration, percent};
use crate::settings::{SearchFlags, Settings};
use crate::{output, planning};
use anyhow::Result;
use asap_space::Place;
use asap_train::{Costs, PlannedPhase, RunPlan, available_bytes};
use clap::ValueEnum;
use serde::Serialize;

/// Settings of `asap plan`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    flags: SearchFlags,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON line
    Json,
}

/// Measures a few steps and prints the plan.
///
/// # Errors
/// If a setting is out of its range, images cannot be read, or memory or budget are too small.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let config = arguments.settings.search_config(&arguments.flags)?;
    let images = Images::new(config.data.clone());
    let (_, plan) = planning::plan(&Place::Processor, config, arguments.flags.budget, &images)?;
    match arguments.format {
        Format::Text => output::line(text(&plan)),
        Format::Json => output::line(serde_json::to_string(&Json::new(&plan))?),
    }
}

fn text(plan: &RunPlan) -> String {
    let forecast = &plan.forecast;
    let mut lines = vec![
        phase("search", &plan.search),
        phase("training", &plan.train),
        format!("test      {}", duration(plan.test_seconds)),
        format!("in all    {}", duration(plan.seconds)),
        format!(
            "memory    {}{}",
            bytes(plan.search.memory_bytes.max(plan.train.memory_bytes)),
            available_bytes().map_or(String::new(), |free| format!(" of {} free", bytes(free))),
        ),
        format!(
            "decisions {:.0}, of which {:.0} are expected to be forced",
            forecast.decisions, forecast.forced_decisions
        ),
        format!(
            "alphas    learning rate {:.1e}, and {:.1e} lets so many alpha steps decide nearly everything; travel \
             {:.2} where gradients are steady and {:.2} where they are noise; the last \
             rival on an edge must fall {:.2} behind",
            plan.alpha_learning_rate,
            plan.deciding_learning_rate,
            forecast.travel,
            forecast.walk,
            forecast.last_distance
        ),
        format!(
            "noise     would decide {} of the edges if no operation was better than another",
            percent(forecast.decided_by_noise)
        ),
    ];
    lines.extend(
        forecast
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    lines.join("\n")
}

fn phase(name: &str, phase: &PlannedPhase) -> String {
    let alphas = match phase.alpha_steps {
        0 => String::new(),
        steps => format!(" and {} alpha steps", count(steps as u64)),
    };
    format!(
        "{name:<9} {}: {} epochs, {} weight steps{alphas} of {} images; {} parameters, {} MACs per image\n          \
         {} in all: {}",
        duration(phase.seconds),
        phase.epochs,
        count(phase.weight_steps as u64),
        phase.costs.batch,
        count(phase.costs.parameters as u64),
        count(phase.costs.macs),
        bytes(phase.memory_bytes),
        costs(&phase.costs),
    )
}

/// The plan with its units in the names.
#[derive(Serialize)]
struct Json<'a> {
    search: JsonPhase,
    train: JsonPhase,
    test_seconds: f64,
    seconds: f64,
    decisions: f64,
    forced_decisions: f64,
    decided_by_noise: f64,
    alpha_learning_rate: f64,
    deciding_learning_rate: f64,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct JsonPhase {
    epochs: usize,
    weight_steps: usize,
    alpha_steps: usize,
    #[serde(flatten)]
    costs: Costs,
    memory_bytes: u64,
    seconds: f64,
}

impl<'a> Json<'a> {
    fn new(plan: &'a RunPlan) -> Self {
        Self {
            search: JsonPhase::new(&plan.search),
            train: JsonPhase::new(&plan.train),
            test_seconds: plan.test_seconds,
            seconds: plan.seconds,
            decisions: plan.forecast.decisions,
            forced_decisions: plan.forecast.forced_decisions,
            decided_by_noise: plan.forecast.decided_by_noise,
            alpha_learning_rate: plan.alpha_learning_rate,
            deciding_learning_rate: plan.deciding_learning_rate,
            warnings: &plan.forecast.warnings,
        }
    }
}

impl JsonPhase {
    fn new(phase: &PlannedPhase) -> Self {
        let PlannedPhase {
            epochs,
            weight_steps,
            alpha_steps,
            costs,
            memory_bytes,
            seconds,
        } = *phase;
        Self {
            epochs,
            weight_steps,
            alpha_steps,
            costs,
            memory_bytes,
            seconds,
        }
    }
}

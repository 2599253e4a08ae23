//! Flags to a run's configuration: a preset, a file over it, flags over both.

use crate::quantities;
use anyhow::{Context, Result};
use asap_anneal::{EdgeRule, ThresholdBase};
use asap_genotype::OpSet;
use asap_train::{NetworkSize, Preset, Recipe, RunConfig, Task, TrainConfig};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;
use toml::{Table, Value};

/// Flags that searching and training have in common.
#[derive(clap::Args, Clone)]
pub(crate) struct Settings {
    /// Read settings from a TOML file; `asap search --print-config` writes one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where settings start from: minutes on two cores, or as the paper has it [default: quick]
    #[arg(long, value_parser = preset())]
    preset: Option<Preset>,
    /// Start the settings of the training from a recipe, in the place of the preset's and the file's [default: that
    /// of the preset, quick or darts]
    #[arg(long, value_parser = recipe())]
    recipe: Option<Recipe>,
    /// Seed of all chance [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[arg(long, value_name = "DATA", help = by_preset(
        "fashion-mnist, cifar10:DIR, folder:DIR, csv:FILE, a folder of classes, or what `asap data list` lists",
        |config| config.data.source.clone(),
    ))]
    data: Option<String>,
    /// Height and width that images are resized to, in pixels [default: as the data has them]
    #[arg(long, value_name = "PIXELS", value_parser = quantities::parse_pixels)]
    size: Option<usize>,
    /// Leave out images that cannot be read instead of ending with an error
    #[arg(long)]
    skip_bad: bool,
    /// Threads that compute [default: as many as the machine has cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// Flags of the search.
#[derive(clap::Args, Clone)]
pub(crate) struct SearchFlags {
    #[arg(long, value_name = "EPOCHS", help = by_preset(
        "Epochs of the search", |config| config.search.epochs.to_string(),
    ))]
    epochs: Option<usize>,
    #[arg(long, value_name = "IMAGES", help = by_preset(
        "Images of a search step", |config| config.search.batch.to_string(),
    ))]
    batch: Option<usize>,
    #[arg(long, value_name = "N", help = by_preset(
        "Channels of the supernet's first cells", |config| config.search.channels.to_string(),
    ))]
    channels: Option<usize>,
    #[arg(long, value_name = "N", help = by_preset(
        "Cells of the supernet", |config| config.search.cells.to_string(),
    ))]
    cells: Option<usize>,
    /// Operations every edge starts with: darts7, darts8, or names joined by commas [default: darts7]
    #[arg(long, value_name = "OPS")]
    ops: Option<OpSet>,
    /// How a node comes to its two inputs: edges anneal too, or the clearest decisions stay [default: anneal]
    #[arg(long, value_parser = edge_rule())]
    edge_rule: Option<EdgeRule>,
    #[arg(long, value_parser = threshold_base(), help = by_preset(
        "What the threshold divides by: operations an edge started with, or those alive",
        |config| match config.anneal.threshold_base {
            ThresholdBase::Initial => "initial".to_owned(),
            ThresholdBase::Alive => "alive".to_owned(),
        },
    ))]
    threshold_base: Option<ThresholdBase>,
    #[arg(long, value_name = "EPOCHS", help = by_preset(
        "Epochs of the training after the search", |config| config.train.epochs.to_string(),
    ))]
    train_epochs: Option<usize>,
    /// Plan search, training and test to end within a time such as 90s, 30m or 2h [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = quantities::parse_duration,
          conflicts_with_all = ["epochs", "train_epochs"])]
    pub(crate) budget: Option<f64>,
}

/// Flags of the training of a given genotype.
#[derive(clap::Args, Clone)]
pub(crate) struct TrainFlags {
    /// A network of the paper's sizes on CIFAR: 20 cells with 36, 44 or 56 channels [default: of the recipe]
    #[arg(long, value_parser = network_size(), conflicts_with_all = ["channels", "cells"])]
    network: Option<NetworkSize>,
    #[arg(long, value_name = "EPOCHS", help = by_recipe(
        "Epochs of the training", |train| train.epochs.to_string(),
    ))]
    epochs: Option<usize>,
    #[arg(long, value_name = "IMAGES", help = by_recipe(
        "Images of a step", |train| train.batch.to_string(),
    ))]
    batch: Option<usize>,
    #[arg(long, value_name = "N", help = by_recipe(
        "Channels of the network's first cells", |train| train.channels.to_string(),
    ))]
    channels: Option<usize>,
    #[arg(long, value_name = "N", help = by_recipe(
        "Cells of the network", |train| train.cells.to_string(),
    ))]
    cells: Option<usize>,
    /// Average the weights over the steps too, each keeping this share of the average, such as 0.999; the averaged
    /// network is tested and saved beside the other [default: of the recipe, none]
    #[arg(long, value_name = "DECAY")]
    ema: Option<f64>,
}

impl Settings {
    /// The settings of a run that searches.
    ///
    /// # Errors
    /// If the file cannot be read, or a setting is out of its range.
    pub(crate) fn search_config(&self, flags: &SearchFlags) -> Result<RunConfig> {
        let start = self.preset_and_file()?;
        let mut config = self.over(start);
        let (search, anneal) = (&mut config.search, &mut config.anneal);
        replace(&mut search.batch, flags.batch);
        replace(&mut search.channels, flags.channels);
        replace(&mut search.cells, flags.cells);
        replace(&mut search.operations, flags.ops.clone());
        replace(&mut anneal.edge_rule, flags.edge_rule);
        replace(&mut anneal.threshold_base, flags.threshold_base);
        replace(&mut config.train.epochs, flags.train_epochs);
        // Last: how fast alphas should move depends on the other settings of the search.
        let epochs = flags.epochs.unwrap_or(config.search.epochs);
        config.set_search_epochs(epochs)?;
        config.check("settings")?;
        Ok(config)
    }

    /// The settings of a run that trains a given genotype.
    ///
    /// # Errors
    /// If the file cannot be read, or a setting is out of its range.
    pub(crate) fn train_config(&self, flags: &TrainFlags) -> Result<RunConfig> {
        self.training(self.preset_and_file()?, flags)
    }

    /// The settings of a run that trains the cell of another, which had the settings `source`: they are its own but for
    /// the data, unless flags say where to start from.
    ///
    /// # Errors
    /// As [`Settings::train_config`].
    pub(crate) fn transfer_config(
        &self,
        source: RunConfig,
        flags: &TrainFlags,
    ) -> Result<RunConfig> {
        if self.config.is_some() || self.preset.is_some() {
            return self.train_config(flags);
        }
        let mut start = source;
        // Other images have their own resolution.
        (start.data.size, start.data.resize_to) = (0, 0);
        self.training(start, flags)
    }

    fn training(&self, start: RunConfig, flags: &TrainFlags) -> Result<RunConfig> {
        let mut config = self.over(start);
        config.task = Task::Train;
        let train = &mut config.train;
        if let Some(size) = flags.network {
            size.apply(train);
        }
        replace(&mut train.epochs, flags.epochs);
        replace(&mut train.batch, flags.batch);
        replace(&mut train.channels, flags.channels);
        replace(&mut train.cells, flags.cells);
        replace(&mut train.ema, flags.ema);
        config.check("settings")?;
        Ok(config)
    }

    /// The flags over the settings they start from.
    fn over(&self, start: RunConfig) -> RunConfig {
        let mut config = start;
        if let Some(recipe) = self.recipe {
            recipe.apply(&mut config);
        }
        replace(&mut config.seed, self.seed);
        replace(&mut config.threads, self.threads);
        replace(&mut config.data.source, self.data.clone());
        replace(&mut config.data.size, self.size);
        config.data.skip_bad |= self.skip_bad;
        config
    }

    fn preset_and_file(&self) -> Result<RunConfig> {
        let (path, preset) = match (&self.config, self.preset) {
            (None, preset) => return Ok(preset.unwrap_or_default().config()),
            (Some(path), None) => return Ok(RunConfig::read(path)?),
            (Some(path), Some(preset)) => (path, preset),
        };
        // The file stands over the preset that the flag names, whatever preset the file names.
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {place}"))?;
        let mut table: Table = text.parse().with_context(|| format!("{place}: no TOML"))?;
        table.insert("preset".to_owned(), Value::String(preset.name().to_owned()));
        Ok(RunConfig::from_toml(&table.to_string(), &place)?)
    }
}

fn replace<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// The help of a flag whose default depends on the preset.
fn by_preset(what: &str, value: impl Fn(&RunConfig) -> String) -> String {
    let defaults =
        Preset::ALL.map(|preset| format!("{} in {}", value(&preset.config()), preset.name()));
    format!("{what} [default: {}]", defaults.join(", "))
}

/// The help of a flag whose default depends on the recipe.
fn by_recipe(what: &str, value: impl Fn(&TrainConfig) -> String) -> String {
    let defaults =
        Recipe::ALL.map(|recipe| format!("{} in {}", value(&recipe.train()), recipe.name()));
    format!("{what} [default: {}]", defaults.join(", "))
}

fn preset() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::ALL.map(Preset::name))
        .map(|name| Preset::named(&name).unwrap_or_default())
}

fn recipe() -> impl TypedValueParser<Value = Recipe> {
    PossibleValuesParser::new(Recipe::ALL.map(Recipe::name))
        .map(|name| Recipe::named(&name).unwrap_or(Recipe::Quick))
}

fn network_size() -> impl TypedValueParser<Value = NetworkSize> {
    PossibleValuesParser::new(NetworkSize::ALL.map(NetworkSize::name))
        .map(|name| NetworkSize::named(&name).unwrap_or(NetworkSize::Small))
}

fn edge_rule() -> impl TypedValueParser<Value = EdgeRule> {
    PossibleValuesParser::new(["anneal", "first-decided"]).map(|name| match name.as_str() {
        "anneal" => EdgeRule::Anneal,
        _ => EdgeRule::FirstDecided,
    })
}

fn threshold_base() -> impl TypedValueParser<Value = ThresholdBase> {
    PossibleValuesParser::new(["initial", "alive"]).map(|name| match name.as_str() {
        "initial" => ThresholdBase::Initial,
        _ => ThresholdBase::Alive,
    })
}

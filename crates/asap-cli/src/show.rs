//! `asap show`: a genotype as text, with the size of its network.

use crate::quantities::count;
use crate::{genotypes, output};
use anyhow::Result;
use asap_genotype::{CellKind, Genotype, Topology};
use asap_space::{Execution, Form, NetworkConfig, StemForm, macs_per_image, parameter_count};
use asap_train::{ImageShape, ImageSource, RunFolder, SavedNetwork};
use clap::ValueEnum;
use std::path::Path;

/// Settings of `asap show`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to show: a run, a genotype file, or a published name
    #[arg(value_name = "RUN|FILE|NAME")]
    genotype: String,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Channels of the network's first cells [default: of a run, its own; else 36]
    #[arg(long, value_name = "N")]
    channels: Option<usize>,
    /// Cells of the network [default: of a run, its own; else 20]
    #[arg(long, value_name = "N")]
    cells: Option<usize>,
    /// Height and width of an image, in pixels [default: of a run, its own; else 32]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Channels of an image [default: of a run, its own; else 3]
    #[arg(long, value_name = "N")]
    image_channels: Option<usize>,
    /// Classes [default: of a run, its own; else 10]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Both cells drawn with lines, parameters and MACs
    Text,
    /// The genotype file
    Json,
    /// Python text, as DARTS has it
    Darts,
    /// A graph for Graphviz
    Dot,
    /// A drawing
    Svg,
}

/// Prints the genotype.
///
/// # Errors
/// If there is no such genotype, or the size of its network makes no sense.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let genotype = genotypes::find(&arguments.genotype)?;
    match arguments.format {
        Format::Text => {
            let network = network_config(arguments)?;
            output::line(cells_text(&genotype))?;
            output::line(size_text(&genotype, &network)?)
        }
        Format::Json => output::line(genotype.to_json().trim_end()),
        Format::Darts => output::line(genotype.to_darts().trim_end()),
        Format::Dot => output::line(genotype.to_dot().trim_end()),
        Format::Svg => output::line(asap_report::genotype_svg(&genotype).trim_end()),
    }
}

/// Both cells, drawn with lines.
pub(crate) fn cells_text(genotype: &Genotype) -> String {
    let cells = CellKind::ALL
        .map(|kind| asap_report::cell_text(genotype.cell(kind), &format!("{kind} cell")));
    cells.join("\n")
}

fn size_text(genotype: &Genotype, network: &NetworkConfig) -> Result<String> {
    let topology = Topology::from_genotype(genotype);
    Ok(format!(
        "{} parameters, {} MACs per image: {} cells, {} channels, images of {}x{}x{}, {} classes",
        count(parameter_count(network, &topology)? as u64),
        count(macs_per_image(network, &topology)?),
        network.cells,
        network.channels,
        network.height,
        network.width,
        network.image_channels,
        network.classes,
    ))
}

/// The network in its final form: that of a run, or the paper's small one, with what the flags change.
fn network_config(arguments: &Arguments) -> Result<NetworkConfig> {
    let path = Path::new(&arguments.genotype);
    let mut network = match path.is_dir() {
        true => network_of_run(&RunFolder::new(path))?,
        false => NetworkConfig {
            channels: 36,
            cells: 20,
            classes: 10,
            image_channels: 3,
            height: 32,
            width: 32,
            form: Form::Final,
            stem: StemForm::Cifar,
            auxiliary: false,
        },
    };
    let flags = [
        (&mut network.channels, arguments.channels),
        (&mut network.cells, arguments.cells),
        (&mut network.height, arguments.size),
        (&mut network.width, arguments.size),
        (&mut network.image_channels, arguments.image_channels),
        (&mut network.classes, arguments.classes),
    ];
    for (slot, value) in flags {
        *slot = value.unwrap_or(*slot);
    }
    // Only training needs the auxiliary head: a network is shown as it is used.
    network.auxiliary = false;
    Ok(network)
}

/// The network that a run has trained or will train.
fn network_of_run(folder: &RunFolder) -> Result<NetworkConfig> {
    if folder.network().is_file() {
        let execution = Execution {
            batch: 1,
            threads: 1,
        };
        return Ok(SavedNetwork::load(&folder.network(), execution)?
            .network
            .config()
            .clone());
    }
    let config = folder.read_config()?;
    let shape = ImageShape::of(&config.data.load(asap_data::Part::Train)?);
    Ok(shape.train_network(&config))
}

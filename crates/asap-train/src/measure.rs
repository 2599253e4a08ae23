//! How long the steps of a run take on this machine, measured on images made up for it.

use std::time::Instant;

use asap_genotype::{
    CellGenotype, CellKind, Genotype, INPUT_NODES, INTERMEDIATE_NODES, OpSet, OpWeights, Operation,
    Topology,
};
use asap_space::{Images, Network, Place, Wanted};

use crate::config::RunConfig;
use crate::error::Result;
use crate::image_shape::ImageShape;
use crate::plan::require_memory;
use crate::seed::{Stream, seed_of};
use crate::step_seconds::median;

/// Measurements of one kind of step: at most so many, and none begins after so many seconds.
const MOST_STEPS: usize = 5;
const MOST_SECONDS: f64 = 2.0;

/// Seconds of one step with a supernet or a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchSeconds {
    /// A weight step.
    pub weight_step: f64,
    /// An alpha step.
    pub alpha_step: f64,
    /// One image in eval mode.
    pub evaluated_image: f64,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The search with everything alive.
    pub full: SearchSeconds,
    /// The search with everything decided, as operations one of each.
    pub decided: SearchSeconds,
    /// A weight step of the training.
    pub train_step: f64,
    /// One image in eval mode through the network trained.
    pub train_evaluated_image: f64,
}

/// Does a few real steps of every kind that a run with `config` on images of `shape` has.
///
/// # Errors
/// The network does not fit the images.
pub fn measure(place: &Place, config: &RunConfig, shape: ImageShape) -> Result<Measured> {
    require_memory(place, config, shape)?;
    let full = Topology::full(&config.search.operations);
    let decided = Topology::from_genotype(&sample_genotype(&config.search.operations)?);
    let seed = seed_of(config.seed, Stream::Measuring);
    let (network, execution) = (shape.search_network(config), config.search_execution());
    let mut supernet = Network::on(place, network, full, execution, seed)?;
    let batch = MadeUp::new(shape, config.search.batch);
    let full = search_seconds(&mut supernet, &batch)?;
    supernet.prune(decided.clone())?;
    let decided_seconds = search_seconds(&mut supernet, &batch)?;
    drop(supernet);
    let (network, execution) = (shape.train_network(config), config.train_execution());
    let mut network = Network::on(place, network, decided, execution, seed)?;
    let batch = MadeUp::new(shape, config.train.batch);
    Ok(Measured {
        full,
        decided: decided_seconds,
        train_step: step_seconds(&mut network, &batch, Wanted::Weights)?,
        train_evaluated_image: evaluated_image_seconds(&mut network, &batch)?,
    })
}

fn search_seconds(network: &mut Network, batch: &MadeUp) -> Result<SearchSeconds> {
    Ok(SearchSeconds {
        weight_step: step_seconds(network, batch, Wanted::Weights)?,
        alpha_step: step_seconds(network, batch, Wanted::OpWeights)?,
        evaluated_image: evaluated_image_seconds(network, batch)?,
    })
}

fn step_seconds(network: &mut Network, batch: &MadeUp, wanted: Wanted) -> Result<f64> {
    let weights = OpWeights::uniform(network.topology());
    timed(|| {
        let images = Images {
            pixels: &batch.pixels,
            labels: &batch.labels,
        };
        network.step(images, &weights, wanted)?;
        Ok(())
    })
}

fn evaluated_image_seconds(network: &mut Network, batch: &MadeUp) -> Result<f64> {
    let weights = OpWeights::uniform(network.topology());
    let seconds = timed(|| {
        network.logits(&batch.pixels, &weights)?;
        Ok(())
    })?;
    Ok(seconds / batch.labels.len() as f64)
}

/// Median seconds of `work`, after one time that only warms up.
fn timed(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let (begin, mut seconds) = (Instant::now(), Vec::with_capacity(MOST_STEPS));
    while seconds.is_empty()
        || (seconds.len() < MOST_STEPS && begin.elapsed().as_secs_f64() < MOST_SECONDS)
    {
        let start = Instant::now();
        work()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(median(&seconds).unwrap_or(0.0))
}

/// A batch that takes as long as one of real images.
struct MadeUp {
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

impl MadeUp {
    fn new(shape: ImageShape, batch: usize) -> Self {
        let count = batch * shape.height * shape.width * shape.channels;
        // Any numbers of either sign will do; no step takes longer for what they are.
        let pixels = (0..count).map(|index| (index as f32 * 0.7).sin()).collect();
        let labels = (0..batch)
            .map(|index| (index % shape.classes) as u32)
            .collect();
        Self { pixels, labels }
    }
}

/// A genotype that costs about what a found one does: its operations are those of the op set in turn.
pub(crate) fn sample_genotype(operations: &OpSet) -> Result<Genotype> {
    let passing = |operation: &Operation| *operation != Operation::None;
    let operations_in_turn = || {
        operations
            .operations()
            .iter()
            .copied()
            .filter(passing)
            .cycle()
    };
    let cell = |kind: CellKind| {
        let mut next = operations_in_turn();
        let mut nodes: [Vec<(Operation, usize)>; INTERMEDIATE_NODES] = Default::default();
        for inputs in &mut nodes {
            inputs.extend((0..INPUT_NODES).filter_map(|from| next.next().map(|one| (one, from))));
        }
        CellGenotype::new(kind, nodes)
    };
    let (normal, reduction) = (cell(CellKind::Normal)?, cell(CellKind::Reduction)?);
    Ok(Genotype::new(normal, reduction, operations.clone())?)
}

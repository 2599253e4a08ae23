//! From a topology to the plan of a step: every cell's operations by source, and the order of op weights.

use asap_genotype::{CellKind, Edge, OpWeights, Operation, Topology};
use asap_kernels::{CellOperation, CellSpec, Connection, Plan, PlanBuilder};

use crate::config::{Form, NetworkConfig, StemForm};
use crate::error::{Error, Result};

/// The plan of a network of this size and topology.
///
/// # Errors
/// If the configuration or the batch makes no network.
pub(crate) fn plan(config: &NetworkConfig, topology: &Topology, batch: usize) -> Result<Plan> {
    config.check()?;
    if batch == 0 {
        return Err(Error::Config {
            field: "batch",
            expected: "1 image or more",
            found: 0,
        });
    }
    let normal = connections(topology, CellKind::Normal, 0);
    let first = alive(topology, CellKind::Normal);
    let reduction = connections(topology, CellKind::Reduction, first);
    let op_weights = first + alive(topology, CellKind::Reduction);
    let image = [config.height, config.width, config.image_channels];
    let mut builder = match config.stem {
        StemForm::Cifar => PlanBuilder::new(batch, op_weights, image, 3 * config.channels),
        StemForm::ImageNet => {
            PlanBuilder::with_image_stem(batch, op_weights, image, config.channels)
        }
    };
    if config.form == Form::SearchByEdge {
        builder.keep_pools_by_edge();
    }
    let mut channels = config.channels;
    let affine = config.form == Form::Final;
    for index in 0..config.cells {
        let reduces = config.is_reduction(index);
        if reduces {
            channels *= 2;
        }
        builder.cell(&CellSpec {
            name: format!("cells.{index}"),
            channels,
            stride: if reduces { 2 } else { 1 },
            reduce_first_input: match index {
                // The two convolutions that the first cell reads are one reduction apart.
                0 => config.stem == StemForm::ImageNet,
                _ => config.is_reduction(index - 1),
            },
            affine,
            normalise_pools: !affine,
            connections: if reduces { &reduction } else { &normal },
        });
        if config.auxiliary && index == 2 * config.cells / 3 {
            builder.auxiliary(config.auxiliary_form());
        }
    }
    Ok(builder.finish(config.classes))
}

fn alive(topology: &Topology, kind: CellKind) -> usize {
    topology.cell(kind).operations_alive()
}

/// The operations of one kind of cell that compute something; op weights are numbered edge by edge from `first` on.
fn connections(topology: &Topology, kind: CellKind, first: usize) -> Vec<Connection> {
    let cell = topology.cell(kind);
    let numbered = Edge::all()
        .flat_map(|edge| {
            cell.alive(edge)
                .iter()
                .map(move |&operation| (edge, operation))
        })
        .zip(first..);
    numbered
        .filter_map(|((edge, operation), weight)| {
            let operation = match operation {
                // Adds nothing: it only takes its share of the softmax.
                Operation::None => return None,
                Operation::MaxPool3x3 => CellOperation::MaxPool,
                Operation::AvgPool3x3 => CellOperation::AveragePool,
                Operation::SkipConnect => CellOperation::Skip,
                Operation::SepConv3x3 => CellOperation::Separable { kernel: 3 },
                Operation::SepConv5x5 => CellOperation::Separable { kernel: 5 },
                Operation::DilConv3x3 => CellOperation::Dilated { kernel: 3 },
                Operation::DilConv5x5 => CellOperation::Dilated { kernel: 5 },
            };
            Some(Connection {
                from: edge.from(),
                to: edge.to(),
                operation,
                weight,
            })
        })
        .collect()
}

/// Op weights in the order of the plan.
///
/// # Errors
/// If they belong to another topology.
pub(crate) fn flatten(weights: &OpWeights, topology: &Topology) -> Result<Vec<f32>> {
    if !weights.matches(topology) {
        return Err(Error::OpWeights {
            alive: topology.operations_alive(),
        });
    }
    let cells = CellKind::ALL
        .into_iter()
        .flat_map(|kind| weights.cell(kind).iter().flatten());
    Ok(cells.map(|&w| w as f32).collect())
}

/// The inverse of [`flatten`], for gradients.
pub(crate) fn unflatten(values: &[f64], topology: &Topology) -> OpWeights {
    let mut out = OpWeights::zeros(topology);
    let mut values = values.iter();
    for kind in CellKind::ALL {
        for weight in out.cell_mut(kind).iter_mut().flatten() {
            if let Some(value) = values.next() {
                *weight = *value;
            }
        }
    }
    out
}

//! The reference's names for the tensors of one network, in the reference's order.

use std::collections::HashMap;

use asap_genotype::{CellKind, Edge, INPUT_NODES, Listing, OpSet, Operation, Topology};
use asap_kernels::Plan;

use super::parts::{self, Part};
use crate::config::{Form, NetworkConfig, StemForm};
use crate::error::{Error, Result};
use crate::lower;

/// Which of the reference's networks.
#[derive(Clone, Copy, Debug)]
pub enum DartsNetwork<'a> {
    /// That of a genotype; its text's order numbers the operations.
    Derived(&'a Listing),
    /// The supernet of all eight operations.
    Search,
}

/// A tensor by both names.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The reference's name.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
}

/// The reference's names for the tensors of one network.
#[derive(Clone, Debug)]
pub struct DartsLayout {
    pub(super) config: NetworkConfig,
    pub(super) topology: Topology,
    pub(super) entries: Vec<Entry>,
    pub(super) counters: Vec<String>,
}

impl DartsLayout {
    /// The names in a network of this size.
    ///
    /// # Errors
    /// If the configuration makes no network, or one that the reference has not.
    pub fn new(config: NetworkConfig, network: DartsNetwork<'_>) -> Result<Self> {
        let topology = topology_of(network);
        let mut walk = Walk::new(&lower::plan(&config, &topology, 1)?);
        match config.stem {
            StemForm::Cifar => walk.parts("stem", "stem", parts::STEM),
            StemForm::ImageNet => {
                walk.parts("stem0", "stem0", parts::STEM0);
                walk.parts("stem1", "stem1", parts::STEM1);
            }
        }
        for index in 0..config.cells {
            walk.cell(&config, network, index);
        }
        if config.auxiliary {
            let parts = parts::auxiliary(config.stem);
            walk.parts("auxiliary_head", "auxiliary", parts);
            walk.linear("auxiliary_head.classifier", "auxiliary.classifier");
        }
        walk.linear("classifier", "classifier");
        let (entries, counters) = walk.finish()?;
        Ok(Self {
            config,
            topology,
            entries,
            counters,
        })
    }

    /// The size of the network.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Its operations.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The names of batches counted, which the reference keeps for every normalisation and never reads.
    pub fn counters(&self) -> &[String] {
        &self.counters
    }
}

pub(super) fn topology_of(network: DartsNetwork<'_>) -> Topology {
    match network {
        DartsNetwork::Derived(listing) => Topology::from_genotype(listing.genotype()),
        DartsNetwork::Search => Topology::full(&OpSet::darts8()),
    }
}

pub(super) fn kind_of(config: &NetworkConfig, cell: usize) -> CellKind {
    if config.is_reduction(cell) {
        CellKind::Reduction
    } else {
        CellKind::Normal
    }
}

/// The shapes of a network's tensors, by our names.
pub(super) fn shapes(plan: &Plan) -> HashMap<String, Vec<usize>> {
    let parameters = plan.parameters().iter();
    let parameters = parameters.map(|p| (p.name.clone(), p.kind.shape()));
    let statistics = plan.statistics().iter().flat_map(|s| {
        ["mean", "variance"].map(|what| (format!("{}.{what}", s.name), vec![s.channels]))
    });
    parameters.chain(statistics).collect()
}

/// Our name of an operation, before the parts of it.
pub(super) fn operation_name(
    config: &NetworkConfig,
    cell: usize,
    edge: Edge,
    operation: Operation,
) -> String {
    let pool = matches!(operation, Operation::MaxPool3x3 | Operation::AvgPool3x3);
    let (from, to) = (edge.from(), edge.to());
    if pool && config.form == Form::Search {
        format!("cells.{cell}.nodes.{from}.{operation}")
    } else {
        format!("cells.{cell}.edges.{from}-{to}.{operation}")
    }
}

/// Both names of what a part holds, each with its ending; for a normalisation with and without scale and shift.
pub(super) fn endings(part: &Part) -> Vec<(String, String)> {
    match part {
        Part::Kernel(key, name) => vec![(format!("{key}.weight"), (*name).to_owned())],
        Part::Norm(key, name) => [
            ("weight", "scale"),
            ("bias", "shift"),
            ("running_mean", "mean"),
            ("running_var", "variance"),
        ]
        .map(|(theirs, ours)| (format!("{key}.{theirs}"), format!("{name}.{ours}")))
        .to_vec(),
    }
}

/// Goes through a network as the reference's `state_dict` does.
struct Walk {
    shapes: HashMap<String, Vec<usize>>,
    entries: Vec<Entry>,
    counters: Vec<String>,
    lacking: Option<String>,
}

impl Walk {
    fn new(plan: &Plan) -> Self {
        Self {
            shapes: shapes(plan),
            entries: Vec::new(),
            counters: Vec::new(),
            lacking: None,
        }
    }

    fn tensor(&mut self, key: String, name: String) {
        match self.shapes.get(&name).cloned() {
            Some(shape) => self.entries.push(Entry { key, name, shape }),
            None => self.lacking = self.lacking.take().or(Some(key)),
        }
    }

    fn parts(&mut self, key: &str, name: &str, parts: &[Part]) {
        for part in parts {
            for (theirs, ours) in endings(part) {
                let (key, name) = (format!("{key}.{theirs}"), format!("{name}.{ours}"));
                let affine = name.ends_with(".scale") || name.ends_with(".shift");
                if !affine || self.shapes.contains_key(&name) {
                    self.tensor(key, name);
                }
            }
            if let Part::Norm(theirs, _) = part {
                self.counters
                    .push(format!("{key}.{theirs}.num_batches_tracked"));
            }
        }
    }

    fn linear(&mut self, key: &str, name: &str) {
        for ending in ["weight", "bias"] {
            self.tensor(format!("{key}.{ending}"), format!("{name}.{ending}"));
        }
    }

    fn cell(&mut self, config: &NetworkConfig, network: DartsNetwork<'_>, cell: usize) {
        let after_reduction = match cell {
            0 => config.stem == StemForm::ImageNet,
            _ => config.is_reduction(cell - 1),
        };
        let input = |node, parts| {
            let (key, name) = ("preprocess", "input");
            (
                format!("cells.{cell}.{key}{node}"),
                format!("cells.{cell}.{name}{node}"),
                parts,
            )
        };
        let first = if after_reduction {
            parts::FACTORISED_REDUCE
        } else {
            parts::INPUT
        };
        for (key, name, parts) in [input(0, first), input(1, parts::INPUT)] {
            self.parts(&key, &name, parts);
        }
        let kind = kind_of(config, cell);
        match network {
            DartsNetwork::Derived(listing) => {
                for (place, &(operation, from)) in listing.inputs(kind).iter().enumerate() {
                    let key = format!("cells.{cell}._ops.{place}");
                    // Every input of a listing was checked to be before its node.
                    if let Ok(edge) = Edge::new(from, INPUT_NODES + place / 2) {
                        self.operation(config, cell, edge, operation, &key);
                    }
                }
            }
            DartsNetwork::Search => {
                for edge in Edge::all() {
                    for (place, operation) in Operation::ALL.into_iter().enumerate() {
                        let key = format!("cells.{cell}._ops.{}._ops.{place}", edge.index());
                        self.operation(config, cell, edge, operation, &key);
                    }
                }
            }
        }
    }

    fn operation(
        &mut self,
        config: &NetworkConfig,
        cell: usize,
        edge: Edge,
        operation: Operation,
        key: &str,
    ) {
        let halves = config.is_reduction(cell) && edge.from() < INPUT_NODES;
        let parts = parts::of_operation(operation, halves, config.form != Form::Final);
        self.parts(key, &operation_name(config, cell, edge, operation), parts);
    }

    fn finish(mut self) -> Result<(Vec<Entry>, Vec<String>)> {
        if let Some(key) = self.lacking {
            return Err(Error::StateDict {
                problems: format!(
                    "the reference's network has `{key}`, and this one has nothing in its place: \
                     expected cells that read both of their inputs"
                ),
            });
        }
        for entry in &self.entries {
            self.shapes.remove(&entry.name);
        }
        match self.shapes.into_keys().min() {
            None => Ok((self.entries, self.counters)),
            Some(name) => Err(Error::StateDict {
                problems: format!("the reference has no place for `{name}`"),
            }),
        }
    }
}

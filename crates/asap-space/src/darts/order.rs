//! Which of a node's two inputs comes first in a state dict.
//!
//! Texts of one genotype differ in that, so where the two operations have different tensors, the state dict itself
//! says which is which. Where they have the same, the text decides.

use std::collections::{BTreeMap, HashMap};

use asap_genotype::{CellKind, Edge, INPUT_NODES, Listing, Operation};

use super::layout::{endings, kind_of, operation_name, shapes};
use super::parts;
use crate::config::NetworkConfig;
use crate::error::Result;
use crate::lower;
use crate::tensors::NamedTensor;

/// Endings of keys under an operation, with the shapes.
type Tensors<'a> = BTreeMap<&'a str, &'a [usize]>;

/// The listing in the order that the state dict has.
///
/// # Errors
/// If the configuration makes no network.
pub(super) fn ordered(
    listing: &Listing,
    config: &NetworkConfig,
    state_dict: &[NamedTensor],
) -> Result<Listing> {
    let topology = asap_genotype::Topology::from_genotype(listing.genotype());
    let shapes = shapes(&lower::plan(config, &topology, 1)?);
    let mut ordered = listing.clone();
    for kind in CellKind::ALL {
        // All cells of a kind have the same operations.
        let Some(cell) = (0..config.cells).find(|&cell| kind_of(config, cell) == kind) else {
            continue;
        };
        for (node, pair) in (INPUT_NODES..).zip(listing.inputs(kind).chunks_exact(2)) {
            let first = 2 * (node - INPUT_NODES);
            let found = [first, first + 1].map(|place| found(state_dict, cell, place));
            let expected: Vec<_> = pair
                .iter()
                .map(|&input| expected(config, &shapes, cell, node, input))
                .collect();
            let fits = |order: [usize; 2]| {
                let [first, second] = &found;
                let matches = |found: &Tensors<'_>, expected: &BTreeMap<String, &[usize]>| {
                    let expected = expected.iter().map(|(key, shape)| (key.as_str(), *shape));
                    found.iter().map(|(key, shape)| (*key, *shape)).eq(expected)
                };
                matches(first, &expected[order[0]]) && matches(second, &expected[order[1]])
            };
            if !fits([0, 1]) && fits([1, 0]) {
                ordered.swap_inputs(kind, node);
            }
        }
    }
    Ok(ordered)
}

fn found(state_dict: &[NamedTensor], cell: usize, place: usize) -> Tensors<'_> {
    let prefix = format!("cells.{cell}._ops.{place}.");
    let tensors = state_dict.iter().filter_map(|tensor| {
        let ending = tensor.name.strip_prefix(&prefix)?;
        Some((ending, tensor.shape.as_slice()))
    });
    tensors
        .filter(|(ending, _)| !ending.ends_with("num_batches_tracked"))
        .collect()
}

fn expected<'a>(
    config: &NetworkConfig,
    shapes: &'a HashMap<String, Vec<usize>>,
    cell: usize,
    node: usize,
    (operation, from): (Operation, usize),
) -> BTreeMap<String, &'a [usize]> {
    let Ok(edge) = Edge::new(from, node) else {
        return BTreeMap::new();
    };
    let halves = config.is_reduction(cell) && from < INPUT_NODES;
    let name = operation_name(config, cell, edge, operation);
    let parts = parts::of_operation(operation, halves, false);
    let endings = parts.iter().flat_map(endings);
    endings
        .filter_map(|(key, ending)| {
            Some((key, shapes.get(&format!("{name}.{ending}"))?.as_slice()))
        })
        .collect()
}

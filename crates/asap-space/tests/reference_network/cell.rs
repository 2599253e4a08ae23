//! A cell: two inputs, operations on edges, nodes that add them up, and a concat.

use asap_genotype::{CellKind, CellTopology, Edge, NODES, Operation};
use asap_kernels::reference::{Tensor4, Window, weighted_sum, weighted_sum_backward};
use asap_space::Form;

use super::path::{Gradients, Pass, Path};

/// Where a cell stands in its network, and what is alive in it.
pub(crate) struct Place<'a> {
    pub(crate) index: usize,
    pub(crate) kind: CellKind,
    pub(crate) topology: &'a CellTopology,
    /// By edge index, aligned with the topology.
    pub(crate) op_weights: &'a [Vec<f64>],
    /// Number of the cell's first op weight among all of the network.
    pub(crate) first_weight: usize,
    pub(crate) channels: usize,
    pub(crate) after_reduction: bool,
    pub(crate) form: Form,
}

/// A cell after its forward pass.
pub(crate) struct Cell<'a> {
    place: Place<'a>,
    /// `None` for an input that no operation reads.
    inputs: [Option<Path>; 2],
    /// For every edge its operations; `none` has no path.
    edges: Vec<(Edge, Vec<Option<Path>>)>,
    pub(crate) output: Tensor4,
}

impl<'a> Cell<'a> {
    pub(crate) fn forward(pass: &mut Pass<'_>, place: Place<'a>, sources: [&Tensor4; 2]) -> Self {
        let inputs = [0, 1].map(|input| {
            reads(place.topology, input).then(|| preprocess(pass, &place, input, sources[input]))
        });
        let shape = place.node_shape(sources[1]);
        let mut states: Vec<Option<Tensor4>> = inputs
            .iter()
            .map(|path| path.as_ref().map(|path| path.output.clone()))
            .collect();
        let mut edges = Vec::new();
        let mut weight = place.first_weight;
        for node in 2..NODES {
            let mut value = Tensor4::zeros(shape);
            for edge in Edge::incoming(node) {
                let paths: Vec<Option<Path>> = place
                    .topology
                    .alive(edge)
                    .iter()
                    .zip(weight..)
                    .map(|(operation, weight)| {
                        let source = states[edge.from()].as_ref();
                        apply(pass, &place, edge, *operation, weight, source)
                    })
                    .collect();
                weight += paths.len();
                for (path, weight) in paths.iter().zip(&place.op_weights[edge.index()]) {
                    if let Some(path) = path {
                        value = value.plus(&weighted_sum(&[&path.output], &[*weight]));
                    }
                }
                edges.push((edge, paths));
            }
            states.push(Some(value));
        }
        let nodes: Vec<&Tensor4> = states[2..].iter().flatten().collect();
        let output = Tensor4::concat(&nodes);
        Self {
            place,
            inputs,
            edges,
            output,
        }
    }

    /// The gradients of the loss in the cell's two sources. Those of the parameters are added up, those of
    /// the op weights too, by edge index.
    pub(crate) fn backward(
        &self,
        gradient: &Tensor4,
        sources: [&Tensor4; 2],
        gradients: &mut Gradients,
        in_op_weights: &mut [Vec<f64>],
    ) -> [Tensor4; 2] {
        let node_channels = self.place.channels;
        let mut in_states: Vec<Option<Tensor4>> = vec![None, None];
        in_states.extend(
            (0..NODES - 2).map(|node| Some(gradient.channels(node * node_channels, node_channels))),
        );
        // A node's gradient is whole once every edge out of it is done: those lead to later nodes.
        for (edge, paths) in self.edges.iter().rev() {
            for (k, path) in paths.iter().enumerate() {
                let Some(path) = path else { continue };
                let Some(outgoing) = in_states[edge.to()].clone() else {
                    unreachable!()
                };
                let weight = self.place.op_weights[edge.index()][k];
                let (in_outputs, in_weights) =
                    weighted_sum_backward(&[&path.output], &[weight], &outgoing);
                in_op_weights[edge.index()][k] += in_weights[0];
                let in_source = path.backward(&in_outputs[0], gradients);
                let so_far = in_states[edge.from()].take();
                in_states[edge.from()] =
                    Some(so_far.map_or(in_source.clone(), |sum| sum.plus(&in_source)));
            }
        }
        [0, 1].map(|input| match (&self.inputs[input], &in_states[input]) {
            (Some(path), Some(gradient)) => path.backward(gradient, gradients),
            _ => Tensor4::zeros(sources[input].shape()),
        })
    }
}

impl Place<'_> {
    fn stride(&self, edge: Edge) -> usize {
        if self.kind == CellKind::Reduction && edge.from() < 2 {
            2
        } else {
            1
        }
    }

    fn node_shape(&self, last: &Tensor4) -> [usize; 4] {
        let size = |size: usize| match self.kind {
            CellKind::Normal => size,
            CellKind::Reduction => size.div_ceil(2),
        };
        [last.n, size(last.h), size(last.w), self.channels]
    }
}

/// Whether an operation reads the node; `none` reads nothing.
fn reads(topology: &CellTopology, node: usize) -> bool {
    Edge::all().filter(|edge| edge.from() == node).any(|edge| {
        topology
            .alive(edge)
            .iter()
            .any(|operation| *operation != Operation::None)
    })
}

fn preprocess(pass: &mut Pass<'_>, place: &Place<'_>, input: usize, source: &Tensor4) -> Path {
    let name = format!("cells.{}.input{input}", place.index);
    let path = Path::from(source).relu(pass);
    let path = if input == 0 && place.after_reduction {
        path.halves(pass, &name)
    } else {
        path.pointwise(pass, &format!("{name}.conv"))
    };
    path.norm(pass, &format!("{name}.norm"))
}

fn apply(
    pass: &mut Pass<'_>,
    place: &Place<'_>,
    edge: Edge,
    operation: Operation,
    weight: usize,
    source: Option<&Tensor4>,
) -> Option<Path> {
    if operation == Operation::None {
        return None;
    }
    let path = Path::from(source?);
    let (cell, stride) = (place.index, place.stride(edge));
    let name = format!(
        "cells.{cell}.edges.{}-{}.{operation}",
        edge.from(),
        edge.to()
    );
    let window = |kernel, stride, dilation| Window {
        kernel,
        stride,
        dilation,
    };
    let path = match operation {
        Operation::None => return None,
        Operation::MaxPool3x3 | Operation::AvgPool3x3 => {
            let pooled = if operation == Operation::MaxPool3x3 {
                path.max_pool(pass, stride)
            } else {
                path.average_pool(stride)
            };
            let norm = format!("cells.{cell}.nodes.{}.{operation}.norm", edge.from());
            match place.form {
                Form::Search | Form::SearchByEdge => pooled.norm(pass, &norm),
                Form::Final => pooled,
            }
        }
        Operation::SkipConnect if stride == 1 => return Some(path),
        Operation::SkipConnect => path
            .relu(pass)
            .halves(pass, &name)
            .norm(pass, &format!("{name}.norm")),
        Operation::SepConv3x3 => sep_conv(path, pass, &name, window(3, stride, 1)),
        Operation::SepConv5x5 => sep_conv(path, pass, &name, window(5, stride, 1)),
        Operation::DilConv3x3 => chain(path, pass, &name, "", window(3, stride, 2)),
        Operation::DilConv5x5 => chain(path, pass, &name, "", window(5, stride, 2)),
    };
    Some(path.drop_path(pass, cell, weight))
}

fn sep_conv(path: Path, pass: &mut Pass<'_>, name: &str, window: Window) -> Path {
    let first = chain(path, pass, name, "1", window);
    chain(
        first,
        pass,
        name,
        "2",
        Window {
            stride: 1,
            ..window
        },
    )
}

fn chain(path: Path, pass: &mut Pass<'_>, name: &str, ending: &str, window: Window) -> Path {
    path.relu(pass)
        .depthwise(pass, &format!("{name}.depthwise{ending}"), window)
        .pointwise(pass, &format!("{name}.pointwise{ending}"))
        .norm(pass, &format!("{name}.norm{ending}"))
}

//! A bank and a cell of a supernet, forward and backward in their weights, on one thread.
//!
//! A bank is all that leaves one node. Each stands alone in a network: a stem and the cell's inputs before it, a
//! classifier after it, which take a small part of the time.

use asap_benches::{CLASSES, MadeUp, Numbers};
use asap_kernels::{
    CellOperation, CellSpec, Connection, Engine, Level, Pass, Plan, PlanBuilder, Regularisation,
    Wanted,
};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use std::time::Duration;

const IMAGES: usize = 32;
/// Channels with height and width, as the three stages of a network have them.
const SHAPES: [(usize, usize); 3] = [(8, 28), (16, 16), (32, 8)];
const OPERATIONS: [CellOperation; 7] = [
    CellOperation::MaxPool,
    CellOperation::AveragePool,
    CellOperation::Skip,
    CellOperation::Separable { kernel: 3 },
    CellOperation::Separable { kernel: 5 },
    CellOperation::Dilated { kernel: 3 },
    CellOperation::Dilated { kernel: 5 },
];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    for (channels, size) in SHAPES {
        for (kind, stride) in [("normal", 1), ("reduction", 2)] {
            let bank = connections(|from| from == 0);
            let cell = connections(|_| true);
            for (group, connections) in [("bank", bank), ("cell", cell)] {
                let plan = plan(channels, size, stride, &connections);
                bench(&mut criterion, [group, kind], [channels, size], plan);
            }
        }
    }
    criterion.final_summary();
}

/// Every operation on the edges out of the nodes that are `wanted`.
fn connections(wanted: impl Fn(usize) -> bool) -> Vec<Connection> {
    let edges = (2..6).flat_map(|to| (0..to).map(move |from| (from, to)));
    let terms = edges
        .filter(|(from, _)| wanted(*from))
        .flat_map(|edge| OPERATIONS.map(|operation| (edge, operation)));
    let connection = |(weight, ((from, to), operation))| Connection {
        from,
        to,
        operation,
        weight,
    };
    terms.enumerate().map(connection).collect()
}

/// A network of one cell.
fn plan(channels: usize, size: usize, stride: usize, connections: &[Connection]) -> Plan {
    let image = [size, size, 3];
    let mut builder = PlanBuilder::new(IMAGES, connections.len(), image, 3 * channels);
    builder.cell(&CellSpec {
        name: "cell".to_owned(),
        channels,
        stride,
        reduce_first_input: false,
        affine: false,
        normalise_pools: true,
        connections,
    });
    builder.finish(CLASSES)
}

fn bench(
    criterion: &mut Criterion,
    [group, kind]: [&str; 2],
    [channels, size]: [usize; 2],
    plan: Plan,
) {
    let mut group = criterion.benchmark_group(group);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(IMAGES as u64));
    let id = BenchmarkId::new(kind, format!("{IMAGES}x{channels}x{size}x{size}_f32"));
    group.bench_function(id, |bencher| {
        let (parameters, mut statistics) = start(&plan);
        let mut gradients = vec![0.0; plan.slab_len()];
        let op_weights = vec![1.0 / OPERATIONS.len() as f32; plan.op_weights()];
        let batch = MadeUp::new(IMAGES, size);
        let mut engine =
            Engine::new(plan.clone(), Level::detect(), 1).expect("memory for one cell");
        bencher.iter(|| {
            let pass = Pass {
                pixels: batch.images().pixels,
                parameters: &parameters,
                op_weights: &op_weights,
                regularisation: Regularisation::default(),
            };
            let (statistics, gradients) = (&mut statistics, &mut gradients);
            let labels = batch.images().labels;
            engine
                .step(pass, labels, statistics, gradients, Wanted::Weights)
                .expect("a batch that fits")
        });
    });
    group.finish();
}

/// Made-up parameters, padding 0, and running statistics.
fn start(plan: &Plan) -> (Vec<f32>, Vec<f32>) {
    let mut numbers = Numbers::new(0);
    let mut slab = vec![0.0; plan.slab_len()];
    for parameter in plan.parameters() {
        for place in parameter.kind.places() {
            slab[parameter.offset + place] = numbers.float() as f32;
        }
    }
    (slab, vec![0.0; plan.statistics_len()])
}

//! The optimizers: SGD over all weights of a supernet, Adam over its alphas. Elements are numbers moved.

use asap_benches::{Numbers, PAPER, SMALL};
use asap_genotype::{OpSet, Topology};
use asap_kernels::gradient_norm;
use asap_space::Descent;
use asap_train::{Adam, AdamConfig};
use criterion::{BenchmarkId, Criterion, Throughput};

/// As the paper's search has it, by UniNAS.
const SGD: Descent = Descent {
    learning_rate: 0.025,
    momentum: 0.9,
    nesterov: false,
    weight_decay: 3e-4,
    clip: 5.0,
};
const ADAM: AdamConfig = AdamConfig {
    learning_rate: 3e-4,
    beta1: 0.5,
    beta2: 0.999,
    weight_decay: 1e-3,
};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for scale in [SMALL, PAPER] {
        let topology = Topology::full(&OpSet::darts7());
        let network = scale.network(&topology);
        let weights = network.weights().expect("the processor never fails");
        sgd(&mut criterion, weights.len());
    }
    adam(
        &mut criterion,
        Topology::full(&OpSet::darts7()).operations_alive(),
    );
    criterion.final_summary();
}

/// The norm for clipping and the step, as a search makes them.
fn sgd(criterion: &mut Criterion, count: usize) {
    let mut numbers = Numbers::new(0);
    let (mut weights, gradients) = (numbers.floats(count), numbers.floats(count));
    let mut velocity = vec![0.0; count];
    let mut group = criterion.benchmark_group("optimizer");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(BenchmarkId::new("sgd", format!("{count}_f32")), |bencher| {
        bencher.iter(|| {
            let norm = gradient_norm(&gradients);
            SGD.step(&mut weights, &gradients, &mut velocity, norm);
        });
    });
    group.finish();
}

fn adam(criterion: &mut Criterion, count: usize) {
    let mut numbers = Numbers::new(0);
    let mut draw = || -> Vec<f64> { (0..count).map(|_| numbers.float()).collect() };
    let (mut alphas, gradients) = (draw(), draw());
    let mut optimizer = Adam::new(ADAM, count);
    let mut group = criterion.benchmark_group("optimizer");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(
        BenchmarkId::new("adam", format!("{count}_f64")),
        |bencher| {
            bencher.iter(|| optimizer.step(&mut alphas, &gradients));
        },
    );
    group.finish();
}

//! What annealing adds to an alpha step: op weights, chain rule, Adam, pruning. Elements are parameters.

use asap_anneal::{AnnealConfig, Annealer, Moment};
use asap_benches::Numbers;
use asap_genotype::OpSet;
use asap_train::{Adam, AdamConfig};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};

/// As the paper's search has it, by UniNAS.
const ADAM: AdamConfig = AdamConfig {
    learning_rate: 3e-4,
    beta1: 0.5,
    beta2: 0.999,
    weight_decay: 1e-3,
};
/// Of the plan: grace is over, and nothing is pruned yet.
const PROGRESS: f64 = 0.5;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for op_set in [OpSet::darts7(), OpSet::darts8()] {
        step(&mut criterion, &op_set);
    }
    criterion.final_summary();
}

fn step(criterion: &mut Criterion, op_set: &OpSet) {
    let annealer = Annealer::new(AnnealConfig::default(), op_set, 0).expect("default settings");
    let count = annealer.parameters().len();
    let temperature = annealer.temperature(PROGRESS);
    assert!(!annealer.in_grace(temperature), "nothing to measure");
    let slopes = Numbers::new(0).op_weights(annealer.topology());
    let at = Moment { epoch: 0, step: 0 };

    let mut group = criterion.benchmark_group("anneal_step");
    group.throughput(Throughput::Elements(count as u64));
    let id = BenchmarkId::new(op_set.name(), format!("{count}_f64"));
    group.bench_function(id, |bencher| {
        let start = || (annealer.clone(), Adam::new(ADAM, count));
        let step = |(mut annealer, mut adam): (Annealer, Adam)| {
            let op_weights = annealer.op_weights(temperature);
            let gradient = annealer.gradient(temperature, &slopes);
            let mut parameters = annealer.parameters().to_vec();
            adam.step(&mut parameters, &gradient);
            annealer
                .set_parameters(&parameters)
                .expect("finite parameters");
            let pruned = annealer.prune(at, temperature);
            adam.keep(&pruned.kept);
            (op_weights, annealer, adam)
        };
        bencher.iter_batched(start, step, BatchSize::SmallInput);
    });
    group.finish();
}

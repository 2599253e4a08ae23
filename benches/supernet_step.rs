//! One step of a network, forward and backward, on all cores: the supernet and one derived from it.

use asap_benches::{PAPER, SMALL, Scale};
use asap_genotype::{DARTS_V2, OpSet, OpWeights, Topology};
use asap_space::Wanted;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let supernet = Topology::full(&OpSet::darts7());
    let derived = Topology::from_genotype(&DARTS_V2);
    for scale in [SMALL, PAPER] {
        bench(&mut criterion, scale, "weight", &supernet, Wanted::Weights);
        bench(&mut criterion, scale, "alpha", &supernet, Wanted::OpWeights);
    }
    let name = "weight_darts_v2";
    bench(&mut criterion, SMALL, name, &derived, Wanted::Weights);
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, scale: Scale, name: &str, topology: &Topology, wanted: Wanted) {
    let mut group = criterion.benchmark_group("supernet_step");
    // A step takes up to seconds: as many of them in each sample.
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(scale.batch as u64));
    let id = BenchmarkId::new(format!("{name}_{}", scale.name), scale.shape());
    group.bench_function(id, |bencher| {
        // Built here: a benchmark that is filtered out must not take the memory of a network.
        let (mut network, batch) = (scale.network(topology), scale.batch());
        let op_weights = OpWeights::uniform(topology);
        bencher.iter(|| {
            let outcome = network.step(batch.images(), &op_weights, wanted);
            outcome.expect("a batch that fits")
        });
    });
    group.finish();
}

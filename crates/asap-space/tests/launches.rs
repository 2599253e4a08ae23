//! What a step of the paper's search is on a GPU, counted without one: launches, and the bytes that they cannot do without.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use asap_genotype::{OpSet, OpWeights, Topology};
use asap_kernels::Error;
use asap_kernels::device::{Capacity, Device, Fetched, Launch, Part};
use asap_space::{
    Accelerator, Alphas, Execution, Form, KeptImages, Network, NetworkConfig, Place, Precision,
    Regularisation, Showing, StemForm, StepImages, Variation, Wanted,
};

/// Images of a batch.
const BATCH: usize = 64;

/// The first address.
const FIRST: u64 = 1 << 30;

/// Gives addresses and does nothing.
struct Counting {
    next: u64,
}

impl Device for Counting {
    fn name(&self) -> String {
        "counting".to_owned()
    }

    /// As the H100 and H200 have it.
    fn capacity(&self) -> Capacity {
        Capacity {
            multiprocessors: 132,
            shared_bytes: 227 << 10,
        }
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64, Error> {
        let address = self.next;
        self.next += (bytes as u64).next_multiple_of(256);
        Ok(address)
    }

    fn free(&mut self, _address: u64) {}

    fn peak_bytes(&self) -> usize {
        (self.next - FIRST) as usize
    }

    fn upload(&mut self, _address: u64, _bytes: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn download(&mut self, _address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        bytes.fill(0);
        Ok(())
    }

    fn start_clock(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn fetch(&mut self, _parts: &[Part]) -> Result<u64, Error> {
        Ok(0)
    }

    fn fetched(&mut self, _copy: u64) -> Result<Fetched, Error> {
        Ok(Fetched {
            bytes: Vec::new(),
            seconds: 0.0,
        })
    }

    fn launch(&mut self, _launch: &Launch) -> Result<(), Error> {
        Ok(())
    }

    fn record(&mut self, _launches: &[Launch]) -> Result<u64, Error> {
        Ok(0)
    }

    fn replay(&mut self, _graph: u64) -> Result<(), Error> {
        Ok(())
    }

    fn forget(&mut self, _graph: u64) {}

    fn time(&mut self, launches: &[Launch]) -> Result<Vec<f64>, Error> {
        Ok(vec![0.0; launches.len()])
    }
}

/// The supernet of the paper's search.
fn network(precision: Precision) -> Network {
    let config = NetworkConfig {
        channels: 16,
        cells: 8,
        classes: 10,
        image_channels: 3,
        height: 32,
        width: 32,
        form: Form::Search,
        stem: StemForm::Cifar,
        auxiliary: false,
    };
    let execution = Execution {
        batch: BATCH,
        threads: 1,
    };
    let counting = || Ok(Box::new(Counting { next: FIRST }) as Box<dyn Device>);
    let place = Place::Device(Accelerator::new(precision, counting).unwrap());
    let topology = Topology::full(&OpSet::darts7());
    Network::on(&place, config, topology, execution, 5).unwrap()
}

/// Puts images and alphas beside a network, as a search does: a step then has the launches that make its batch and move its alphas.
fn furnish(network: &mut Network) {
    let config = network.config();
    let image = config.height * config.width * config.image_channels;
    let tables = vec![[0.0; 256]; config.image_channels];
    network
        .keep_images(&vec![0; BATCH * image], &tables)
        .unwrap();
    let ones = OpWeights::ones(network.topology());
    let operations = network.topology().operations_alive();
    let zeros = vec![0.0; operations];
    let alphas = Alphas {
        parameters: zeros.clone(),
        mean: zeros.clone(),
        square: zeros,
    };
    network.set_alphas(&alphas).unwrap();
    let showings = [Showing::default(); BATCH];
    let images = StepImages::Kept(KeptImages {
        showings: &showings,
        variation: Variation::default(),
    });
    network
        .start_step(images, &ones, Wanted::Weights, Regularisation::default())
        .unwrap();
}

/// Launches, bytes that they cannot do without, and operations of products.
fn count(launches: &[Launch]) -> (usize, f64, f64) {
    let bytes = launches.iter().map(|l| l.work.bytes).sum();
    let operations = launches.iter().map(|l| l.work.operations).sum();
    (launches.len(), bytes, operations)
}

/// Operations of products.
const WEIGHT_OPERATIONS: f64 = 130e9;
const ALPHA_OPERATIONS: f64 = 78e9;

#[test]
fn a_step_of_the_papers_search_has_the_launches_bytes_and_arithmetic_that_docs_say() {
    // docs/performance.md has these.
    for (precision, memory, weight_bytes, alpha_bytes) in [
        (Precision::Tf32, 1765, 17.08e9, 15.96e9),
        (Precision::Bf16, 1017, 11.83e9, 10.96e9),
    ] {
        let mut network = network(precision);
        furnish(&mut network);
        let engine = network.device().unwrap();
        let found = (
            engine.device().unwrap().peak_bytes() >> 20,
            count(&engine.weight_step()),
            count(&engine.alpha_step()),
        );
        let (mebibytes, weight, alpha) = found;
        assert!(mebibytes <= memory, "{precision:?}: {found:?}");
        assert!(
            weight.0 == 679 && alpha.0 == 633,
            "{precision:?}: {found:?}"
        );
        for (found_there, documented) in [
            (weight.1, weight_bytes),
            (alpha.1, alpha_bytes),
            (weight.2, WEIGHT_OPERATIONS),
            (alpha.2, ALPHA_OPERATIONS),
        ] {
            assert!(
                (found_there / documented - 1.0).abs() < 1e-2,
                "{documented}, {precision:?}: {found:?}"
            );
        }
    }
}

#[test]
fn its_kernels_move_what_docs_say() {
    // GB of a weight step, in docs/performance.md.
    let documented = [
        ("chain_backward_tf32", 4.5),
        ("chain_forward_tf32", 1.7),
        ("chain_forward_wide_tf32", 0.4),
        ("depthwise_gradient", 2.8),
        ("mix", 2.7),
        ("moments", 0.2),
        ("pool_forward", 0.6),
        ("pool_gradient", 0.9),
        ("product_forward_tf32", 0.3),
        ("product_input_gradient_tf32", 0.6),
        ("product_weight_gradient_tf32", 0.4),
        ("products", 1.7),
        ("reduce", 0.3),
    ];
    let mut network = network(Precision::Tf32);
    furnish(&mut network);
    let mut rest: BTreeMap<&str, f64> = BTreeMap::new();
    for launch in network.device().unwrap().weight_step() {
        *rest.entry(launch.kernel).or_default() += launch.work.bytes / 1e9;
    }
    for (kernel, gigabytes) in documented {
        let found = rest.remove(kernel).unwrap();
        assert!((found - gigabytes).abs() <= 0.05, "{kernel}: {found}");
    }
    assert!(rest.values().sum::<f64>() < 0.1, "{rest:?}");
}

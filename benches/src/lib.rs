//! Shared fixtures of the benchmarks: two scales, seeded numbers, made-up images.
//!
//! Each benchmark has the id `GROUP/WHAT/SHAPE_DTYPE`. Seeds are fixed, so two runs do the same work.

use asap_data::{Dataset, DatasetParts};
use asap_genotype::{OpWeights, Topology};
use asap_space::{Execution, Form, Images, Network, NetworkConfig, StemForm};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Classes of every benchmark.
pub const CLASSES: usize = 10;
const SEED: u64 = 0;

/// A size of network and batch that figures are quoted for.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// What it is called in ids.
    pub name: &'static str,
    /// Channels of the first cells.
    pub channels: usize,
    /// Cells of the network.
    pub cells: usize,
    /// Height and width of an image.
    pub size: usize,
    /// Images of a step.
    pub batch: usize,
}

/// The search that fits a small machine.
pub const SMALL: Scale = Scale {
    name: "small",
    channels: 8,
    cells: 5,
    size: 28,
    batch: 32,
};

/// The search of the paper.
pub const PAPER: Scale = Scale {
    name: "paper",
    channels: 16,
    cells: 8,
    size: 32,
    batch: 64,
};

impl Scale {
    /// The network in its search form, on images of three channels.
    pub fn config(&self) -> NetworkConfig {
        NetworkConfig {
            channels: self.channels,
            cells: self.cells,
            classes: CLASSES,
            image_channels: 3,
            height: self.size,
            width: self.size,
            form: Form::Search,
            stem: StemForm::Cifar,
            auxiliary: false,
        }
    }

    /// A network of `topology` on all cores of the machine.
    ///
    /// # Panics
    /// If the machine has no memory for it.
    pub fn network(&self, topology: &Topology) -> Network {
        let execution = Execution {
            batch: self.batch,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        };
        Network::new(self.config(), topology.clone(), execution, SEED)
            .expect("a network of a known scale")
    }

    /// One batch of made-up images.
    pub fn batch(&self) -> MadeUp {
        MadeUp::new(self.batch, self.size)
    }

    /// `SHAPE_DTYPE` of a batch, for ids.
    pub fn shape(&self) -> String {
        let Self { size, batch, .. } = self;
        format!("{batch}x{size}x{size}x3_f32")
    }
}

/// A batch of made-up images.
#[derive(Clone, Debug)]
pub struct MadeUp {
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

impl MadeUp {
    /// As many images of three channels, of `size` pixels a side.
    pub fn new(images: usize, size: usize) -> Self {
        let mut numbers = Numbers::new(SEED);
        Self {
            labels: numbers.labels(images),
            pixels: numbers.floats(images * size * size * 3),
        }
    }

    /// The batch as a network takes it.
    pub fn images(&self) -> Images<'_> {
        Images {
            pixels: &self.pixels,
            labels: &self.labels,
        }
    }
}

/// A stream of seeded numbers.
#[derive(Clone, Debug)]
pub struct Numbers(ChaCha8Rng);

impl Numbers {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// From -1 to below 1.
    pub fn float(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// `count` of them in f32.
    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float() as f32).collect()
    }

    /// `count` labels below [`CLASSES`].
    pub fn labels(&mut self, count: usize) -> Vec<u32> {
        (0..count)
            .map(|_| self.0.next_u32() % CLASSES as u32)
            .collect()
    }

    /// One number for each operation alive, as gradients of op weights are.
    pub fn op_weights(&mut self, topology: &Topology) -> OpWeights {
        let mut weights = OpWeights::zeros(topology);
        for kind in asap_genotype::CellKind::ALL {
            let edges = weights.cell_mut(kind).iter_mut();
            edges.flatten().for_each(|weight| *weight = self.float());
        }
        weights
    }

    /// A data set of `images` images of `size` pixels a side.
    ///
    /// # Panics
    /// If there is no image, or `channels` is neither 1 nor 3.
    pub fn dataset(&mut self, images: usize, size: usize, channels: usize) -> Dataset {
        let mut bytes = vec![0; images * size * size * channels];
        self.0.fill_bytes(&mut bytes);
        let parts = DatasetParts {
            name: "made-up images".to_owned(),
            height: size,
            width: size,
            channels,
            classes: (0..CLASSES).map(|class| class.to_string()).collect(),
            images: bytes,
            labels: self.labels(images),
        };
        Dataset::new(parts).expect("parts that fit together")
    }
}

//! What the kernels of banks ask of a multiprocessor's memory, counted access by access, and the instructions that they issue: so that it is
//! seen without a GPU when one of them does more than it has to.

use asap_kernels::device::abi::{
    ChainBackward, ChainForward, Depthwise, DepthwiseGradient, NEVER_LOST, Plain, Step, THREADS,
    Tensor, Term, View, bytes,
};
use asap_kernels::device::{Device, Launch, Work};

use crate::compile::{Kernels, Traffic};
use crate::host::HostDevice;

const IMAGES: usize = 1;
/// One block has several patches, so that what it reads once counts about as little as in a search.
const SPLITS: usize = 1;

struct Shape {
    channels: usize,
    side: usize,
    kernel: u32,
    dilation: u32,
}

/// Channels of the first cells of a paper-sized search, at stride 1.
fn shapes() -> Vec<Shape> {
    let sizes = [(16, 32), (32, 16)];
    let taps = [(3, 1), (5, 1), (3, 2), (5, 2)];
    let shapes = sizes.iter().flat_map(|&(channels, side)| {
        taps.iter().map(move |&(kernel, dilation)| Shape {
            channels,
            side,
            kernel,
            dilation,
        })
    });
    shapes.collect()
}

/// A watched host with tensors of a shape.
struct Bench<'a> {
    kernels: &'static Kernels,
    device: HostDevice,
    shape: &'a Shape,
}

impl<'a> Bench<'a> {
    fn new(kernels: &'static Kernels, shape: &'a Shape) -> Self {
        Self {
            kernels,
            device: HostDevice::with_kernels(kernels, 1),
            shape,
        }
    }

    fn put<T: Plain>(&mut self, values: &[T]) -> u64 {
        let address = self.device.allocate(size_of_val(values)).unwrap();
        self.device.upload(address, bytes(values)).unwrap();
        address
    }

    fn zeros(&mut self, floats: usize) -> u64 {
        self.device.allocate(4 * floats).unwrap()
    }

    fn tensor(&mut self) -> Tensor {
        let image = self.shape.side * self.shape.side * self.shape.channels;
        Tensor {
            at: self.zeros(IMAGES * image),
            image: image as u32,
            pixel: self.shape.channels as u32,
        }
    }

    fn source(&mut self) -> View {
        View {
            y: self.tensor(),
            a: self.zeros(self.shape.channels),
            b: self.zeros(self.shape.channels),
        }
    }

    fn taps(&self) -> usize {
        (self.shape.kernel * self.shape.kernel) as usize
    }

    /// Runs a kernel over one job that cannot do without so many tensors, and gives back what it asks for.
    fn count<T: Plain>(
        &mut self,
        kernel: &'static str,
        job: T,
        floats: usize,
        tensors: usize,
    ) -> Counted {
        let step = Step {
            images: IMAGES as u32,
            train: 1,
            want_weights: 1,
            kept_scale: 1.0,
            ..Step::default()
        };
        let launch = Launch {
            kernel,
            grid: [SPLITS as u32, 1, 1],
            shared_bytes: 4 * floats as u32,
            jobs: self.put(&[job]),
            step: self.put(&[step]),
            work: Work::default(),
        };
        let kernels = self.kernels;
        let traffic = kernels.traffic(|| self.device.try_launch(&launch, THREADS).unwrap());
        let image = self.shape.side * self.shape.side * self.shape.channels;
        Counted::new(traffic, 4 * tensors * IMAGES * image)
    }
}

/// Of what cannot be done without.
struct Counted {
    /// Wavefronts of the shared memory for each KiB.
    waves: f64,
    /// Bytes of sectors for each byte.
    sectors: f64,
    /// Instructions of warps for each KiB, if all lanes go the same way, of kernels that nvcc has translated.
    #[cfg_attr(
        not(feature = "cuda"),
        expect(dead_code, reason = "only nvcc's are counted")
    )]
    instructions: f64,
}

impl Counted {
    fn new(traffic: Traffic, bytes: usize) -> Self {
        let sectors = traffic.sectors_read + traffic.sectors_written;
        let kibibytes = bytes as f64 / 1024.0;
        Self {
            waves: traffic.shared_waves as f64 / kibibytes,
            sectors: 32.0 * sectors as f64 / bytes as f64,
            instructions: traffic.instructions as f64 / 32.0 / kibibytes,
        }
    }
}

/// Rows of a patch, and pixels of the tile that it reads.
fn patch(shape: &Shape) -> (usize, usize) {
    let rows = if shape.channels == 16 { 16 } else { 8 };
    let around = ((shape.kernel - 1) * shape.dilation) as usize;
    (rows, (rows + around) * ((8 + around) | 1))
}

fn forward(kernels: &'static Kernels, shape: &Shape) -> Counted {
    let mut bench = Bench::new(kernels, shape);
    let (channels, taps) = (shape.channels, bench.taps());
    let job = ChainForward {
        source: bench.source(),
        depthwise: bench.zeros(taps * channels),
        pointwise: bench.zeros(channels * channels),
        y: bench.tensor(),
        moments: bench.zeros(2 * SPLITS * 2 * channels),
        kernel: shape.kernel,
        dilation: shape.dilation,
        stride: 1,
        height: shape.side as u32,
        width: shape.side as u32,
        channels: channels as u32,
    };
    let (rows, tile) = patch(shape);
    let floats =
        tile * channels + 8 * rows * (channels + 4) + channels * (channels + 8) + taps * channels;
    // Many chains read the same source, and only one of them from afar.
    bench.count("chain_forward_tf32", job, floats, 1)
}

fn backward(kernels: &'static Kernels, shape: &Shape) -> Counted {
    let mut bench = Bench::new(kernels, shape);
    let (channels, taps) = (shape.channels, bench.taps());
    let terms = [0, 1].map(|_| Term {
        y: bench.tensor(),
        scale: bench.zeros(channels),
        shift: bench.zeros(channels),
        factor: 0,
        cell: 0,
        weight: NEVER_LOST,
    });
    let job = ChainBackward {
        source: bench.source(),
        depthwise: bench.zeros(taps * channels),
        pointwise: bench.zeros(channels * channels),
        upstream: bench.put(&terms),
        z: bench.tensor(),
        partials: bench.zeros(SPLITS * (taps + channels) * channels),
        kernel: shape.kernel,
        dilation: shape.dilation,
        stride: 1,
        height: shape.side as u32,
        width: shape.side as u32,
        channels: channels as u32,
        chunk: channels as u32,
        reserved: 0,
    };
    let (rows, tile) = patch(shape);
    let floats = (8 * rows + channels) * (channels + 4)
        + 8 * rows * (channels + 4)
        + 16
        + 2 * terms.len() * channels
        + (tile + taps) * channels;
    bench.count("chain_backward_tf32", job, floats, 3)
}

fn gradient(kernels: &'static Kernels, shape: &Shape) -> Counted {
    let mut bench = Bench::new(kernels, shape);
    let (channels, taps) = (shape.channels, bench.taps());
    let convolution = Depthwise {
        weights: bench.zeros(taps * channels),
        z: bench.tensor(),
        kernel: shape.kernel,
        dilation: shape.dilation,
    };
    let job = DepthwiseGradient {
        source: bench.source(),
        convolutions: bench.put(&[convolution]),
        extra: Tensor::default(),
        out: bench.tensor(),
        sums: bench.zeros(2 * SPLITS * 2 * channels),
        count: 1,
        add: 0,
        stride: 1,
        height: shape.side as u32,
        width: shape.side as u32,
        channels: channels as u32,
    };
    let floats = ((patch(shape).1 + 25) * channels).max(1024);
    bench.count("depthwise_gradient", job, floats, 3)
}

type Count = fn(&'static Kernels, &Shape) -> Counted;

#[test]
fn kernels_of_banks_ask_no_more_of_memory_than_docs_say() {
    // Wavefronts for each KiB, in the order of the shapes; the means over those of bytes for each byte. docs/performance.md has these.
    let kernels: [(&str, Count, [u32; 8], f64); 3] = [
        (
            "chain_forward",
            forward,
            [76, 112, 86, 141, 89, 129, 100, 163],
            3.21,
        ),
        (
            "chain_backward",
            backward,
            [66, 84, 69, 94, 80, 100, 84, 112],
            1.80,
        ),
        (
            "depthwise_gradient",
            gradient,
            [17, 34, 21, 44, 18, 36, 22, 48],
            1.48,
        ),
    ];
    for (kernel, count, waves, sectors) in kernels {
        let shapes = shapes();
        let counted = shapes.iter().map(|s| count(Kernels::of_crate_watched(), s));
        let counted: Vec<Counted> = counted.collect();
        let found: Vec<u32> = counted.iter().map(|c| c.waves.round() as u32).collect();
        let is_less = found.iter().zip(&waves).all(|(found, most)| found <= most);
        assert!(
            is_less,
            "{kernel}: {found:?} wavefronts a KiB, not {waves:?}"
        );
        let bytes = counted.iter().map(|c| c.sectors).sum::<f64>() / counted.len() as f64;
        assert!(
            bytes <= sectors,
            "{kernel}: {bytes} times the bytes, not {sectors}"
        );
    }
}

#[cfg(feature = "cuda")]
#[test]
fn nor_do_they_issue_more_instructions() {
    // Of warps, for each KiB, in the order of the shapes, as nvcc 13.0 has them; others may need a tenth more. docs/performance.md has
    // these.
    let kernels: [(&str, Count, [u32; 8]); 3] = [
        (
            "chain_forward",
            forward,
            [355, 560, 379, 682, 446, 688, 520, 737],
        ),
        (
            "chain_backward",
            backward,
            [190, 326, 197, 355, 224, 375, 242, 401],
        ),
        (
            "depthwise_gradient",
            gradient,
            [176, 246, 184, 274, 181, 262, 199, 282],
        ),
    ];
    for (kernel, count, most) in kernels {
        let shapes = shapes();
        let counted = shapes.iter().map(|s| count(Kernels::of_nvcc_watched(), s));
        let found: Vec<u32> = counted.map(|c| c.instructions.round() as u32).collect();
        let is_less = found
            .iter()
            .zip(&most)
            .all(|(found, most)| 10 * found <= 11 * most);
        assert!(
            is_less,
            "{kernel}: {found:?} instructions a KiB, not {most:?}"
        );
    }
}

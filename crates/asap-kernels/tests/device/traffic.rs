//! What the kernels of banks ask of a multiprocessor's memory, counted access by access: so that it is seen without a GPU when one of
//! them reads more often than it has to.
#![expect(clippy::print_stdout, reason = "what was counted is for docs")]

use asap_kernels::device::abi::{
    ChainBackward, ChainForward, Depthwise, DepthwiseGradient, NEVER_LOST, Plain, Step, THREADS,
    Tensor, Term, View, bytes,
};
use asap_kernels::device::{Device, Launch, Work};

use crate::compile::{Kernels, Traffic};
use crate::host::HostDevice;

/// Clocks in which an H100 moves 1 KiB between its memory and each multiprocessor: 3.35 TB/s, 132 of them, 1.76 GHz. The shared memory of
/// one serves a wavefront a clock.
const CLOCKS: f64 = 1024.0 * 132.0 * 1.76e9 / 3.35e12;

const IMAGES: usize = 1;
/// One block has several squares, so that what it reads once counts about as little as in a search.
const SPLITS: usize = 1;

struct Shape {
    channels: usize,
    side: usize,
    kernel: u32,
    dilation: u32,
}

/// Channels of the first cells of a paper-sized search, at stride 1.
fn shapes() -> Vec<Shape> {
    let sizes = [(16, 24), (32, 16)];
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
    device: HostDevice,
    shape: &'a Shape,
}

impl<'a> Bench<'a> {
    fn new(shape: &'a Shape) -> Self {
        Self {
            device: HostDevice::watched(1),
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

    /// Runs a kernel over one job that cannot do without so many tensors, and prints and gives back what it asks for.
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
        let traffic = Kernels::of_crate_watched()
            .traffic(|| self.device.try_launch(&launch, THREADS).unwrap());
        let Shape {
            channels,
            side,
            kernel: size,
            dilation,
        } = *self.shape;
        let bytes = 4 * tensors * IMAGES * side * side * channels;
        let counted = Counted::new(traffic, bytes);
        println!(
            "{kernel:20} {channels} channels, {size} x {size}, dilation {dilation}: {:.0} wavefronts a KiB, {:.2} of the bandwidth; \
             {:.1} times the bytes",
            counted.waves,
            CLOCKS / counted.waves,
            counted.sectors
        );
        counted
    }
}

/// Of what cannot be done without.
struct Counted {
    /// Wavefronts of the shared memory for each KiB.
    waves: f64,
    /// Bytes of sectors for each byte.
    sectors: f64,
}

impl Counted {
    fn new(traffic: Traffic, bytes: usize) -> Self {
        let sectors = traffic.sectors_read + traffic.sectors_written;
        Self {
            waves: traffic.shared_waves as f64 / (bytes as f64 / 1024.0),
            sectors: 32.0 * sectors as f64 / bytes as f64,
        }
    }
}

/// Pixels of a tile with its odd pitch.
fn tile(side: usize) -> usize {
    side * (side | 1)
}

fn forward(shape: &Shape) -> Counted {
    let mut bench = Bench::new(shape);
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
    let span = 8 + ((shape.kernel - 1) * shape.dilation) as usize;
    let floats =
        tile(span) * channels + 64 * (channels + 4) + channels * (channels + 8) + taps * channels;
    // Many chains read the same source, and only one of them from afar.
    bench.count("chain_forward_tf32", job, floats, 1)
}

fn backward(shape: &Shape) -> Counted {
    let mut bench = Bench::new(shape);
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
        upstream_count: 2,
        kernel: shape.kernel,
        dilation: shape.dilation,
        stride: 1,
        height: shape.side as u32,
        width: shape.side as u32,
        channels: channels as u32,
        chunk: channels as u32,
    };
    let span = 8 + ((shape.kernel - 1) * shape.dilation) as usize;
    let floats = (64 + channels) * (channels + 4)
        + 64 * (channels + 4)
        + 16
        + (tile(span) + taps) * channels;
    bench.count("chain_backward_tf32", job, floats, 3)
}

fn gradient(shape: &Shape) -> Counted {
    let mut bench = Bench::new(shape);
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
    let reach = 8 + ((shape.kernel - 1) * shape.dilation) as usize;
    let floats = ((tile(reach) + 25) * channels).max(1024);
    bench.count("depthwise_gradient", job, floats, 3)
}

#[test]
fn kernels_of_banks_ask_no_more_of_memory_than_they_did() {
    let mean = |counted: Vec<Counted>| -> [f64; 2] {
        let len = counted.len() as f64;
        let sum = |of: &dyn Fn(&Counted) -> f64| counted.iter().map(of).sum::<f64>() / len;
        [sum(&|c| c.waves), sum(&|c| c.sectors)]
    };
    let shapes = shapes();
    for (kernel, count, most) in [
        (
            "chain_forward",
            forward as fn(&Shape) -> Counted,
            [118.0, 3.7],
        ),
        ("chain_backward", backward, [84.0, 2.4]),
        ("depthwise_gradient", gradient, [32.0, 2.2]),
    ] {
        let found = mean(shapes.iter().map(count).collect());
        println!("{kernel}: mean {found:?}");
        assert!(
            found[0] <= most[0] && found[1] <= most[1],
            "{kernel}: {found:?}, not {most:?}"
        );
    }
}

//! Depthwise separable chains there and back, of every kernel and number of channels that the compiler specialises and of others, held to
//! sums in f64 over factors that are rounded as the tensor cores round them.

mod backward;
mod forward;
mod gradient;

use asap_kernels::device::abi::{Tensor, View};

use super::products::rounded;
use super::{Bench, numbers};
use crate::chosen::{self, Chosen};
use crate::host::HostDevice;

const IMAGES: usize = 2;
/// Patches of 8 x 8 and 16 x 8 that are whole and that are not, at either stride.
const HEIGHT: usize = 19;
const WIDTH: usize = 17;
const SPLITS: usize = 2;
/// f32 of shared memory: the most that one of the kernels needs here, and every device has.
const FLOATS: u32 = 24 << 10;
/// 16, 32 and 64 are specialised; more than 32 go through in several goes, and the last one of 48 and of 72 is not full.
const CHANNELS: [usize; 7] = [8, 16, 24, 32, 48, 64, 72];
const TAPS: [(usize, usize); 4] = [(3, 1), (5, 1), (3, 2), (5, 2)];

/// What kernels are held to.
#[derive(Clone, Copy)]
struct Precision {
    /// Of kernels.
    name: &'static str,
    /// Of the mantissa of a factor.
    bits: u32,
    /// Whether what chains put out and read is bf16.
    half: bool,
}

const PRECISIONS: [Precision; 4] = [
    Precision {
        name: "f32",
        bits: 40,
        half: false,
    },
    Precision {
        name: "tf32",
        bits: 10,
        half: false,
    },
    Precision {
        name: "bf16",
        bits: 7,
        half: false,
    },
    Precision {
        name: "bf16",
        bits: 7,
        half: true,
    },
];

impl Precision {
    /// Of the kernels of each precision, its own.
    fn kernel(self, names: [&'static str; 3]) -> &'static str {
        let end = format!("_{}", self.name);
        names.into_iter().find(|name| name.ends_with(&end)).unwrap()
    }

    /// A tensor that holds what is left of `values`.
    fn tensor(self, bench: &mut Bench, values: &[f32], pixels: usize, channels: usize) -> Tensor {
        match self.half {
            false => bench.tensor(values, pixels, channels),
            true => bench.half_tensor(values, pixels, channels),
        }
    }

    fn read(self, bench: &mut Bench, tensor: Tensor, len: usize) -> Vec<f32> {
        match self.half {
            false => bench.read(tensor.at, len),
            true => bench.read_halves(tensor.at, len),
        }
    }

    /// As a share of the largest of the expected ones, f32's own rounding and what the tensor cores of a GPU cut off; of what is kept in
    /// bf16, half of its last bit.
    fn assert_close(self, what: &str, shape: Shape, found: &[f32], expected: &[f64], kept: bool) {
        assert_eq!(found.len(), expected.len());
        let share = match chosen::chosen() {
            Chosen::Gpu(_) if self.bits < 24 => 1e-3,
            _ => 1e-5,
        };
        let last_bit = if kept && self.half {
            0.5_f64.powi(8)
        } else {
            0.0
        };
        let largest = expected.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(*found) - expected).abs();
            assert!(
                error <= share * largest + last_bit * expected.abs(),
                "{what} of {}, {shape:?}, value {i}: {found} is not {expected}",
                self.name
            );
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    channels: usize,
    kernel: usize,
    dilation: usize,
    stride: usize,
}

impl Shape {
    fn out(&self) -> [usize; 2] {
        [HEIGHT.div_ceil(self.stride), WIDTH.div_ceil(self.stride)]
    }

    fn inputs(&self) -> usize {
        IMAGES * HEIGHT * WIDTH
    }

    fn outputs(&self) -> usize {
        IMAGES * self.out()[0] * self.out()[1]
    }

    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Output pixel, input pixel and tap of every meeting in the batch.
    fn meetings(&self) -> Vec<[usize; 3]> {
        let [height, width] = self.out();
        let padding = (self.kernel - 1) / 2 * self.dilation;
        let mut found = Vec::new();
        for out in 0..self.outputs() {
            let (image, rest) = (out / (height * width), out % (height * width));
            for tap in 0..self.taps() {
                let y = rest / width * self.stride + tap / self.kernel * self.dilation;
                let x = rest % width * self.stride + tap % self.kernel * self.dilation;
                let inside = |at: usize, size| (padding..size + padding).contains(&at);
                if inside(y, HEIGHT) && inside(x, WIDTH) {
                    let input = (image * HEIGHT + y - padding) * WIDTH + x - padding;
                    found.push([out, input, tap]);
                }
            }
        }
        found
    }
}

fn shapes() -> impl Iterator<Item = Shape> {
    let sizes = CHANNELS
        .iter()
        .flat_map(|c| [1, 2].map(|stride| (*c, stride)));
    let shapes = sizes.flat_map(|(channels, stride)| {
        TAPS.map(|(kernel, dilation)| Shape {
            channels,
            kernel,
            dilation,
            stride,
        })
    });
    // As wide as the memory that every device has allows.
    shapes.chain([Shape {
        channels: 136,
        kernel: 3,
        dilation: 1,
        stride: 1,
    }])
}

/// Quarters and the like: sums of their products are the same in f32 and f64.
fn parts(count: usize, seed: usize, part: f32) -> Vec<f32> {
    numbers(count, seed).iter().map(|v| v * part).collect()
}

/// Numbers that no factor keeps whole.
fn long_numbers(count: usize, seed: usize) -> Vec<f32> {
    let fine = parts(count, seed + 100, 1.0 / 8192.0);
    parts(count, seed, 0.25)
        .iter()
        .zip(fine)
        .map(|(v, fine)| v + fine)
        .collect()
}

/// What a chain reads, and what it comes to up to the pointwise product.
struct Data {
    shape: Shape,
    meetings: Vec<[usize; 3]>,
    x: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    taps: Vec<f32>,
    pointwise: Vec<f32>,
    /// After normalisation and ReLU.
    source: Vec<f64>,
    depthwise: Vec<f64>,
}

impl Data {
    fn new(shape: Shape) -> Self {
        let channels = shape.channels;
        let x = parts(shape.inputs() * channels, 1, 0.25);
        let (scale, shift) = (parts(channels, 2, 0.5), parts(channels, 3, 0.5));
        let taps = parts(shape.taps() * channels, 4, 0.125);
        let source = x.iter().enumerate().map(|(i, v)| {
            let c = i % channels;
            f64::from((v * scale[c] + shift[c]).max(0.0))
        });
        let source: Vec<f64> = source.collect();
        let meetings = shape.meetings();
        let mut depthwise = vec![0.0; shape.outputs() * channels];
        for [out, input, tap] in &meetings {
            for c in 0..channels {
                depthwise[out * channels + c] +=
                    source[input * channels + c] * f64::from(taps[tap * channels + c]);
            }
        }
        Self {
            shape,
            meetings,
            pointwise: long_numbers(channels * channels, 5),
            x,
            scale,
            shift,
            taps,
            source,
            depthwise,
        }
    }

    fn view(&self, bench: &mut Bench, precision: Precision) -> View {
        View {
            y: precision.tensor(bench, &self.x, HEIGHT * WIDTH, self.shape.channels),
            a: bench.put(&self.scale),
            b: bench.put(&self.shift),
        }
    }

    fn output(&self, bench: &mut Bench, precision: Precision, values: &[f32]) -> Tensor {
        let [height, width] = self.shape.out();
        precision.tensor(bench, values, height * width, self.shape.channels)
    }
}

/// What a kernel is held to, on a device that `open` gives.
type Check = fn(open: fn(u32) -> Bench, data: &Data, precision: Precision);

/// In every precision.
fn holds(check: Check, open: fn(u32) -> Bench, shapes: impl Iterator<Item = Shape>) {
    for shape in shapes {
        let data = Data::new(shape);
        for precision in PRECISIONS {
            check(open, &data, precision);
        }
    }
}

#[test]
fn chains_of_all_shapes_are_those_of_rounded_factors() {
    holds(forward::check, Bench::new, shapes());
}

#[test]
fn and_so_are_their_gradients() {
    holds(backward::check, Bench::new, shapes());
}

#[test]
fn sources_get_the_gradients_of_all_their_convolutions() {
    for channels in CHANNELS {
        for stride in [1, 2] {
            for half in [false, true] {
                gradient::check(channels, stride, half);
            }
        }
    }
}

/// Specialised kernels with every read and write looked at.
fn specialised_do_not_race(open: fn(u32) -> Bench) {
    let watched = || {
        shapes().filter(|shape| {
            let extreme = [(3, 1), (5, 2)].contains(&(shape.kernel, shape.dilation));
            [16, 32, 64].contains(&shape.channels) && shape.stride == 1 && extreme
        })
    };
    holds(forward::check, open, watched());
    holds(backward::check, open, watched());
}

#[test]
fn no_specialised_chain_races() {
    specialised_do_not_race(|seed| Bench {
        device: Box::new(HostDevice::watched(seed)),
    });
}

#[cfg(feature = "cuda")]
#[test]
fn nor_does_what_nvcc_makes_of_one() {
    specialised_do_not_race(|seed| Bench {
        device: Box::new(HostDevice::watched_nvcc(seed)),
    });
}

//! Depthwise separable chains there and back, of every kernel and number of channels that the compiler specialises and of others, held to
//! sums in f64 over factors that are rounded as the tensor cores round them.

use asap_kernels::device::abi::{
    ChainBackward, ChainForward, Depthwise, DepthwiseGradient, NEVER_LOST, Tensor, Term, View,
};

use super::products::rounded;
use super::{Bench, numbers, step};
use crate::chosen::{self, Chosen};

const IMAGES: usize = 2;
/// Squares of 8 x 8 that are whole and that are not, at either stride.
const HEIGHT: usize = 19;
const WIDTH: usize = 17;
const SPLITS: usize = 2;
/// f32 of shared memory: the most that one of the kernels needs here, and every device has.
const FLOATS: u32 = 24 << 10;
/// 16, 32 and 64 are specialised; 72 goes through in several goes, the last one not full.
const CHANNELS: [usize; 6] = [8, 16, 24, 32, 64, 72];
const TAPS: [(usize, usize); 4] = [(3, 1), (5, 1), (3, 2), (5, 2)];

/// The kernels of a precision: forward up to 32 channels and for more, back up to 64 and for more; and bits of mantissa of factors.
const PRECISIONS: [([&str; 4], u32); 3] = [
    (
        [
            "chain_forward_f32",
            "chain_forward_wide_f32",
            "chain_backward_f32",
            "chain_backward_wide_f32",
        ],
        40,
    ),
    (
        [
            "chain_forward_tf32",
            "chain_forward_wide_tf32",
            "chain_backward_tf32",
            "chain_backward_wide_tf32",
        ],
        10,
    ),
    (
        [
            "chain_forward_bf16",
            "chain_forward_wide_bf16",
            "chain_backward_bf16",
            "chain_backward_wide_bf16",
        ],
        7,
    ),
];

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
    sizes.flat_map(|(channels, stride)| {
        TAPS.map(|(kernel, dilation)| Shape {
            channels,
            kernel,
            dilation,
            stride,
        })
    })
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

    fn view(&self, bench: &mut Bench) -> View {
        View {
            y: bench.tensor(&self.x, HEIGHT * WIDTH, self.shape.channels),
            a: bench.put(&self.scale),
            b: bench.put(&self.shift),
        }
    }

    fn output(&self, bench: &mut Bench, values: &[f32]) -> Tensor {
        let [height, width] = self.shape.out();
        bench.tensor(values, height * width, self.shape.channels)
    }
}

/// As a share of the largest of the expected ones: f32's own rounding, and what the tensor cores of a GPU cut off.
fn assert_close(what: &str, shape: Shape, bits: u32, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let share = match chosen::chosen() {
        Chosen::Gpu(_) if bits < 24 => 1e-3,
        _ => 1e-5,
    };
    let largest = expected.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(
            error <= share * largest,
            "{what}, {shape:?}, value {i}: {found} is not {expected}"
        );
    }
}

fn check_forward(data: &Data, names: &[&'static str; 4], bits: u32) {
    let (shape, channels) = (data.shape, data.shape.channels);
    let mut bench = Bench::new(bits);
    let y = data.output(&mut bench, &vec![f32::NAN; shape.outputs() * channels]);
    let moments = bench.put(&vec![f64::NAN; SPLITS * 2 * channels]);
    let job = ChainForward {
        source: data.view(&mut bench),
        depthwise: bench.put(&data.taps),
        pointwise: bench.put(&data.pointwise),
        y,
        moments,
        kernel: shape.kernel as u32,
        dilation: shape.dilation as u32,
        stride: shape.stride as u32,
        height: HEIGHT as u32,
        width: WIDTH as u32,
        channels: channels as u32,
    };
    let name = names[usize::from(channels > 32)];
    let grid = [SPLITS, channels.div_ceil(64)];
    bench.run(name, grid, FLOATS, &[job], step(IMAGES));
    let expected = data.depthwise.chunks(channels).flat_map(|inputs| {
        let inputs: Vec<f64> = inputs.iter().map(|v| rounded(*v as f32, bits)).collect();
        (0..channels).map(move |output| {
            let weights = data.pointwise.iter().skip(output).step_by(channels);
            let products = inputs.iter().zip(weights);
            products.map(|(v, w)| v * rounded(*w, bits)).sum()
        })
    });
    let found = bench.read(y.at, shape.outputs() * channels);
    assert_close(name, shape, bits, &found, &expected.collect::<Vec<_>>());
    let sums = bench.read_f64(moments, SPLITS * 2 * channels);
    for c in 0..channels {
        let column = || {
            found
                .iter()
                .skip(c)
                .step_by(channels)
                .map(|v| f64::from(*v))
        };
        let expected = [column().sum::<f64>(), column().map(|v| v * v).sum()];
        for (i, expected) in expected.into_iter().enumerate() {
            let found = sums[i * channels + c] + sums[(2 + i) * channels + c];
            assert!(
                (found - expected).abs() < 1e-9 * expected.abs().max(1.0),
                "moments of {name}, {shape:?}, channel {c}: {found} is not {expected}"
            );
        }
    }
}

fn check_backward(data: &Data, names: &[&'static str; 4], bits: u32) {
    let (shape, channels) = (data.shape, data.shape.channels);
    let mut bench = Bench::new(bits);
    let count = shape.outputs() * channels;
    let upstream = [
        parts(count, 6, 0.25),
        long_numbers(count, 7),
        parts(channels, 8, 0.5),
        parts(channels, 9, 0.25),
    ];
    let term = |y, scale, shift| Term {
        y,
        scale,
        shift,
        factor: 0,
        cell: 0,
        weight: NEVER_LOST,
    };
    let tensors = [0, 1].map(|i| data.output(&mut bench, &upstream[i]));
    let (scale, shift) = (bench.put(&upstream[2]), bench.put(&upstream[3]));
    let terms = [term(tensors[0], 0, 0), term(tensors[1], scale, shift)];
    let z = data.output(&mut bench, &vec![f32::NAN; count]);
    let len = (shape.taps() + channels) * channels;
    let chunk = channels.min(32);
    let job = ChainBackward {
        source: data.view(&mut bench),
        depthwise: bench.put(&data.taps),
        pointwise: bench.put(&data.pointwise),
        upstream: bench.put(&terms),
        z,
        partials: bench.put(&vec![f32::NAN; SPLITS * len]),
        upstream_count: 2,
        kernel: shape.kernel as u32,
        dilation: shape.dilation as u32,
        stride: shape.stride as u32,
        height: HEIGHT as u32,
        width: WIDTH as u32,
        channels: channels as u32,
        chunk: chunk as u32,
    };
    let name = names[2 + usize::from(channels > 64)];
    let grid = [SPLITS, channels.div_ceil(chunk)];
    bench.run(name, grid, FLOATS, &[job], step(IMAGES));

    let d: Vec<f64> = (0..count)
        .map(|i| {
            let c = i % channels;
            // As the kernel adds them up.
            let sum = upstream[0][i];
            let sum = upstream[2][c].mul_add(upstream[1][i], sum) + upstream[3][c];
            rounded(sum, bits)
        })
        .collect();
    let mut expected = vec![0.0; count];
    let mut gradients = vec![0.0; len];
    let (taps, pointwise) = gradients.split_at_mut(shape.taps() * channels);
    for (pixel, d) in d.chunks(channels).enumerate() {
        for input in 0..channels {
            let row = input * channels..(input + 1) * channels;
            let weights = data.pointwise[row.clone()].iter();
            let products = weights.zip(d).map(|(w, d)| rounded(*w, bits) * d);
            expected[pixel * channels + input] = products.sum();
            let left = rounded(data.depthwise[pixel * channels + input] as f32, bits);
            for (sum, d) in pointwise[row].iter_mut().zip(d) {
                *sum += left * d;
            }
        }
    }
    for [out, input, tap] in &data.meetings {
        for c in 0..channels {
            taps[tap * channels + c] +=
                expected[out * channels + c] * data.source[input * channels + c];
        }
    }
    let found = bench.read(z.at, count);
    assert_close(name, shape, bits, &found, &expected);
    let halves = bench.read(job.partials, SPLITS * len);
    let (first, second) = halves.split_at(len);
    let found: Vec<f32> = first.iter().zip(second).map(|(a, b)| a + b).collect();
    let (found_taps, found_pointwise) = found.split_at(shape.taps() * channels);
    let (taps, pointwise) = gradients.split_at(shape.taps() * channels);
    assert_close("taps", shape, bits, found_taps, taps);
    assert_close("pointwise", shape, bits, found_pointwise, pointwise);

    // An alpha step wants no gradients of kernels.
    let again = data.output(&mut bench, &vec![f32::NAN; count]);
    let job = ChainBackward {
        z: again,
        partials: 0,
        ..job
    };
    bench.run(name, grid, FLOATS, &[job], step(IMAGES));
    let found = bench.read(again.at, count);
    assert_close("without kernels", shape, bits, &found, &expected);
}

/// Through all kernels at once, added to what is there.
fn check_gradient(channels: usize, stride: usize) {
    let mut bench = Bench::new(channels as u32);
    let shapes = TAPS.map(|(kernel, dilation)| Shape {
        channels,
        kernel,
        dilation,
        stride,
    });
    let data = Data::new(shapes[0]);
    let count = data.shape.inputs() * channels;
    let (extra, before) = (parts(count, 10, 0.5), parts(count, 11, 0.5));
    let mut sums = vec![0.0; count];
    let mut convolutions = Vec::new();
    for (i, shape) in shapes.into_iter().enumerate() {
        let z = parts(shape.outputs() * channels, 12 + i, 0.25);
        let taps = parts(shape.taps() * channels, 16 + i, 0.125);
        for [out, input, tap] in shape.meetings() {
            for c in 0..channels {
                sums[input * channels + c] +=
                    f64::from(z[out * channels + c] * taps[tap * channels + c]);
            }
        }
        convolutions.push(Depthwise {
            weights: bench.put(&taps),
            z: data.output(&mut bench, &z),
            kernel: shape.kernel as u32,
            dilation: shape.dilation as u32,
        });
    }
    let expected = (0..count).map(|i| {
        let passed = match data.source[i] > 0.0 {
            true => sums[i] + f64::from(extra[i]),
            false => 0.0,
        };
        passed + f64::from(before[i])
    });
    let expected: Vec<f64> = expected.collect();
    let out = bench.tensor(&before, HEIGHT * WIDTH, channels);
    let job = DepthwiseGradient {
        source: data.view(&mut bench),
        convolutions: bench.put(&convolutions),
        extra: bench.tensor(&extra, HEIGHT * WIDTH, channels),
        out,
        sums: bench.put(&vec![f64::NAN; SPLITS * 2 * channels]),
        count: convolutions.len() as u32,
        add: 1,
        stride: stride as u32,
        height: HEIGHT as u32,
        width: WIDTH as u32,
        channels: channels as u32,
    };
    let grid = [SPLITS, channels.div_ceil(32)];
    bench.run("depthwise_gradient", grid, FLOATS, &[job], step(IMAGES));
    let found = bench.read(out.at, count);
    assert_close("depthwise_gradient", data.shape, 40, &found, &expected);
    let parts = bench.read_f64(job.sums, SPLITS * 2 * channels);
    for c in 0..channels {
        let column = || (c..count).step_by(channels);
        let plain = column().map(|i| expected[i]).sum::<f64>();
        let weighted = column().map(|i| expected[i] * f64::from(data.x[i])).sum();
        for (i, expected) in [plain, weighted].into_iter().enumerate() {
            let found = parts[i * channels + c] + parts[(2 + i) * channels + c];
            assert!(
                (found - expected).abs() < 1e-3,
                "sums of {channels} channels, stride {stride}: {found} is not {expected}"
            );
        }
    }
}

#[test]
fn chains_of_all_shapes_are_those_of_rounded_factors() {
    for shape in shapes() {
        let data = Data::new(shape);
        for (names, bits) in &PRECISIONS {
            check_forward(&data, names, *bits);
        }
    }
}

#[test]
fn and_so_are_their_gradients() {
    for shape in shapes() {
        let data = Data::new(shape);
        for (names, bits) in &PRECISIONS {
            check_backward(&data, names, *bits);
        }
    }
}

#[test]
fn sources_get_the_gradients_of_all_their_convolutions() {
    for channels in CHANNELS {
        for stride in [1, 2] {
            check_gradient(channels, stride);
        }
    }
}

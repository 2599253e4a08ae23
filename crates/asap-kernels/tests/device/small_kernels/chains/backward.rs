//! Chains on their way back: gradients of depthwise outputs and of both kernels.

use asap_kernels::device::abi::{ChainBackward, NEVER_LOST, Term};

use super::{
    Bench, Data, FLOATS, HEIGHT, IMAGES, Precision, SPLITS, WIDTH, long_numbers, parts, rounded,
};
use crate::small_kernels::step;

/// With as many channels to a block as a GPU for data centres takes, and with half of them.
pub(super) fn check(open: fn(u32) -> Bench, data: &Data, precision: Precision) {
    let most = data.shape.channels.min(32);
    for chunk in [most, (most / 2).next_multiple_of(8)] {
        check_chunk(open, data, precision, chunk);
    }
}

fn check_chunk(open: fn(u32) -> Bench, data: &Data, precision: Precision, chunk: usize) {
    let (shape, channels) = (data.shape, data.shape.channels);
    let bits = precision.bits;
    let mut bench = open(bits);
    let count = shape.outputs() * channels;
    let long = long_numbers(count, 7);
    let kept = |v: &f32| {
        if precision.half {
            rounded(*v, 7) as f32
        } else {
            *v
        }
    };
    let upstream = [
        parts(count, 6, 0.25),
        long.iter().map(kept).collect(),
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
    let tensors = [0, 1].map(|i| data.output(&mut bench, precision, &upstream[i]));
    let (scale, shift) = (bench.put(&upstream[2]), bench.put(&upstream[3]));
    let terms = [term(tensors[0], 0, 0), term(tensors[1], scale, shift)];
    let z = data.output(&mut bench, precision, &vec![f32::NAN; count]);
    let len = (shape.taps() + channels) * channels;
    let job = ChainBackward {
        source: data.view(&mut bench, precision),
        depthwise: bench.put(&data.taps),
        pointwise: bench.put(&data.pointwise),
        upstream: bench.put(&terms),
        z,
        partials: bench.put(&vec![f32::NAN; SPLITS * len]),
        kernel: shape.kernel as u32,
        dilation: shape.dilation as u32,
        stride: shape.stride as u32,
        height: HEIGHT as u32,
        width: WIDTH as u32,
        channels: channels as u32,
        chunk: chunk as u32,
        reserved: 0,
    };
    let name = precision.kernel(match channels > 64 {
        false => [
            "chain_backward_f32",
            "chain_backward_tf32",
            "chain_backward_bf16",
        ],
        true => [
            "chain_backward_wide_f32",
            "chain_backward_wide_tf32",
            "chain_backward_wide_bf16",
        ],
    });
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
    let found = precision.read(&mut bench, z, count);
    precision.assert_close("z", shape, &found, &expected, true);
    let halves = bench.read(job.partials, SPLITS * len);
    let (first, second) = halves.split_at(len);
    let found: Vec<f32> = first.iter().zip(second).map(|(a, b)| a + b).collect();
    let (found_taps, found_pointwise) = found.split_at(shape.taps() * channels);
    let (taps, pointwise) = gradients.split_at(shape.taps() * channels);
    precision.assert_close("taps", shape, found_taps, taps, false);
    precision.assert_close("pointwise", shape, found_pointwise, pointwise, false);

    // An alpha step wants no gradients of kernels.
    let again = data.output(&mut bench, precision, &vec![f32::NAN; count]);
    let job = ChainBackward {
        z: again,
        partials: 0,
        ..job
    };
    bench.run(name, grid, FLOATS, &[job], step(IMAGES));
    let found = precision.read(&mut bench, again, count);
    precision.assert_close("z of an alpha step", shape, &found, &expected, true);
}

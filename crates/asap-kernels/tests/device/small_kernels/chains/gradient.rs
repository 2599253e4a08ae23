//! Gradients of a bank's source, with the sums that the normalisation before it needs.

use asap_kernels::device::abi::{Depthwise, DepthwiseGradient};

use super::{Bench, Data, FLOATS, HEIGHT, IMAGES, Precision, SPLITS, Shape, TAPS, WIDTH, parts};
use crate::small_kernels::step;

/// Through all kernels at once, added to what is there.
pub(super) fn check(channels: usize, stride: usize, half: bool) {
    let precision = Precision {
        name: "depthwise_gradient",
        bits: 40,
        half,
    };
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
            z: data.output(&mut bench, precision, &z),
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
    let out = precision.tensor(&mut bench, &before, HEIGHT * WIDTH, channels);
    let job = DepthwiseGradient {
        source: data.view(&mut bench, precision),
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
    let found = precision.read(&mut bench, out, count);
    precision.assert_close("gradients", data.shape, &found, &expected, true);
    let parts = bench.read_f64(job.sums, SPLITS * 2 * channels);
    // Of what is read later. Eight pixels of a row are added up in f32.
    for c in 0..channels {
        let column = || (c..count).step_by(channels);
        let values = || column().map(|i| f64::from(found[i]));
        let weighted = || column().map(|i| f64::from(found[i]) * f64::from(data.x[i]));
        let expected = [values().sum::<f64>(), weighted().sum()];
        let sizes = [
            values().map(f64::abs).sum::<f64>(),
            weighted().map(f64::abs).sum(),
        ];
        for (i, (expected, size)) in expected.into_iter().zip(sizes).enumerate() {
            let found = parts[i * channels + c] + parts[(2 + i) * channels + c];
            assert!(
                (found - expected).abs() <= 8.0 * f64::from(f32::EPSILON) * size,
                "sums of {channels} channels, stride {stride}: {found} is not {expected}"
            );
        }
    }
}

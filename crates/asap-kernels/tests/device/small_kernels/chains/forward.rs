//! Chains forward, with the moments of what they put out.

use asap_kernels::device::abi::ChainForward;

use super::{Bench, Data, FLOATS, HEIGHT, IMAGES, Precision, SPLITS, WIDTH, rounded};
use crate::small_kernels::step;

pub(super) fn check(open: fn(u32) -> Bench, data: &Data, precision: Precision) {
    let (shape, channels) = (data.shape, data.shape.channels);
    let bits = precision.bits;
    let mut bench = open(bits);
    let nothing = vec![f32::NAN; shape.outputs() * channels];
    let y = data.output(&mut bench, precision, &nothing);
    let moments = bench.put(&vec![f64::NAN; SPLITS * 2 * channels]);
    let job = ChainForward {
        source: data.view(&mut bench, precision),
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
    let name = precision.kernel(match channels > 32 {
        false => [
            "chain_forward_f32",
            "chain_forward_tf32",
            "chain_forward_bf16",
        ],
        true => [
            "chain_forward_wide_f32",
            "chain_forward_wide_tf32",
            "chain_forward_wide_bf16",
        ],
    });
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
    let found = precision.read(&mut bench, y, shape.outputs() * channels);
    let expected: Vec<f64> = expected.collect();
    precision.assert_close("outputs", shape, &found, &expected, true);
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

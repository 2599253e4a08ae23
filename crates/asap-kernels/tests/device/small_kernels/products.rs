//! Products in every precision, held to sums in f64 over factors that are rounded as the tensor cores round them.

use asap_kernels::device::abi::{
    Convolution, NEVER_LOST, ProductForward, ProductInputGradient, ProductWeightGradient, Term,
    Upstream, View,
};

use super::{Bench, plain, step};
use crate::chosen::{self, Chosen};

const IMAGES: usize = 2;
const HEIGHT: usize = 7;
const WIDTH: usize = 5;
const CHANNELS: usize = 16;
const OUTPUTS: usize = 72;
/// f32 of shared memory: the most that one of the kernels needs.
const FLOATS: u32 = 7200;

/// A 3x3 convolution with stride 2.
const SHAPE: Convolution = Convolution {
    kernel: 0,
    tap_stride: (CHANNELS * OUTPUTS) as i64,
    taps: 9,
    window: 3,
    stride: 2,
    begin: -1,
    height: HEIGHT as u32,
    width: WIDTH as u32,
    channels: CHANNELS as u32,
    out_height: HEIGHT.div_ceil(2) as u32,
    out_width: WIDTH.div_ceil(2) as u32,
    outputs: OUTPUTS as u32,
};
const OUT_PIXELS: usize = HEIGHT.div_ceil(2) * WIDTH.div_ceil(2);

fn values(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// To so many bits of mantissa, the nearest; of two, the even one for bf16, that further from 0 for TF32.
pub(super) fn rounded(value: f32, bits: u32) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let unit = 2.0_f64.powi(value.abs().log2().floor() as i32 - bits as i32);
    let units = f64::from(value) / unit;
    match bits {
        7 => units.round_ties_even() * unit,
        _ => units.round() * unit,
    }
}

struct Case {
    names: [&'static str; 3],
    bits: u32,
}

const CASES: [Case; 3] = [
    Case {
        names: [
            "product_forward_f32",
            "product_input_gradient_f32",
            "product_weight_gradient_f32",
        ],
        bits: 40,
    },
    Case {
        names: [
            "product_forward_tf32",
            "product_input_gradient_tf32",
            "product_weight_gradient_tf32",
        ],
        bits: 10,
    },
    Case {
        names: [
            "product_forward_bf16",
            "product_input_gradient_bf16",
            "product_weight_gradient_bf16",
        ],
        bits: 7,
    },
];

/// Source pixel, output pixel and tap of every meeting in an image.
fn meetings() -> Vec<[usize; 3]> {
    let mut found = Vec::new();
    for out in 0..OUT_PIXELS {
        let (y, x) = (out / WIDTH.div_ceil(2), out % WIDTH.div_ceil(2));
        for tap in 0..9 {
            let (y, x) = (2 * y + tap / 3, 2 * x + tap % 3);
            if (1..=HEIGHT).contains(&y) && (1..=WIDTH).contains(&x) {
                found.push([(y - 1) * WIDTH + x - 1, out, tap]);
            }
        }
    }
    found
}

/// How far a sum may be off: f32 rounds each of a few hundred additions to the nearest. The tensor cores of a GPU cut off instead, up
/// to a unit in the last place of the largest number that they add at once, 2^-19 where sums stay below 32: for each of 288 products
/// (4 taps, 72 outputs), and for the sum so far once for every 4 of them.
fn tolerance(bits: u32) -> f64 {
    match chosen::chosen() {
        Chosen::Gpu(_) if bits < 24 => 360.0 * 0.5_f64.powi(19),
        _ => 2e-5,
    }
}

fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(
            error < tolerance,
            "{what}, value {i}: {found} is not {expected}"
        );
    }
}

#[test]
fn products_of_every_precision_are_those_of_rounded_factors() {
    let x = values(IMAGES * HEIGHT * WIDTH * CHANNELS, 1);
    let w = values(9 * CHANNELS * OUTPUTS, 2);
    let g = values(IMAGES * OUT_PIXELS * OUTPUTS, 3);
    for Case { names, bits } in CASES {
        let tolerance = tolerance(bits);
        let mut bench = Bench::new(bits);
        let source = bench.tensor(&x, HEIGHT * WIDTH, CHANNELS);
        let gradient = bench.tensor(&g, OUT_PIXELS, OUTPUTS);
        let convolution = Convolution {
            kernel: bench.put(&w),
            ..SHAPE
        };
        let y = bench.tensor(&vec![f32::NAN; g.len()], OUT_PIXELS, OUTPUTS);
        let moments = bench.put(&vec![f64::NAN; 2 * 2 * OUTPUTS]);
        let forward = ProductForward {
            convolution,
            source: plain(source),
            y,
            moments,
            relu: 1,
            reserved: 0,
        };
        bench.run(names[0], [2, 2], FLOATS, &[forward], step(IMAGES));
        let round = |v: f32| rounded(v, bits);
        let relu = |v: f32| round(v.max(0.0));
        let mut expected = vec![0.0; g.len()];
        let mut input = vec![0.0; x.len()];
        let mut kernel = vec![0.0; w.len()];
        for image in 0..IMAGES {
            for [from, to, tap] in meetings() {
                for c in 0..CHANNELS {
                    let at = (image * HEIGHT * WIDTH + from) * CHANNELS + c;
                    for o in 0..OUTPUTS {
                        let (out, row) = (
                            (image * OUT_PIXELS + to) * OUTPUTS + o,
                            (tap * CHANNELS + c) * OUTPUTS + o,
                        );
                        expected[out] += relu(x[at]) * round(w[row]);
                        input[at] += round(g[out]) * round(w[row]);
                        kernel[row] += relu(x[at]) * round(g[out]);
                    }
                }
            }
        }
        let found = bench.read(y.at, g.len());
        assert_close(names[0], &found, &expected, tolerance);
        let parts = bench.read_f64(moments, 2 * 2 * OUTPUTS);
        for o in 0..OUTPUTS {
            let column = || found.iter().skip(o).step_by(OUTPUTS).map(|v| f64::from(*v));
            let sums = [column().sum::<f64>(), column().map(|v| v * v).sum()];
            for (i, sum) in sums.into_iter().enumerate() {
                let found = parts[i * OUTPUTS + o] + parts[(2 + i) * OUTPUTS + o];
                assert!((found - sum).abs() < 1e-9 * sum.abs().max(1.0));
            }
        }

        let term = Term {
            y: gradient,
            scale: 0,
            shift: 0,
            factor: 0,
            cell: 0,
            weight: NEVER_LOST,
        };
        let upstream = Upstream {
            convolution,
            terms: bench.put(&[term]),
            count: 1,
            reserved: 0,
        };
        let out = bench.tensor(&vec![f32::NAN; x.len()], HEIGHT * WIDTH, CHANNELS);
        let back = ProductInputGradient {
            products: bench.put(&[upstream]),
            mask: View::default(),
            out,
            count: 1,
            add: 0,
        };
        let pixels = IMAGES * HEIGHT * WIDTH;
        let grid = [pixels.div_ceil(64), 1];
        bench.run(names[1], grid, FLOATS, &[back], step(IMAGES));
        assert_close(names[1], &bench.read(out.at, x.len()), &input, tolerance);
        // Added to what is there, where the mask is positive.
        let mask = View {
            y: source,
            ..Default::default()
        };
        let masked = ProductInputGradient {
            mask,
            add: 1,
            ..back
        };
        bench.run(names[1], grid, FLOATS, &[masked], step(IMAGES));
        let twice = x.iter().zip(&input);
        let twice: Vec<f64> = twice
            .map(|(x, g)| if *x > 0.0 { 2.0 * g } else { *g })
            .collect();
        let found = bench.read(out.at, x.len());
        let halves = |values: &[f64]| values.iter().map(|v| v / 2.0).collect::<Vec<_>>();
        let found: Vec<f32> = found.iter().map(|v| v / 2.0).collect();
        assert_close("masked", &found, &halves(&twice), tolerance);

        let partials = bench.put(&vec![f32::NAN; 2 * w.len()]);
        let weights = ProductWeightGradient {
            product: upstream,
            source: plain(source),
            partials,
            relu: 1,
            reserved: 0,
        };
        let groups = (9 * CHANNELS).div_ceil(32) * OUTPUTS.div_ceil(64);
        bench.run(names[2], [2, groups], FLOATS, &[weights], step(IMAGES));
        let parts = bench.read(partials, 2 * w.len());
        let (first, second) = parts.split_at(w.len());
        let found: Vec<f32> = first.iter().zip(second).map(|(a, b)| a + b).collect();
        assert_close(names[2], &found, &kernel, tolerance);
    }
}

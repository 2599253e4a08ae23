//! Sums of terms, sums over pixels and what normalisations make of them, with more channels than a block has threads.

use asap_kernels::Regularisation;
use asap_kernels::device::abi::{
    Contribution, Mix, Moments, NEVER_LOST, Norm, NormBackward, NormForward, Products, Step, Sums,
    Term,
};

use super::{Bench, SUMS, close, numbers, step};

const IMAGES: usize = 5;

/// A sum over the parts of `[splits][rows][channels]`.
fn added_up(parts: &[f64], len: usize) -> Vec<f64> {
    let mut sums = vec![0.0; len];
    for part in parts.chunks_exact(len) {
        sums.iter_mut()
            .zip(part)
            .for_each(|(sum, part)| *sum += part);
    }
    sums
}

/// Sums per channel of `what` over all values of `images`.
fn by_channel(
    channels: usize,
    len: usize,
    images: &[usize],
    what: impl Fn(usize) -> f64,
) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for i in images
        .iter()
        .flat_map(|image| image * len..(image + 1) * len)
    {
        sums[i % channels] += what(i);
    }
    sums
}

#[test]
fn moments_are_exact_for_any_number_of_channels_pixels_and_blocks() {
    for (channels, pixels, splits) in [
        (8, 1, 3),
        (24, 49, 4),
        (16, 1000, 1),
        (1032, 3, 2),
        (2048, 2, 20),
    ] {
        let len = pixels * channels;
        let values = numbers((IMAGES + 1) * len, 20);
        let mut bench = Bench::new(21);
        let job = Moments {
            y: bench.tensor(&values, pixels, channels),
            sums: bench.put(&vec![f64::NAN; splits * 2 * channels]),
            pixels: pixels as u32,
            channels: channels as u32,
        };
        bench.run("moments", [splits, 1], SUMS, &[job], step(IMAGES));
        let found = added_up(
            &bench.read_f64(job.sums, splits * 2 * channels),
            2 * channels,
        );
        let images: Vec<usize> = (0..IMAGES).collect();
        let value = |i: usize| f64::from(values[i]);
        let mut expected = by_channel(channels, len, &images, value);
        expected.extend(by_channel(channels, len, &images, |i| value(i).powi(2)));
        assert_eq!(
            found, expected,
            "{channels} channels, {pixels} pixels, {splits} blocks"
        );
    }
}

#[test]
fn a_mix_is_the_sum_of_its_terms_for_any_number_of_channels_and_pixels() {
    let regularisation = Regularisation {
        drop_path: 0.5,
        seed: 3,
        ..Regularisation::default()
    };
    let settings = Step {
        drop_path: regularisation.drop_path,
        kept_scale: 2.0,
        seed: regularisation.seed,
        ..step(IMAGES)
    };
    // In blocks of so many, of which each thread has four pixels.
    for (channels, pixels, blocks) in [
        (8, 70, 1),
        (24, 400, 3),
        (64, 63, 1),
        (64, 65, 2),
        (1024, 5, 2),
        (1032, 3, 2),
        (2056, 9, 9),
    ] {
        for add in [false, true] {
            let len = pixels * channels;
            let ys = [30, 31].map(|seed| numbers(IMAGES * len, seed));
            let [scale, shift, before] = [
                numbers(channels, 32),
                numbers(channels, 33),
                numbers((IMAGES + 1) * len, 34),
            ];
            let mut bench = Bench::new(35);
            let terms = [
                Term {
                    y: bench.tensor(&ys[0], pixels, channels),
                    scale: bench.put(&scale),
                    shift: bench.put(&shift),
                    factor: bench.put(&[0.5_f32]),
                    cell: 7,
                    weight: 1,
                },
                Term {
                    y: bench.half_tensor(&ys[1], pixels, channels),
                    scale: 0,
                    shift: 0,
                    factor: 0,
                    cell: 0,
                    weight: NEVER_LOST,
                },
            ];
            let job = Mix {
                terms: bench.put(&terms),
                out: bench.tensor(&before, pixels, channels),
                count: 2,
                add: u32::from(add),
                pixels: pixels as u32,
                channels: channels as u32,
            };
            // One more image than the step has.
            bench.run("mix", [blocks, IMAGES + 1], 0, &[job], settings);
            let found = bench.read(job.out.at, (IMAGES + 1) * len);
            let expected: Vec<f32> = (0..(IMAGES + 1) * len)
                .map(|i| {
                    if i >= IMAGES * len {
                        return before[i];
                    }
                    let kept = regularisation.path_scale(i / len, 7, 1);
                    let (scale, shift) = (scale[i % channels], shift[i % channels]);
                    let first = 0.5 * kept * (scale * ys[0][i] + shift);
                    let there = if add { before[i] } else { 0.0 };
                    there + first + ys[1][i]
                })
                .collect();
            assert_eq!(
                found, expected,
                "{channels} channels, {pixels} pixels, {blocks} blocks"
            );
        }
    }
}

#[test]
fn products_are_over_the_images_that_keep_a_term() {
    let regularisation = Regularisation {
        drop_path: 0.5,
        seed: 3,
        ..Regularisation::default()
    };
    for (channels, pixels, splits) in [(8, 70, 3), (24, 5, 2), (1032, 2, 4)] {
        let len = pixels * channels;
        let g = numbers(IMAGES * len, 22);
        let ys = [23, 24].map(|seed| numbers(IMAGES * len, seed));
        let mut bench = Bench::new(25);
        let weights = [1, 6];
        let terms = [0, 1].map(|t| Term {
            // One of either kind.
            y: match t {
                0 => bench.tensor(&ys[t], pixels, channels),
                _ => bench.half_tensor(&ys[t], pixels, channels),
            },
            scale: 0,
            shift: 0,
            factor: 0,
            cell: 7,
            weight: weights[t] as u32,
        });
        let rows = 1 + 2 * terms.len();
        let job = Products {
            terms: bench.put(&terms),
            g: bench.tensor(&g, pixels, channels),
            sums: bench.put(&vec![f64::NAN; splits * rows * channels]),
            count: 2,
            pixels: pixels as u32,
            channels: channels as u32,
            reserved: 0,
        };
        let settings = Step {
            drop_path: regularisation.drop_path,
            kept_scale: 2.0,
            seed: regularisation.seed,
            ..step(IMAGES)
        };
        bench.run("products", [splits, 3], SUMS, &[job], settings);
        let found = added_up(
            &bench.read_f64(job.sums, splits * rows * channels),
            rows * channels,
        );
        let all: Vec<usize> = (0..IMAGES).collect();
        let mut expected = by_channel(channels, len, &all, |i| f64::from(g[i]));
        for (weight, y) in weights.into_iter().zip(&ys) {
            let kept = |image: &usize| regularisation.path_scale(*image, 7, weight) > 0.0;
            let images: Vec<usize> = all.iter().copied().filter(kept).collect();
            assert!(
                (1..IMAGES).contains(&images.len()),
                "a seed that drops some"
            );
            expected.extend(by_channel(channels, len, &images, |i| f64::from(g[i])));
            expected.extend(by_channel(channels, len, &images, |i| {
                f64::from(g[i]) * f64::from(y[i])
            }));
        }
        assert_eq!(
            found, expected,
            "{channels} channels, {pixels} pixels, {splits} blocks"
        );
    }
}

const PIXELS: usize = 6;

/// A normalisation of so many channels, all vectors of which lie one behind the other.
fn norm(bench: &mut Bench, channels: usize) -> Norm {
    let scale: Vec<f32> = numbers(channels, 30)
        .iter()
        .map(|v| 0.2 * v + 0.1)
        .collect();
    let mut room = |value: f32| bench.put(&vec![value; channels]);
    Norm {
        a: room(9.0),
        b: room(9.0),
        mean: room(9.0),
        deviation: room(9.0),
        back_y: room(9.0),
        back_shift: room(9.0),
        scale_gradient: room(9.0),
        shift_gradient: room(9.0),
        running_mean: room(1.0),
        running_variance: room(2.0),
        shift: room(0.75),
        scale: bench.put(&scale),
        channels: channels as u32,
        pixels: PIXELS as u32,
    }
}

fn parts(bench: &mut Bench, parts: &[f64], len: usize) -> Sums {
    Sums {
        at: bench.put(parts),
        splits: (parts.len() / len) as u32,
        stride: len as u32,
    }
}

#[test]
fn normalisations_of_any_width_are_what_their_sums_say() {
    for channels in [8, 24, 264, 520] {
        let mut bench = Bench::new(31);
        let norm = norm(&mut bench, channels);
        let count = (PIXELS * IMAGES) as f64;
        // Sums of squares are larger than those of values: variances are positive.
        let moments: Vec<f64> = numbers(7 * 2 * channels, 32)
            .iter()
            .enumerate()
            .map(|(i, v)| f64::from(*v) + if i / channels % 2 == 1 { 50.0 } else { 0.0 })
            .collect();
        let job = NormForward {
            norm,
            moments: parts(&mut bench, &moments, 2 * channels),
        };
        bench.run("norm_forward", [1, 1], SUMS, &[job], step(IMAGES));
        let sums = added_up(&moments, 2 * channels);
        let scale = bench.read(norm.scale, channels);
        let (mut a, mut mean, mut inverse, mut running) = (vec![], vec![], vec![], vec![]);
        for c in 0..channels {
            let m = sums[c] / count;
            let variance = sums[channels + c] / count - m * m;
            mean.push(m as f32);
            inverse.push(1.0 / (variance + 1e-5).sqrt() as f32);
            a.push(scale[c] * inverse[c]);
            running.push((2.0 + 0.1 * (variance * count / (count - 1.0) - 2.0)) as f32);
        }
        let b: Vec<f32> = (0..channels).map(|c| 0.75 - a[c] * mean[c]).collect();
        let moved: Vec<f32> = mean.iter().map(|m| 1.0 + 0.1 * (m - 1.0)).collect();
        let found = [
            norm.a,
            norm.b,
            norm.mean,
            norm.deviation,
            norm.running_mean,
            norm.running_variance,
        ];
        for (at, expected) in found
            .into_iter()
            .zip([&a, &b, &mean, &inverse, &moved, &running])
        {
            close(&bench.read(at, channels), expected, 1e-5);
        }
        back(&mut bench, norm, [&a, &b, &mean, &inverse]);
    }
}

/// The way back, from two nodes: one that loses the term for some images, and one that never does.
fn back(bench: &mut Bench, norm: Norm, [a, b, mean, inverse]: [&Vec<f32>; 4]) {
    let channels = norm.channels as usize;
    let sums = [33, 34, 35, 36].map(|seed| numbers(3 * channels, seed));
    let sums = sums.map(|parts| parts.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>());
    let [plain, kept, product, other] = [0, 1, 2, 3].map(|i| parts(bench, &sums[i], channels));
    let weights = [0.75_f32, -0.5];
    let backs = [0, 1].map(|_| bench.put(&vec![0.0_f32; channels]));
    let gradients = bench.put(&[10.0, 20.0]);
    let contribution = |i: usize, kept: Sums, product: Sums, op_weight: u64| Contribution {
        sum: plain,
        kept,
        product,
        op_weight,
        back: backs[i],
        op_weight_gradient: gradients + 8 * i as u64,
    };
    let op_weights = weights.map(|weight| bench.put(&[weight]));
    let contributions = [
        contribution(0, kept, product, op_weights[0]),
        contribution(1, Sums::default(), other, op_weights[1]),
    ];
    let job = NormBackward {
        norm,
        contributions: bench.put(&contributions),
        count: 2,
        channels: channels as u32,
    };
    let dropping = Step {
        drop_path: 0.2,
        kept_scale: 1.25,
        ..step(IMAGES)
    };
    bench.run("norm_backward", [1, 1], SUMS, &[job], dropping);
    let [plain, kept, product, other] = sums.map(|parts| added_up(&parts, channels));
    let effective = [f64::from(weights[0]) * 1.25, f64::from(weights[1])];
    let count = (PIXELS * IMAGES) as f64;
    let mut expected = [const { Vec::new() }; 6];
    let mut op_gradients = [10.0, 20.0];
    for c in 0..channels {
        let [a, b, mean, inverse] = [a, b, mean, inverse].map(|v| f64::from(v[c]));
        let sum = effective[0] * kept[c] + effective[1] * plain[c];
        let along = effective[0] * product[c] + effective[1] * other[c];
        let normalised = inverse * (along - mean * sum);
        let back_y = -a * inverse * normalised / count;
        let back_shift = -a * sum / count - back_y * mean;
        let all = [
            back_y,
            back_shift,
            normalised,
            sum,
            effective[0] * a,
            effective[1] * a,
        ];
        expected
            .iter_mut()
            .zip(all)
            .for_each(|(to, v)| to.push(v as f32));
        op_gradients[0] += 1.25 * (a * product[c] + b * kept[c]);
        op_gradients[1] += a * other[c] + b * plain[c];
    }
    let places = [
        norm.back_y,
        norm.back_shift,
        norm.scale_gradient,
        norm.shift_gradient,
        backs[0],
        backs[1],
    ];
    for (at, expected) in places.into_iter().zip(&expected) {
        close(&bench.read(at, channels), expected, 1e-4);
    }
    let narrow = |sums: &[f64]| sums.iter().map(|&v| v as f32).collect::<Vec<f32>>();
    close(
        &narrow(&bench.read_f64(gradients, 2)),
        &narrow(&op_gradients),
        1e-4,
    );
}

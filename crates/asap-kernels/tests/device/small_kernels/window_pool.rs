//! The auxiliary head's pool, there and back.

use asap_kernels::device::abi::{Tensor, View, WindowPool, WindowPoolGradient};

use super::{Bench, blocks, close, numbers, step};

const CHANNELS: usize = 8;
const IMAGES: usize = 2;

/// Height, width, window, stride.
const SHAPES: [[usize; 4]; 4] = [[8, 8, 5, 3], [7, 10, 5, 2], [5, 5, 5, 1], [9, 6, 2, 4]];

struct Case {
    shape: [usize; 4],
    bench: Bench,
    pool: WindowPool,
    /// What is pooled: after coefficients and ReLU.
    read: Vec<f32>,
    out: [usize; 2],
}

impl Case {
    /// With a source of which every image has as many values behind it that nobody may read.
    fn new(shape: [usize; 4]) -> Self {
        let [height, width, window, stride] = shape;
        let len = height * width * CHANNELS;
        let mut source = numbers(2 * IMAGES * len, 6);
        for rest in source.chunks_exact_mut(len).skip(1).step_by(2) {
            rest.fill(f32::NAN);
        }
        let a = [0.5, -1.0, 2.0, 1.0, -0.25, 1.5, 1.0, 3.0];
        let b = [0.0, 1.0, -2.0, 0.0, 0.5, 0.25, -9.0, 0.0];
        let read = source
            .chunks_exact(len)
            .step_by(2)
            .flatten()
            .enumerate()
            .map(|(i, y)| (a[i % CHANNELS] * y + b[i % CHANNELS]).max(0.0))
            .collect();
        let out = [height, width].map(|size| (size - window) / stride + 1);
        let mut bench = Bench::new(8);
        let view = View {
            y: Tensor {
                at: bench.put(&source),
                image: 2 * len as u32,
                pixel: CHANNELS as u32,
            },
            a: bench.put(&a),
            b: bench.put(&b),
        };
        let y = bench.tensor(
            &vec![-99.0; (IMAGES + 1) * out[0] * out[1] * CHANNELS],
            out[0] * out[1],
            CHANNELS,
        );
        let [height, width, window, stride] = shape.map(|size| size as u32);
        let pool = WindowPool {
            source: view,
            y,
            window,
            stride,
            height,
            width,
            channels: CHANNELS as u32,
            reserved: 0,
        };
        Self {
            shape,
            bench,
            pool,
            read,
            out,
        }
    }

    /// Every place of an output with every place that it reads, channel by channel.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let ([height, width, window, stride], [rows, columns]) = (self.shape, self.out);
        let mut pairs = Vec::new();
        for (image, row) in (0..IMAGES).flat_map(|image| (0..rows).map(move |row| (image, row))) {
            for (column, tap) in
                (0..columns).flat_map(|column| (0..window * window).map(move |tap| (column, tap)))
            {
                let (y, x) = (row * stride + tap / window, column * stride + tap % window);
                let out = (image * rows + row) * columns + column;
                let read = (image * height + y) * width + x;
                pairs.extend((0..CHANNELS).map(|c| (out * CHANNELS + c, read * CHANNELS + c)));
            }
        }
        pairs
    }
}

#[test]
fn a_window_pool_is_the_mean_of_what_is_positive() {
    for shape in SHAPES {
        let mut case = Case::new(shape);
        let len = case.out[0] * case.out[1] * CHANNELS;
        let mut expected = vec![0.0; IMAGES * len];
        for (out, read) in case.pairs() {
            expected[out] += case.read[read] / (shape[2] * shape[2]) as f32;
        }
        expected.extend(vec![-99.0; len]);
        let pool = case.pool;
        case.bench.run(
            "window_pool",
            blocks((IMAGES + 1) * len / 4),
            0,
            &[pool],
            step(IMAGES),
        );
        close(
            &case.bench.read(pool.y.at, (IMAGES + 1) * len),
            &expected,
            1e-5,
        );
    }
}

#[test]
fn the_gradient_of_a_window_pool_reaches_what_is_positive() {
    for (shape, add) in SHAPES
        .into_iter()
        .flat_map(|shape| [(shape, 0), (shape, 1)])
    {
        let mut case = Case::new(shape);
        let (pixels, out_pixels) = (shape[0] * shape[1], case.out[0] * case.out[1]);
        let gradient = numbers(IMAGES * out_pixels * CHANNELS, 9);
        let before = numbers((IMAGES + 1) * pixels * CHANNELS, 10);
        let mut expected = before.clone();
        if add == 0 {
            expected[..IMAGES * pixels * CHANNELS].fill(0.0);
        }
        for (out, read) in case.pairs() {
            if case.read[read] > 0.0 {
                expected[read] += gradient[out] / (shape[2] * shape[2]) as f32;
            }
        }
        let y = case.bench.tensor(&gradient, out_pixels, CHANNELS);
        let out = case.bench.tensor(&before, pixels, CHANNELS);
        let job = WindowPoolGradient {
            pool: WindowPool { y, ..case.pool },
            out,
            add,
            reserved: 0,
        };
        let threads = (IMAGES + 1) * pixels * CHANNELS / 4;
        case.bench.run(
            "window_pool_gradient",
            blocks(threads),
            0,
            &[job],
            step(IMAGES),
        );
        close(&case.bench.read(out.at, before.len()), &expected, 1e-5);
    }
}

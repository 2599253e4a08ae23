//! 3x3 pools: windows at the edge, equal maxima, several gradients into one source.

use asap_kernels::device::abi::{
    NEVER_LOST, POOLED, PoolForward, PoolGradient, PoolsGradient, Tensor, Term, View,
};

use super::{Bench, blocks, close, numbers, plain, step};

const CHANNELS: usize = 8;
const IMAGES: usize = 2;
const MAXIMUM: u32 = 0;
const AVERAGE: u32 = 1;

/// Height, width, stride.
const SHAPES: [[usize; 3]; 6] = [
    [6, 5, 1],
    [6, 5, 2],
    [7, 8, 2],
    [1, 4, 1],
    [1, 1, 2],
    [8, 9, 2],
];

struct Case {
    shape: [usize; 3],
    /// What the pools read.
    values: Vec<f32>,
    view: View,
    out: [usize; 2],
    bench: Bench,
}

impl Case {
    /// Few different values, so that most windows have several maxima; through coefficients or not.
    fn new(shape: [usize; 3], normalised: bool) -> Self {
        let [height, width, stride] = shape;
        let source: Vec<f32> = numbers(IMAGES * height * width * CHANNELS, 11)
            .iter()
            .map(|v| (v / 4.0).round())
            .collect();
        let mut bench = Bench::new(12);
        let mut view = plain(bench.tensor(&source, height * width, CHANNELS));
        let mut values = source;
        if normalised {
            let a = [1.0, -1.0, 2.0, 0.5, -2.0, 0.0, 1.0, 4.0];
            let b = [0.5, 0.0, -3.0, 1.0, 0.0, 2.0, -1.0, 0.0];
            view.a = bench.put(&a);
            view.b = bench.put(&b);
            for (i, v) in values.iter_mut().enumerate() {
                *v = a[i % CHANNELS] * *v + b[i % CHANNELS];
            }
        }
        let out = [height, width].map(|size| size.div_ceil(stride));
        Self {
            shape,
            values,
            view,
            out,
            bench,
        }
    }

    fn out_len(&self) -> usize {
        IMAGES * self.out[0] * self.out[1] * CHANNELS
    }

    /// Every output with what its window reads, in rows and then columns.
    fn windows(&self) -> Vec<Vec<usize>> {
        let ([height, width, stride], [rows, columns]) = (self.shape, self.out);
        let near =
            |at: usize, size: usize| (at * stride).saturating_sub(1)..(at * stride + 2).min(size);
        (0..self.out_len())
            .map(|out| {
                let (pixel, channel) = (out / CHANNELS, out % CHANNELS);
                let (image, row, column) = (
                    pixel / (rows * columns),
                    pixel / columns % rows,
                    pixel % columns,
                );
                near(row, height)
                    .flat_map(|y| {
                        near(column, width).map(move |x| (image * height + y) * width + x)
                    })
                    .map(|pixel| pixel * CHANNELS + channel)
                    .collect()
            })
            .collect()
    }

    fn forward(&mut self, kind: u32) -> (Tensor, Vec<f32>) {
        let [height, width, stride] = self.shape.map(|size| size as u32);
        let y = self.bench.tensor(
            &vec![0.0; self.out_len()],
            self.out[0] * self.out[1],
            CHANNELS,
        );
        let job = PoolForward {
            source: self.view,
            y,
            kind,
            stride,
            height,
            width,
            channels: CHANNELS as u32,
            reserved: 0,
        };
        let strips = IMAGES * self.out[0] * self.out[1].div_ceil(POOLED as usize);
        self.bench.run(
            "pool_forward",
            blocks(strips * CHANNELS / 4),
            0,
            &[job],
            step(IMAGES),
        );
        let found = self.bench.read(y.at, self.out_len());
        (y, found)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let both = SHAPES
        .into_iter()
        .flat_map(|shape| [(shape, false), (shape, true)]);
    both.map(|(shape, normalised)| Case::new(shape, normalised))
}

#[test]
fn pools_take_the_maximum_and_the_average_of_what_lies_inside() {
    for mut case in cases() {
        let read = |window: Vec<usize>| window.into_iter().map(|i| case.values[i]).collect();
        let windows: Vec<Vec<f32>> = case.windows().into_iter().map(read).collect();
        let maxima: Vec<f32> = windows
            .iter()
            .map(|w| w.iter().copied().fold(f32::MIN, f32::max))
            .collect();
        let means: Vec<f32> = windows
            .iter()
            .map(|w| w.iter().sum::<f32>() / w.len() as f32)
            .collect();
        assert_eq!(case.forward(MAXIMUM).1, maxima, "{:?}", case.shape);
        close(&case.forward(AVERAGE).1, &means, 1e-6);
    }
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient() {
    for mut case in cases() {
        let (y, maxima) = case.forward(MAXIMUM);
        let gradient = numbers(case.out_len(), 13);
        let mut expected = vec![0.0; case.values.len()];
        let mut ties = 0;
        for ((window, maximum), g) in case.windows().iter().zip(maxima).zip(&gradient) {
            let mut equal = window.iter().filter(|&&i| case.values[i] == maximum);
            expected[*equal.next().unwrap()] += g;
            ties += usize::from(equal.next().is_some());
        }
        assert!(ties > 0 || case.shape == [1, 1, 2], "{:?}", case.shape);
        let dy = case
            .bench
            .tensor(&gradient, case.out[0] * case.out[1], CHANNELS);
        let found = back(&mut case, &[(MAXIMUM, y, dy)], None, &[]);
        assert_eq!(found, expected, "{:?}", case.shape);
    }
}

#[test]
fn gradients_of_pools_skips_and_what_was_there_add_up() {
    for mut case in cases() {
        let (len, pixels) = (case.values.len(), case.shape[0] * case.shape[1]);
        let before = numbers(len, 14);
        let skip = numbers(len, 15);
        let scale: Vec<f32> = numbers(CHANNELS, 16);
        let (y, maxima) = case.forward(MAXIMUM);
        let (average, _) = case.forward(AVERAGE);
        let [of_maximum, of_average] = [17, 18].map(|seed| numbers(case.out_len(), seed));
        let mut expected: Vec<f32> = (0..len)
            .map(|i| before[i] + scale[i % CHANNELS] * skip[i])
            .collect();
        for (out, window) in case.windows().iter().enumerate() {
            let first = window.iter().find(|&&i| case.values[i] == maxima[out]);
            expected[*first.unwrap()] += of_maximum[out];
            for &i in window {
                expected[i] += of_average[out] / window.len() as f32;
            }
        }
        let term = Term {
            y: case.bench.tensor(&skip, pixels, CHANNELS),
            scale: case.bench.put(&scale),
            shift: 0,
            factor: 0,
            cell: 0,
            weight: NEVER_LOST,
        };
        let [dy, average_dy] = [&of_maximum, &of_average]
            .map(|g| case.bench.tensor(g, case.out[0] * case.out[1], CHANNELS));
        let pools = [(AVERAGE, average, average_dy), (MAXIMUM, y, dy)];
        let found = back(&mut case, &pools, Some(&before), &[term]);
        close(&found, &expected, 1e-5);
    }
}

/// The gradient of the source through pools `(kind, y, dy)` and terms, added to `before` if there is any.
fn back(
    case: &mut Case,
    pools: &[(u32, Tensor, Tensor)],
    before: Option<&[f32]>,
    terms: &[Term],
) -> Vec<f32> {
    let [height, width, stride] = case.shape.map(|size| size as u32);
    let pools: Vec<PoolGradient> = pools
        .iter()
        .map(|&(kind, y, dy)| PoolGradient {
            y,
            dy,
            kind,
            reserved: 0,
        })
        .collect();
    let nothing = vec![f32::NAN; case.values.len()];
    let pixels = case.shape[0] * case.shape[1];
    let out = case
        .bench
        .tensor(before.unwrap_or(&nothing), pixels, CHANNELS);
    let job = PoolsGradient {
        source: case.view,
        pools: case.bench.put(&pools),
        terms: case.bench.put(terms),
        out,
        pools_count: pools.len() as u32,
        terms_count: terms.len() as u32,
        add: u32::from(before.is_some()),
        stride,
        height,
        width,
        channels: CHANNELS as u32,
        reserved: 0,
    };
    case.bench.run(
        "pool_gradient",
        blocks(case.values.len() / 4),
        0,
        &[job],
        step(IMAGES),
    );
    case.bench.read(out.at, case.values.len())
}

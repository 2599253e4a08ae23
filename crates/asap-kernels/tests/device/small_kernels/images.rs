//! Batches out of a set of images, held to the draws of another ChaCha.

use asap_kernels::device::abi::{Images, Showing, Variation};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Bench, Step, THREADS, blocks, step};

const SET: usize = 4;
const BATCH: usize = 6;

/// The value of every byte in a channel; black is not 0.
fn normalised(channel: usize, byte: u8) -> f32 {
    f32::from(byte) * (channel as f32 + 0.5) - 3.0
}

fn set(bytes: usize) -> Vec<u8> {
    (0..SET * bytes).map(|i| (i * 37 % 251 + 1) as u8).collect()
}

/// What an image draws, and how many words that takes.
struct Drawn {
    down: i64,
    right: i64,
    mirrored: bool,
    row: i64,
    column: i64,
    words: usize,
}

impl Drawn {
    fn new(variation: &Variation, image: usize, [height, width]: [usize; 2]) -> Self {
        let (seed, purpose) = (variation.seed, variation.purpose);
        let place = [
            seed,
            purpose,
            variation.pass,
            variation.first + image as u64,
        ];
        let key = place.map(u64::to_le_bytes).concat();
        let mut random = ChaCha8Rng::from_seed(key.try_into().unwrap());
        let mut words = 0;
        let mut below = |bound: u64| {
            // As many words for each number, and the others are refused.
            let unfair = (1 << 32) % bound;
            loop {
                words += 1;
                let product = u64::from(random.next_u32()) * bound;
                if product % (1 << 32) >= unfair {
                    return (product >> 32) as i64;
                }
            }
        };
        let padding = i64::from(variation.padding);
        let window = 2 * u64::from(variation.padding) + 1;
        let (down, right) = (below(window) - padding, below(window) - padding);
        let mirrored = below(2) == 1 && variation.flip == 1;
        let (row, column) = (below(height as u64), below(width as u64));
        Self {
            down,
            right,
            mirrored,
            row,
            column,
            words,
        }
    }

    /// Pixel by pixel: the window is taken, mirrored, looked up, and cut out of.
    fn shown(
        &self,
        image: &[u8],
        side: u32,
        [height, width]: [usize; 2],
        channels: usize,
    ) -> Vec<f32> {
        let (height, width, side) = (height as i64, width as i64, i64::from(side));
        let is_cut = |at: i64, middle: i64| at >= middle - side / 2 && at < middle + (side + 1) / 2;
        let mut shown = Vec::new();
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let column = if self.mirrored { width - 1 - x } else { x };
            let (from_y, from_x) = (y + self.down, column + self.right);
            let inside = (0..height).contains(&from_y) && (0..width).contains(&from_x);
            let cut = is_cut(y, self.row) && is_cut(x, self.column);
            for channel in 0..channels {
                let byte = if inside {
                    image[(from_y * width + from_x) as usize * channels + channel]
                } else {
                    0
                };
                shown.push(if cut { 0.0 } else { normalised(channel, byte) });
            }
        }
        shown
    }
}

fn agrees(variation: Variation, size: [usize; 2], channels: usize) {
    let [height, width] = size;
    let (pixels, len) = (height * width, height * width * channels);
    let set = set(len);
    let tables: Vec<f32> = (0..channels)
        .flat_map(|channel| (0..=255).map(move |byte| normalised(channel, byte)))
        .collect();
    let showings = [2, 0, 3, 1, 1, 2].map(|index| Showing {
        index,
        label: 10 + index,
    });
    let mut bench = Bench::new(3);
    let out = bench.put(&[-99.0_f32].repeat(BATCH * len));
    let labels = bench.put(&[f32::from_bits(77); BATCH]);
    let job = Images {
        set: bench.put(&set),
        normalised: bench.put(&tables),
        showings: bench.put(&showings),
        pixels: out,
        labels,
        height: height as u32,
        width: width as u32,
        channels: channels as u32,
        reserved: 0,
    };
    // The last image of the batch is not the step's.
    let images = BATCH - 1;
    let step = Step {
        variation,
        ..step(images)
    };
    let floats_of_a_placement = 7;
    let placements = (THREADS - 1).div_ceil(pixels as u32) + 1;
    let shared = floats_of_a_placement * placements;
    bench.run("images", blocks(BATCH * pixels), shared, &[job], step);
    let found = bench.read(out, BATCH * len);
    for (image, showing) in showings[..images].iter().enumerate() {
        let drawn = Drawn::new(&variation, image, size);
        let bytes = &set[showing.index as usize * len..][..len];
        assert_eq!(
            found[image * len..][..len],
            drawn.shown(bytes, variation.cutout, size, channels),
            "{variation:?}, {size:?}, {channels} channels, image {image}"
        );
    }
    assert!(found[images * len..].iter().all(|v| *v == -99.0));
    let labels = bench.read(labels, BATCH);
    let labels: Vec<u32> = labels.into_iter().map(f32::to_bits).collect();
    assert_eq!(labels, [12, 10, 13, 11, 11, 77]);
}

const ALL: Variation = Variation {
    seed: 7,
    purpose: 3,
    pass: 2,
    first: 40,
    padding: 2,
    flip: 1,
    cutout: 3,
    reserved: 0,
};

#[test]
fn images_are_shifted_mirrored_looked_up_and_cut_out_of_as_they_draw() {
    let far = Variation {
        seed: u64::MAX - 1,
        pass: 1 << 40,
        first: (1 << 33) - 2,
        ..ALL
    };
    for (variation, channels) in [(ALL, 1), (ALL, 3), (far, 3)] {
        // Some images a block, some blocks an image.
        for size in [[1, 1], [5, 7], [17, 16]] {
            let largest = *size.iter().min().unwrap() as u32;
            let (padding, cutout) = (variation.padding.min(largest - 1), largest.min(3));
            let variation = Variation {
                padding,
                cutout,
                ..variation
            };
            agrees(variation, size, channels);
        }
    }
}

#[test]
fn what_is_not_varied_stays_as_it_is() {
    let none = Variation {
        padding: 0,
        flip: 0,
        cutout: 0,
        ..ALL
    };
    let one = |changed: fn(&mut Variation)| {
        let mut variation = none;
        changed(&mut variation);
        variation
    };
    let only_moved = one(|variation| variation.padding = 4);
    let only_mirrored = one(|variation| variation.flip = 1);
    let only_cut = one(|variation| variation.cutout = 4);
    for variation in [none, only_moved, only_mirrored, only_cut] {
        agrees(variation, [5, 7], 3);
    }
}

/// A frame so wide that half of the words are refused, in a place where more are read than a block of the cipher has.
#[test]
fn words_that_would_favour_some_numbers_are_refused_and_the_next_ones_read() {
    let size = [5, 7];
    let wide = Variation {
        padding: 1 << 30,
        ..ALL
    };
    let first = (0..).find(|&first| Drawn::new(&Variation { first, ..wide }, 1, size).words > 17);
    let first = first.unwrap();
    agrees(Variation { first, ..wide }, size, 1);
}

//! Batches: what is in them, and that it never depends on where one began.

use std::sync::Arc;

use asap_data::{
    Augmentation, Batch, BatchConfig, Batches, Dataset, DatasetParts, Draws, Normalisation, Pass,
};
use candle_core::Device;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Images of 6 x 5 pixels; every byte of image `i` is about `i`, and its label is `i % 3`.
fn dataset(images: u32, channels: usize) -> Arc<Dataset> {
    let pixels = 6 * 5 * channels;
    let byte = |index: usize| (index / pixels + index % pixels) as u8;
    let dataset = Dataset::new(DatasetParts {
        name: "steps".into(),
        height: 6,
        width: 5,
        channels,
        classes: ["a", "b", "c"].map(String::from).into(),
        images: (0..images as usize * pixels).map(byte).collect(),
        labels: (0..images).map(|index| index % 3).collect(),
    });
    Arc::new(dataset.unwrap())
}

/// Every byte as a float of its value.
fn plain(channels: usize) -> Normalisation {
    Normalisation {
        mean: vec![0.0; channels],
        std: vec![1.0 / 255.0; channels],
    }
}

const VARIED: Augmentation = Augmentation {
    crop_padding: 2,
    flip: true,
    cutout: Some(2),
    ..Augmentation::NONE
};

fn training(augmentation: Augmentation, seed: u64) -> BatchConfig {
    let pass = Pass::Training { seed, augmentation };
    BatchConfig {
        batch: 8,
        normalisation: plain(1),
        pass,
    }
}

fn batches(config: &BatchConfig) -> Batches {
    let dataset = dataset(50, 1);
    let indices = dataset.indices();
    Batches::new(dataset, indices, config).unwrap()
}

/// The images of an unvaried epoch, by their first pixel.
fn order(batches: &Batches, epoch: usize) -> Vec<u32> {
    let firsts = |batch: Batch| {
        batch
            .pixels
            .chunks_exact(30)
            .map(|image| image[0].round() as u32)
            .collect::<Vec<_>>()
    };
    epoch_of(batches, epoch, 0)
        .into_iter()
        .flat_map(firsts)
        .collect()
}

/// The batches of `epoch` from `step` on.
fn epoch_of(batches: &Batches, epoch: usize, step: usize) -> Vec<Batch> {
    batches.epoch(epoch, step).map(Result::unwrap).collect()
}

#[test]
fn evaluation_sees_every_image_once_in_order_as_it_is() {
    let config = BatchConfig {
        pass: Pass::Evaluation,
        ..training(VARIED, 0)
    };
    let batches = batches(&config);
    assert_eq!((batches.steps_per_epoch(), batches.images()), (7, 50));
    let sizes: Vec<usize> = epoch_of(&batches, 0, 0)
        .iter()
        .map(|batch| batch.labels.len())
        .collect();
    assert_eq!(sizes, [8, 8, 8, 8, 8, 8, 2]);
    assert_eq!(order(&batches, 0), (0..50).collect::<Vec<_>>());
    let batch = batches.epoch(0, 0).next().unwrap().unwrap();
    let expected: Vec<f32> = (0..30).map(|byte| byte as f32).collect();
    for (found, expected) in batch.pixels.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4);
    }
}

#[test]
fn training_sees_full_batches_in_another_order_every_epoch() {
    let batches = batches(&training(Augmentation::NONE, 1));
    assert_eq!(batches.steps_per_epoch(), 6);
    let (first, second) = (order(&batches, 0), order(&batches, 1));
    assert_ne!(first, second);
    for mut seen in [first, second] {
        assert_eq!(seen.len(), 48);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 48, "no image comes twice");
    }
}

#[test]
fn labels_belong_to_their_images() {
    let batches = batches(&training(Augmentation::NONE, 1));
    for batch in epoch_of(&batches, 4, 0) {
        for (image, &label) in batch.pixels.chunks_exact(30).zip(&batch.labels) {
            assert_eq!(image[0].round() as u32 % 3, label);
        }
    }
}

#[test]
fn an_epoch_can_go_on_at_any_step() {
    let batches = batches(&training(VARIED, 5));
    let whole = epoch_of(&batches, 3, 0);
    for step in 0..=whole.len() {
        assert_eq!(
            epoch_of(&batches, 3, step),
            whole[step..],
            "from step {step}"
        );
    }
    assert_eq!(batches.epoch(3, whole.len() + 1).count(), 0);
}

#[test]
fn a_batch_does_not_depend_on_which_were_asked_for_before() {
    let one = batches(&training(VARIED, 5));
    let other = batches(&training(VARIED, 5));
    let _ = one.epoch(0, 0).count();
    // Left in the middle of an epoch.
    let _ = one.epoch(1, 0).next();
    assert_eq!(epoch_of(&one, 2, 0), epoch_of(&other, 2, 0));
}

#[test]
fn seed_and_epoch_decide_what_is_varied() {
    let first = |seed, epoch| {
        batches(&training(VARIED, seed))
            .epoch(epoch, 0)
            .next()
            .unwrap()
            .unwrap()
    };
    assert_eq!(first(1, 0), first(1, 0));
    assert_ne!(first(1, 0), first(2, 0));
    assert_ne!(first(1, 0), first(1, 1));
}

#[test]
fn two_images_of_one_batch_are_varied_apart() {
    let dataset = dataset(1, 1);
    let cropped = Augmentation {
        crop_padding: 2,
        ..Augmentation::NONE
    };
    let config = BatchConfig {
        batch: 16,
        ..training(cropped, 1)
    };
    let batches = Batches::new(dataset, [0; 16], &config).unwrap();
    let batch = batches.epoch(0, 0).next().unwrap().unwrap();
    let first = &batch.pixels[..30];
    assert!(batch.pixels.chunks_exact(30).any(|image| image != first));
}

#[test]
fn what_is_cut_out_is_the_mean_colour() {
    let dataset = dataset(50, 3);
    let normalisation = Normalisation {
        mean: vec![0.5, 0.25, 0.125],
        std: vec![0.3; 3],
    };
    let cut = Augmentation {
        cutout: Some(3),
        ..Augmentation::NONE
    };
    let pass = Pass::Training {
        seed: 2,
        augmentation: cut,
    };
    let config = BatchConfig {
        batch: 10,
        normalisation,
        pass,
    };
    let batches = Batches::new(dataset.clone(), dataset.indices(), &config).unwrap();
    for batch in epoch_of(&batches, 0, 0) {
        for image in batch.pixels.chunks_exact(6 * 5 * 3) {
            let cut = image.iter().filter(|&&value| value == 0.0).count();
            // No byte is exactly the mean, so only the square is 0: 2 to 3 pixels each way.
            assert!([4 * 3, 6 * 3, 9 * 3].contains(&cut), "{cut}");
        }
    }
}

#[test]
fn more_images_than_there_are_make_one_batch() {
    let dataset = dataset(5, 1);
    let config = BatchConfig {
        batch: 64,
        ..training(VARIED, 1)
    };
    let batches = Batches::new(dataset, [0, 2, 4], &config).unwrap();
    assert_eq!(batches.steps_per_epoch(), 1);
    assert_eq!(batches.epoch(0, 0).next().unwrap().unwrap().labels.len(), 3);
}

#[test]
fn candle_gets_channels_first() {
    let dataset = dataset(4, 3);
    let pass = Pass::Evaluation;
    let config = BatchConfig {
        batch: 4,
        normalisation: plain(3),
        pass,
    };
    let batches = Batches::new(dataset, [1, 3], &config).unwrap();
    let batch = batches.epoch(0, 0).next().unwrap().unwrap();
    let tensor = batch.to_tensor(&Device::Cpu).unwrap();
    assert_eq!(tensor.dims(), [2, 3, 6, 5]);
    assert!(tensor.is_contiguous());
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let place = |n: usize, c: usize, y: usize, x: usize| ((n * 3 + c) * 6 + y) * 5 + x;
    let pixel = |n: usize, c: usize, y: usize, x: usize| ((n * 6 + y) * 5 + x) * 3 + c;
    for (n, c, y, x) in [(0, 0, 0, 1), (0, 2, 3, 1), (1, 1, 5, 4)] {
        assert_eq!(values[place(n, c, y, x)], batch.pixels[pixel(n, c, y, x)]);
    }
}

#[test]
fn settings_that_cannot_work_are_refused_before_anything_runs() {
    let new = |indices: &[u32], config: &BatchConfig| {
        Batches::new(dataset(5, 1), indices, config)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let good = training(VARIED, 1);
    assert!(new(&[], &good).contains("at least one"));
    assert!(new(&[5], &good).contains("a number below 5, found 5"));
    assert!(
        new(
            &[0],
            &BatchConfig {
                batch: 0,
                ..good.clone()
            }
        )
        .contains("at least 1")
    );
    let coloured = BatchConfig {
        normalisation: plain(3),
        ..good.clone()
    };
    assert!(new(&[0], &coloured).contains("each of 1 channels"));
    let padded = training(
        Augmentation {
            crop_padding: 5,
            ..VARIED
        },
        1,
    );
    assert!(new(&[0], &padded).contains("crop padding"));
}

/// What an image draws first, from 0 to below each of `bounds`.
fn drawn(draws: Draws, image: usize, bounds: [u32; 5]) -> [isize; 5] {
    let place = [
        draws.seed,
        draws.purpose,
        draws.epoch,
        draws.first + image as u64,
    ];
    let key = place.map(u64::to_le_bytes).concat();
    let mut random = ChaCha8Rng::from_seed(key.try_into().unwrap());
    // The high half of the product; that a draw is refused takes some hundred million others.
    bounds.map(|bound| ((u64::from(random.next_u32()) * u64::from(bound)) >> 32) as isize)
}

/// The pixels of an image out of the whole set, as `VARIED` varies it: of the window, mirrored, looked up, cut out of.
fn shown(image: &[u8], table: &[f32; 256], drawn: [isize; 5]) -> Vec<f32> {
    let (height, width) = (6_isize, 5_isize);
    let [down, right, mirrored, row, column] = drawn;
    let pixel = |y: isize, x: isize| {
        let cut = (row - 1..row + 1).contains(&y) && (column - 1..column + 1).contains(&x);
        let of_window = if mirrored == 1 { width - 1 - x } else { x };
        let (from_y, from_x) = (y + down - 2, of_window + right - 2);
        let inside = (0..height).contains(&from_y) && (0..width).contains(&from_x);
        let byte = if inside {
            image[(from_y * width + from_x) as usize]
        } else {
            0
        };
        if cut { 0.0 } else { table[byte as usize] }
    };
    (0..height)
        .flat_map(|y| (0..width).map(move |x| (y, x)))
        .map(|(y, x)| pixel(y, x))
        .collect()
}

#[test]
fn batches_without_pixels_say_all_that_makes_those_with_pixels() {
    let mut config = training(VARIED, 7);
    // Black is not 0, so that the frame and what is cut out differ.
    config.normalisation.mean = vec![0.25];
    let batches = batches(&config);
    let mut indexed = batches.indexed().unwrap();
    assert_eq!(indexed.augmentation(), VARIED);
    let set = indexed.images().to_vec();
    let table = indexed.tables()[0];
    for (epoch, first) in [(0, 0), (3, 2)] {
        for (step, batch) in (first..).zip(epoch_of(&batches, epoch, first)) {
            let found = indexed.batch(epoch, step);
            let labels: Vec<u32> = found.images.iter().map(|image| image.label).collect();
            assert_eq!(labels, batch.labels);
            let pixels: Vec<f32> = found
                .images
                .iter()
                .enumerate()
                .flat_map(|(at, image)| {
                    let bytes = &set[image.index as usize * 30..][..30];
                    shown(bytes, &table, drawn(found.draws, at, [5, 5, 2, 6, 5]))
                })
                .collect();
            assert_eq!(pixels, batch.pixels, "epoch {epoch}, step {step}");
        }
    }
}

#[test]
fn batches_whose_images_change_in_other_ways_are_made_with_their_pixels() {
    let changed = Augmentation {
        auto_augment: true,
        ..VARIED
    };
    let resized = Augmentation {
        resized_crop: Some(0.5),
        ..Augmentation::NONE
    };
    for augmentation in [changed, resized] {
        assert!(batches(&training(augmentation, 7)).indexed().is_none());
    }
    let config = BatchConfig {
        pass: Pass::Evaluation,
        ..training(VARIED, 7)
    };
    assert!(batches(&config).indexed().is_none());
}

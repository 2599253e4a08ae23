//! Pictures that are decoded on the fly: the same batches as from memory.

use std::fs;
use std::sync::Arc;

use asap_data::{
    Augmentation, Batch, BatchConfig, Batches, ColourJitter, Dataset, LoadConfig, Normalisation,
    Part, Pass, folder,
};
use image::{Rgb, RgbImage};

use crate::files::TemporaryFolder;

const VARIED: Augmentation = Augmentation {
    crop_padding: 2,
    flip: true,
    cutout: Some(4),
    auto_augment: true,
    ..Augmentation::NONE
};

/// Two classes of ten coloured pictures of 40 x 30 pixels.
fn pictures() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    for number in 0..20_u32 {
        let picture = RgbImage::from_fn(40, 30, |x, y| {
            let byte = |factor: u32| (x * factor + y * 3 + number * 7) as u8;
            Rgb([byte(2), byte(5), byte(1)])
        });
        folder.draw(
            &format!("{}/{number:02}.png", if number < 10 { "a" } else { "b" }),
            picture,
        );
    }
    folder
}

fn read(folder_of: &TemporaryFolder, memory: Option<u64>) -> Dataset {
    let config = LoadConfig {
        memory,
        ..LoadConfig::default()
    };
    folder(folder_of.path(), Part::Train, config).unwrap()
}

fn batches(dataset: Dataset, augmentation: Augmentation) -> Batches {
    let indices = dataset.indices();
    let config = BatchConfig {
        batch: 5,
        normalisation: Normalisation::of(&dataset, &indices).unwrap(),
        pass: Pass::Training {
            seed: 3,
            augmentation,
        },
    };
    Batches::new(Arc::new(dataset), indices, &config).unwrap()
}

fn epoch(batches: &Batches, number: usize) -> Vec<Batch> {
    batches.epoch(number, 0).map(Result::unwrap).collect()
}

#[test]
fn what_takes_too_much_memory_is_streamed_and_says_so() {
    let folder = pictures();
    // Sixteen images of 30 x 30 pixels.
    let bytes = 16 * 30 * 30 * 3;
    let (held, streamed) = (read(&folder, Some(bytes)), read(&folder, Some(bytes - 1)));
    assert!(!held.is_streamed() && streamed.is_streamed());
    assert!(held.images().is_some() && streamed.images().is_none());
    let (one, other) = (held.describe().unwrap(), streamed.describe().unwrap());
    assert_eq!((one.bytes, other.bytes), (bytes, bytes));
    assert_eq!(one.normalisation, other.normalisation);
    assert!(one.to_string().contains("held in memory"));
    assert!(other.to_string().contains("decoded on the fly"));
    assert!(
        !read(&folder, None).is_streamed(),
        "a small set is held by default"
    );
}

#[test]
fn batches_are_the_same_from_memory_and_from_files() {
    let folder = pictures();
    let cropped = Augmentation {
        resized_crop: Some(0.08),
        crop_padding: 0,
        auto_augment: false,
        colour_jitter: ColourJitter {
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
            hue: 0.2,
        },
        ..VARIED
    };
    for augmentation in [Augmentation::NONE, VARIED, cropped] {
        let held = batches(read(&folder, None), augmentation);
        let streamed = batches(read(&folder, Some(0)), augmentation);
        let first = epoch(&streamed, 0);
        assert_eq!(first.len(), 3);
        assert_eq!(first, epoch(&held, 0), "{augmentation:?}");
        assert_eq!(first, epoch(&streamed, 0), "the same again");
        assert_ne!(first, epoch(&streamed, 1), "another epoch is another");
    }
}

#[test]
fn a_random_part_is_taken_from_the_picture_in_its_own_size() {
    let folder = TemporaryFolder::new();
    for name in ["a", "b"] {
        for number in 0..4 {
            // White ends that the square in the middle, which is held, does not have.
            let picture = RgbImage::from_fn(90, 30, |x, _| {
                if (30..60).contains(&x) {
                    Rgb([0; 3])
                } else {
                    Rgb([255; 3])
                }
            });
            folder.draw(&format!("{name}/{number}.png"), picture);
        }
    }
    let dataset = Arc::new(read(&folder, None));
    assert!(dataset.images().unwrap().iter().all(|&byte| byte == 0));
    let pass = Pass::Training {
        seed: 1,
        augmentation: Augmentation {
            resized_crop: Some(0.3),
            ..Augmentation::NONE
        },
    };
    let normalisation = Normalisation {
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
    };
    let config = BatchConfig {
        batch: 6,
        normalisation,
        pass,
    };
    let batches = Batches::new(Arc::clone(&dataset), dataset.indices(), &config).unwrap();
    let pixels = epoch(&batches, 0).remove(0).pixels;
    assert!(pixels.iter().any(|&value| value > 0.9));
}

#[test]
fn a_picture_that_breaks_later_ends_the_epoch_with_its_name() {
    let folder = pictures();
    let dataset = read(&folder, Some(0));
    dataset.read_through().unwrap();
    let batches = batches(dataset.clone(), Augmentation::NONE);
    for name in ["a/00.png", "a/01.png", "a/02.png", "a/03.png", "a/04.png"] {
        fs::write(folder.path().join(name), b"no picture").unwrap();
    }
    let text = dataset.read_through().unwrap_err().to_string();
    assert!(text.contains("/a/0"), "{text}");
    let results: Vec<_> = batches.epoch(0, 0).collect();
    let error = results.last().unwrap().as_ref().unwrap_err().to_string();
    assert!(
        error.contains("/a/0") && error.contains("expected a whole PNG or JPEG"),
        "{error}"
    );
    let earlier = &results[..results.len() - 1];
    assert!(earlier.iter().all(Result::is_ok), "the error is the last");
}

#[test]
fn streamed_pictures_that_cannot_be_read_are_left_out_if_asked() {
    let folder_of = pictures();
    let whole = fs::read(folder_of.path().join("a/04.png")).unwrap();
    for number in 0..3 {
        let name = format!("a/0{number}.png");
        folder_of.write(&name, &whole[..whole.len() - 20]);
    }
    let config = LoadConfig {
        memory: Some(0),
        skip_bad: true,
        ..LoadConfig::default()
    };
    let train = folder(folder_of.path(), Part::Train, config).unwrap();
    assert!(train.is_streamed());
    assert_eq!(train.skipped().len(), 3);
    assert!((0..train.len()).all(|index| train.image(index).is_ok()));
}

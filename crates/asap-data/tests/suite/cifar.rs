//! CIFAR's binary batches.

use std::path::Path;

use asap_data::{Part, cifar10, cifar100};

use crate::files::{TemporaryFolder, cifar_file};

fn cifar10_folder() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    for number in 1..=5_u8 {
        let records = cifar_file(&[(&[number], number), (&[0], 100)]);
        folder.write(&format!("data_batch_{number}.bin"), &records);
    }
    folder.write("test_batch.bin", &cifar_file(&[(&[9], 7)]));
    folder
}

fn message(folder: &Path) -> String {
    cifar10(folder, Part::Train).unwrap_err().to_string()
}

#[test]
fn planes_become_pixels_and_batches_follow_each_other() {
    let folder = cifar10_folder();
    let train = cifar10(folder.path(), Part::Train).unwrap();
    assert_eq!(
        (train.len(), train.height(), train.width(), train.channels()),
        (10, 32, 32, 3)
    );
    assert_eq!(train.labels(), [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
    assert_eq!(train.classes()[9], "truck");
    // Byte k of the third batch's first record is 3 + k modulo 256; a plane has 1024 bytes.
    let image = train.image(4).unwrap();
    assert_eq!(
        image[..6],
        [3, 3, 3, 4, 4, 4],
        "planes are a multiple of 256 apart"
    );
    assert_eq!(image[32 * 3], 3 + 32, "the first pixel of the second row");
    let test = cifar10(folder.path(), Part::Test).unwrap();
    assert_eq!((test.len(), test.labels()), (1, &[9][..]));
}

#[test]
fn red_comes_first_then_green_then_blue() {
    let folder = TemporaryFolder::new();
    let mut record = vec![3];
    for (plane, first) in [(10_u8, 1_u8), (20, 2), (30, 3)] {
        let mut pixels = vec![plane; 1024];
        pixels[33] = first; // Second row, second column.
        record.extend(pixels);
    }
    folder.write("test_batch.bin", &record);
    let test = cifar10(folder.path(), Part::Test).unwrap();
    let image = test.image(0).unwrap();
    let pixel = |row: usize, column: usize| &image[(row * 32 + column) * 3..][..3];
    assert_eq!(pixel(0, 0), [10, 20, 30]);
    assert_eq!(pixel(1, 1), [1, 2, 3]);
}

#[test]
fn the_archive_s_own_folder_may_lie_between() {
    let folder = TemporaryFolder::new();
    folder.write(
        "cifar-10-batches-bin/test_batch.bin",
        &cifar_file(&[(&[9], 7)]),
    );
    assert_eq!(cifar10(folder.path(), Part::Test).unwrap().labels(), [9]);
    folder.write("cifar-100-binary/test.bin", &cifar_file(&[(&[3, 42], 7)]));
    assert_eq!(cifar100(folder.path(), Part::Test).unwrap().labels(), [42]);
}

#[test]
fn cifar100_counts_fine_labels() {
    let folder = TemporaryFolder::new();
    folder.write("train.bin", &cifar_file(&[(&[19, 99], 5), (&[0, 1], 6)]));
    let train = cifar100(folder.path(), Part::Train).unwrap();
    assert_eq!((train.labels(), train.classes().len()), (&[99, 1][..], 100));
    assert_eq!(
        (train.classes()[99].as_str(), train.classes()[1].as_str()),
        ("worm", "aquarium_fish")
    );
    assert_eq!(
        train.image(0).unwrap()[..3],
        [5, 5, 5],
        "pixels begin after two labels"
    );
    assert!(
        train.classes().is_sorted(),
        "CIFAR-100 has its names in alphabetical order"
    );
}

#[test]
fn a_batch_cut_short_is_named() {
    let folder = cifar10_folder();
    let whole = cifar_file(&[(&[1], 1), (&[0], 100)]);
    folder.write("data_batch_4.bin", &whole[..whole.len() - 1]);
    let text = message(folder.path());
    let end = "data_batch_4.bin: expected whole records of 3073 bytes, found 6145 bytes";
    assert!(text.ends_with(end), "{text}");
    folder.write("data_batch_4.bin", &whole[..3073]);
    let text = message(folder.path());
    let end = "data_batch_4.bin: expected 6146 bytes, like the batch before it, found 3073 bytes";
    assert!(text.ends_with(end), "{text}");
    folder.write("data_batch_1.bin", &[]);
    assert!(message(folder.path()).contains("data_batch_1.bin"));
}

#[test]
fn a_missing_batch_is_named() {
    let folder = cifar10_folder();
    std::fs::remove_file(folder.path().join("data_batch_5.bin")).unwrap();
    assert!(message(folder.path()).contains("data_batch_5.bin"));
}

#[test]
fn labels_that_are_none_say_where_they_stand() {
    let folder = cifar10_folder();
    folder.write("data_batch_2.bin", &cifar_file(&[(&[1], 1), (&[10], 100)]));
    let text = message(folder.path());
    let end = "data_batch_2.bin: expected labels below 10, found 10 in record 1: is it CIFAR-100?";
    assert!(text.ends_with(end), "{text}");
    folder.write("train.bin", &cifar_file(&[(&[20, 4], 1)]));
    let text = cifar100(folder.path(), Part::Train)
        .unwrap_err()
        .to_string();
    assert!(text.ends_with("expected labels below 20, found 20 in record 0: is it CIFAR-10?"));
}

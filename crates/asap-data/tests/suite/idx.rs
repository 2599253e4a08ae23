//! MNIST's four files.

use std::path::Path;

use asap_data::{Part, fashion_mnist, idx};

use crate::files::{TemporaryFolder, gzip, idx_file};

const PIXELS: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/// Two images of 2 x 3 pixels in the training part, one in the test part.
fn folder() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    folder.write(
        "train-images-idx3-ubyte.gz",
        &gzip(&idx_file(&[2, 2, 3], &PIXELS)),
    );
    folder.write(
        "train-labels-idx1-ubyte.gz",
        &gzip(&idx_file(&[2], &[9, 2])),
    );
    folder.write(
        "t10k-images-idx3-ubyte.gz",
        &gzip(&idx_file(&[1, 2, 3], &PIXELS[..6])),
    );
    folder.write("t10k-labels-idx1-ubyte.gz", &gzip(&idx_file(&[1], &[4])));
    folder
}

fn message(folder: &Path) -> String {
    fashion_mnist(folder, Part::Train).unwrap_err().to_string()
}

#[test]
fn both_parts_are_read_from_gzip() {
    let folder = folder();
    let train = fashion_mnist(folder.path(), Part::Train).unwrap();
    assert_eq!(
        (train.len(), train.height(), train.width(), train.channels()),
        (2, 2, 3, 1)
    );
    assert_eq!(
        (train.images().unwrap(), train.labels()),
        (&PIXELS[..], &[9, 2][..])
    );
    assert_eq!(
        (train.classes()[9].as_str(), &*train.image(1).unwrap()),
        ("Ankle boot", &PIXELS[6..])
    );
    let test = fashion_mnist(folder.path(), Part::Test).unwrap();
    assert_eq!(
        (test.images().unwrap(), test.labels()),
        (&PIXELS[..6], &[4][..])
    );
}

#[test]
fn files_may_lie_there_unpacked() {
    let folder = folder();
    folder.write("train-images-idx3-ubyte", &idx_file(&[2, 3, 2], &PIXELS));
    let train = fashion_mnist(folder.path(), Part::Train).unwrap();
    assert_eq!(
        (train.height(), train.width()),
        (3, 2),
        "the unpacked one comes first"
    );
}

#[test]
fn any_such_set_has_its_numbers_as_classes() {
    let folder = folder();
    let train = idx(folder.path(), Part::Train).unwrap();
    assert_eq!(
        (train.classes().len(), train.classes()[9].as_str()),
        (10, "9")
    );
    let test = idx(folder.path(), Part::Test).unwrap();
    assert_eq!((test.classes(), test.labels()), (train.classes(), &[4][..]));
    folder.write("t10k-labels-idx1-ubyte.gz", &gzip(&idx_file(&[1], &[10])));
    let message = idx(folder.path(), Part::Test).unwrap_err().to_string();
    assert!(
        message.ends_with("t10k-labels-idx1-ubyte.gz: expected labels below 10, found 10 at 0")
    );
}

#[test]
fn a_missing_file_is_named() {
    let folder = TemporaryFolder::new();
    let message = message(folder.path());
    assert!(
        message.starts_with("cannot read ") && message.contains("train-labels"),
        "{message}"
    );
}

#[test]
fn a_file_cut_short_is_named_with_the_length_it_should_have() {
    let folder = folder();
    let whole = idx_file(&[2, 2, 3], &PIXELS);
    folder.write(
        "train-images-idx3-ubyte.gz",
        &gzip(&whole[..whole.len() - 1]),
    );
    let text = message(folder.path());
    let end = "train-images-idx3-ubyte.gz: expected 12 bytes of images, as its header [2, 2, 3] \
               says, found 11 bytes";
    assert!(text.ends_with(end), "{text}");
    folder.write("train-images-idx3-ubyte.gz", &gzip(&whole[..10]));
    assert!(message(folder.path()).ends_with("found a header of only 10 bytes"));
    folder.write("train-images-idx3-ubyte.gz", &gzip(&[]));
    assert!(message(folder.path()).ends_with("begin with [0, 0, 8, 3], found 0 bytes"));
}

#[test]
fn a_file_that_is_too_long_is_an_error() {
    let folder = folder();
    folder.write(
        "train-images-idx3-ubyte.gz",
        &gzip(&idx_file(&[2, 2, 2], &PIXELS)),
    );
    assert!(message(folder.path()).contains("expected 8 bytes of images"));
}

#[test]
fn a_gzip_file_cut_anywhere_is_an_error_that_names_it() {
    let folder = folder();
    let values: Vec<u8> = (0..6000_u32)
        .map(|index| (index * index / 7) as u8)
        .collect();
    let whole = gzip(&idx_file(&[10, 20, 30], &values));
    folder.write(
        "train-labels-idx1-ubyte.gz",
        &gzip(&idx_file(&[10], &[1; 10])),
    );
    for cut in [5, 10, 30, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let path = folder.write("train-images-idx3-ubyte.gz", &whole[..cut]);
        let message = message(folder.path());
        let expected = format!("{}: expected a whole gzip file, found", path.display());
        assert!(message.starts_with(&expected), "cut at {cut}: {message}");
    }
    folder.write("train-images-idx3-ubyte.gz", &whole);
    assert_eq!(
        fashion_mnist(folder.path(), Part::Train)
            .unwrap()
            .images()
            .unwrap(),
        values
    );
}

#[test]
fn a_flipped_bit_is_noticed() {
    let folder = folder();
    let mut bytes = gzip(&idx_file(&[2, 2, 3], &PIXELS));
    let place = bytes.len() - 8; // In the checksum.
    bytes[place] ^= 1;
    folder.write("train-images-idx3-ubyte.gz", &bytes);
    assert!(message(folder.path()).contains("train-images-idx3-ubyte.gz"));
}

#[test]
fn labels_in_the_place_of_images_are_told_by_their_first_bytes() {
    let folder = folder();
    folder.write(
        "train-images-idx3-ubyte.gz",
        &gzip(&idx_file(&[2], &[1, 2])),
    );
    let text = message(folder.path());
    let end = "expected IDX images that begin with [0, 0, 8, 3], found [0, 0, 8, 1]";
    assert!(text.ends_with(end), "{text}");
    folder.write("train-images-idx3-ubyte.gz", b"not gzip at all");
    assert!(message(folder.path()).contains("expected a whole gzip file"));
}

#[test]
fn labels_that_do_not_belong_to_the_images_are_an_error() {
    let folder = folder();
    folder.write(
        "train-labels-idx1-ubyte.gz",
        &gzip(&idx_file(&[3], &[1, 2, 3])),
    );
    let text = message(folder.path());
    assert!(
        text.contains("train-labels") && text.ends_with("found 3 labels"),
        "{text}"
    );
    folder.write(
        "train-labels-idx1-ubyte.gz",
        &gzip(&idx_file(&[2], &[1, 10])),
    );
    assert!(message(folder.path()).ends_with("expected labels below 10, found 10 at 1"));
}

#[test]
fn a_header_of_impossible_sizes_reserves_no_memory() {
    let folder = folder();
    folder.write(
        "train-images-idx3-ubyte",
        &idx_file(&[u32::MAX; 3], &PIXELS),
    );
    assert!(message(folder.path()).contains("expected sizes that fit in memory"));
    folder.write(
        "train-images-idx3-ubyte",
        &idx_file(&[u32::MAX, 1 << 20, 1], &PIXELS),
    );
    assert!(message(folder.path()).ends_with("found 12 bytes"));
    folder.write("train-images-idx3-ubyte", &idx_file(&[2, 0, 3], &[]));
    assert!(message(folder.path()).ends_with("found 2 images of 0x3 pixels"));
}

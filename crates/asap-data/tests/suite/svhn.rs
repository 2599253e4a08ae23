//! SVHN's MATLAB files.

use std::io::Write;
use std::path::Path;

use asap_data::{Part, svhn, svhn_extra};
use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::files::TemporaryFolder;

/// What scipy writes: `benches/peer/golden_svhn.py`, scipy 1.17.1.
const OF_SCIPY: &[u8] = include_bytes!("../golden/svhn_scipy.mat");

/// An element of a MATLAB file, filled up to 8 bytes.
fn element(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (content.len() as u32).to_le_bytes()].concat();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn array(name: &str, dimensions: &[u32], kind: u32, values: &[u8]) -> Vec<u8> {
    let dimensions: Vec<u8> = dimensions
        .iter()
        .flat_map(|side| side.to_le_bytes())
        .collect();
    // A short name is packed beside its length.
    let mut packed = vec![1, 0, name.len() as u8, 0];
    packed.extend(name.bytes());
    packed.resize(8, 0);
    let flags = element(6, &[9, 0, 0, 0, 0, 0, 0, 0]);
    let content = [
        flags,
        element(5, &dimensions),
        packed,
        element(kind, values),
    ]
    .concat();
    element(14, &content)
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    let packed = encoder.finish().unwrap();
    // MATLAB does not fill compressed elements up.
    let mut bytes = [15_u32.to_le_bytes(), (packed.len() as u32).to_le_bytes()].concat();
    bytes.extend(packed);
    bytes
}

fn file(arrays: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![b' '; 124];
    bytes.extend([0x00, 0x01, b'I', b'M']);
    bytes.extend(arrays.iter().flat_map(|array| zlib(array)));
    bytes
}

/// A file with an image for each of `labels`.
fn digits(labels: &[u8]) -> Vec<u8> {
    let count = labels.len() as u32;
    let pixels: Vec<u8> = (0..labels.len() * 3072)
        .map(|index| (index % 241) as u8)
        .collect();
    file(&[
        array("X", &[32, 32, 3, count], 2, &pixels),
        array("y", &[count, 1], 2, labels),
    ])
}

fn message(bytes: &[u8]) -> String {
    let folder = TemporaryFolder::new();
    let path = folder.write("train_32x32.mat", bytes);
    let text = svhn(folder.path(), Part::Train).unwrap_err().to_string();
    let start = format!("{}: expected ", path.display());
    assert!(text.starts_with(&start), "{text}");
    text.replace(&start, "")
}

#[test]
fn ten_stands_for_nought_and_columns_become_rows() {
    let folder = TemporaryFolder::new();
    folder.write("train_32x32.mat", &digits(&[10, 1, 9]));
    folder.write("test_32x32.mat", &digits(&[5]));
    let train = svhn(folder.path(), Part::Train).unwrap();
    assert_eq!(train.labels(), [0, 1, 9]);
    assert_eq!(train.classes()[9], "9");
    let shape = (train.len(), train.height(), train.width(), train.channels());
    assert_eq!(shape, (3, 32, 32, 3));
    let image = train.image(1).unwrap();
    // Row 2, column 5, and each channel.
    for channel in 0..3 {
        let place = 3072 + channel * 1024 + 5 * 32 + 2;
        assert_eq!(image[(2 * 32 + 5) * 3 + channel], (place % 241) as u8);
    }
    assert_eq!(svhn(folder.path(), Part::Test).unwrap().labels(), [5]);
}

#[test]
fn the_file_of_another_program_is_read() {
    let folder = TemporaryFolder::new();
    folder.write("train_32x32.mat", OF_SCIPY);
    let train = svhn(folder.path(), Part::Train).unwrap();
    assert_eq!(train.labels(), [0, 3]);
    // numpy: X[1, 2, :, 1] and X[0, 0, :, 0].
    assert_eq!(
        train.image(1).unwrap()[(32 + 2) * 3..][..3],
        [205, 207, 209]
    );
    assert_eq!(train.image(0).unwrap()[..3], [0, 2, 4]);
}

#[test]
fn extra_images_follow_those_to_train_with() {
    let folder = TemporaryFolder::new();
    folder.write("train_32x32.mat", &digits(&[1, 2]));
    folder.write("extra_32x32.mat", &digits(&[3]));
    assert_eq!(
        svhn_extra(folder.path(), Part::Train).unwrap().labels(),
        [1, 2, 3]
    );
    assert_eq!(svhn(folder.path(), Part::Train).unwrap().labels(), [1, 2]);
    let missing = svhn_extra(folder.path(), Part::Test)
        .unwrap_err()
        .to_string();
    assert!(missing.contains("test_32x32.mat"), "{missing}");
}

#[test]
fn a_file_cut_short_anywhere_gives_one_error() {
    let whole = digits(&[10, 1]);
    for length in [0, 100, 128 + 3, 128 + 40, whole.len() / 2, whole.len() - 1] {
        let text = message(&whole[..length]);
        assert!(
            text.starts_with("a MATLAB file")
                || text.starts_with("a whole file")
                || text.contains("an array `"),
            "{length}: {text}"
        );
    }
    let mut changed = whole.clone();
    changed[300] ^= 0xFF;
    message(&changed);
}

#[test]
fn what_is_no_such_file_is_told() {
    assert!(message(&[7; 400]).contains("[7, 7, 7, 7] for version"));
    assert!(message(&digits(&[11])).ends_with("labels from 1 to 10 in `y`, found 11 at 0"));
    assert!(message(&digits(&[0])).contains("found 0 at 0"));
    let (pixels, one) = (vec![1; 3072], array("y", &[1, 1], 2, &[1]));
    let grey = file(&[array("X", &[32, 96, 1, 1], 2, &pixels), one.clone()]);
    assert!(message(&grey).contains("[32, 32, 3, N], found [32, 96, 1, 1]"));
    let images = array("X", &[32, 32, 3, 1], 2, &pixels);
    assert!(message(&file(std::slice::from_ref(&images))).starts_with("an array `y`"));
    let two = array("y", &[2, 1], 2, &[1, 2]);
    assert!(message(&file(&[images.clone(), two])).contains("each of 1 images, found 2 labels"));
    let wide = array("y", &[1, 1], 9, &[0; 8]);
    assert!(
        message(&file(&[images, wide])).contains("bytes in the array `y`, found data of type 9")
    );
    let short = array("X", &[32, 32, 3, 2], 2, &pixels);
    assert!(message(&file(&[short, one])).contains("[32, 32, 3, 2] bytes"));
}

#[test]
fn a_missing_file_is_named() {
    let text = svhn(Path::new("/nowhere"), Part::Train)
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with("cannot read /nowhere/train_32x32.mat"),
        "{text}"
    );
}

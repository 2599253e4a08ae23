//! What torchvision made of one picture, for tests: `tests/golden/augmentation.txt`, written by
//! `benches/peer/golden_augmentation.py` with torchvision 0.29.2 and Pillow 13.0.0.

use crate::pictures::Picture;

const LINES: &str = include_str!("../tests/golden/augmentation.txt");
const HEIGHT: usize = 18;
const WIDTH: usize = 20;

/// The parameters and the bytes of every line that begins with `name`.
pub(crate) fn lines(name: &str) -> Vec<(Vec<&'static str>, Vec<u8>)> {
    let words = LINES
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    words
        .filter(|words| words[0] == name)
        .map(|words| {
            (
                words[1..words.len() - 1].to_vec(),
                bytes(words[words.len() - 1]),
            )
        })
        .collect()
}

/// The picture `name`.
pub(crate) fn golden(name: &str) -> Picture {
    let bytes = lines(name).remove(0).1;
    Picture {
        height: HEIGHT,
        width: WIDTH,
        channels: bytes.len() / (HEIGHT * WIDTH),
        bytes,
    }
}

/// Checks that no byte is further from the one expected than `most`.
pub(crate) fn close(found: &[u8], expected: &[u8], most: u8, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let differ = |(found, expected): &(&u8, &u8)| found.abs_diff(**expected) > most;
    let wrong = found.iter().zip(expected).filter(differ).count();
    let first = found.iter().zip(expected).position(|pair| differ(&pair));
    assert_eq!(
        wrong, 0,
        "{what}: bytes that differ, the first at {first:?}"
    );
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.filter_map(byte).collect()
}

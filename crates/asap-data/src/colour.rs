//! Changes of an image's colours, byte for byte those of Pillow, with which torchvision augments.
//!
//! Brightness, contrast, saturation and sharpness move every pixel away from, or towards, a dull image:
//! `dull + factor * (byte - dull)`, cut off at 0 and 255. The others look every byte up in a table.

use crate::pictures::Picture;

/// Towards black.
pub(crate) fn brightness(picture: &mut Picture, factor: f64) {
    by_table(picture, |_, byte| blend(0, byte, factor));
}

/// Towards the mean of the image in grey.
pub(crate) fn contrast(picture: &mut Picture, factor: f64) {
    let greys = greys(picture);
    let sum: u64 = greys.iter().map(|&grey| u64::from(grey)).sum();
    let mean = (sum as f64 / greys.len() as f64 + 0.5) as u8;
    by_table(picture, |_, byte| blend(mean, byte, factor));
}

/// Towards the image in grey.
pub(crate) fn saturation(picture: &mut Picture, factor: f64) {
    let greys = greys(picture);
    for (pixel, grey) in picture.bytes.chunks_exact_mut(picture.channels).zip(greys) {
        pixel
            .iter_mut()
            .for_each(|byte| *byte = blend(grey, *byte, factor));
    }
}

/// Towards an image in which every pixel is the mean of itself, five times, and its eight neighbours; what
/// has no eight neighbours stays.
pub(crate) fn sharpness(picture: &mut Picture, factor: f64) {
    let (channels, row) = (picture.channels, picture.width * picture.channels);
    let source = picture.bytes.clone();
    for y in 1..picture.height.saturating_sub(1) {
        for x in channels..row - channels {
            let at = y * row + x;
            let triple = |middle: usize| {
                [middle - channels, middle, middle + channels].map(|at| u32::from(source[at]))
            };
            let around = [at - row, at, at + row].map(triple);
            let sum: u32 = around.iter().flatten().sum::<u32>() + 4 * u32::from(source[at]);
            // Rounded; thirteenths are never halves.
            let smooth = (2 * sum + 13) / 26;
            picture.bytes[at] = blend(smooth as u8, source[at], factor);
        }
    }
}

/// Every byte with its highest `bits` only.
pub(crate) fn posterize(picture: &mut Picture, bits: u32) {
    let mask = !(0xFF_u32 >> bits) as u8;
    by_table(picture, |_, byte| byte & mask);
}

/// Bytes from `threshold` on as their opposite.
pub(crate) fn solarize(picture: &mut Picture, threshold: f64) {
    let turn = |byte: u8| {
        if f64::from(byte) < threshold {
            byte
        } else {
            !byte
        }
    };
    by_table(picture, |_, byte| turn(byte));
}

/// Every byte as its opposite.
pub(crate) fn invert(picture: &mut Picture) {
    by_table(picture, |_, byte| !byte);
}

/// Each channel stretched to reach from 0 to 255.
pub(crate) fn auto_contrast(picture: &mut Picture) {
    let ranges: Vec<(u8, u8)> = histograms(picture)
        .iter()
        .map(|histogram| {
            let used = |&level: &u8| histogram[level as usize] > 0;
            let first = (0..=255).find(used).unwrap_or(0);
            (first, (0..=255).rfind(used).unwrap_or(255))
        })
        .collect();
    by_table(picture, |channel, byte| {
        let (first, last) = ranges[channel];
        if last <= first {
            return byte;
        }
        let scale = 255.0 / f64::from(last - first);
        let offset = -f64::from(first) * scale;
        (f64::from(byte) * scale + offset) as u8
    });
}

/// Each channel with its levels spread so that all are about as frequent.
pub(crate) fn equalize(picture: &mut Picture) {
    let tables: Vec<Option<[u8; 256]>> = histograms(picture).iter().map(equalizer).collect();
    by_table(picture, |channel, byte| match &tables[channel] {
        Some(table) => table[byte as usize],
        None => byte,
    });
}

/// `None` for a channel that has too few levels or pixels to spread.
fn equalizer(histogram: &[u32; 256]) -> Option<[u8; 256]> {
    let highest = histogram.iter().rfind(|&&count| count > 0)?;
    let rest = histogram.iter().sum::<u32>() - highest;
    let step = rest / 255;
    if step == 0 {
        return None;
    }
    let mut before = step / 2;
    Some(std::array::from_fn(|level| {
        let spread = (before / step).min(255) as u8;
        before += histogram[level];
        spread
    }))
}

/// The image in grey, as ITU-R 601 weighs red, green and blue, in whole numbers.
fn greys(picture: &Picture) -> Vec<u8> {
    match picture.channels {
        1 => picture.bytes.clone(),
        _ => picture
            .bytes
            .chunks_exact(3)
            .map(|pixel| {
                let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
                ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16) as u8
            })
            .collect(),
    }
}

fn histograms(picture: &Picture) -> Vec<[u32; 256]> {
    let mut histograms = vec![[0; 256]; picture.channels];
    for pixel in picture.bytes.chunks_exact(picture.channels) {
        for (histogram, &byte) in histograms.iter_mut().zip(pixel) {
            histogram[byte as usize] += 1;
        }
    }
    histograms
}

fn by_table(picture: &mut Picture, value: impl Fn(usize, u8) -> u8) {
    let tables: Vec<[u8; 256]> = (0..picture.channels)
        .map(|channel| std::array::from_fn(|byte| value(channel, byte as u8)))
        .collect();
    for pixel in picture.bytes.chunks_exact_mut(picture.channels) {
        for (byte, table) in pixel.iter_mut().zip(&tables) {
            *byte = table[*byte as usize];
        }
    }
}

/// In f32, as Pillow computes it: the last bit decides what a fraction is cut to.
fn blend(dull: u8, byte: u8, factor: f64) -> u8 {
    let (dull, byte) = (f32::from(dull), f32::from(byte));
    // `as` cuts off at 0 and 255.
    (dull + factor as f32 * (byte - dull)) as u8
}

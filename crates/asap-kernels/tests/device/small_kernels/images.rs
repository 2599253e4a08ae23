//! Batches out of a set of images.

use asap_kernels::device::abi::{Images, Showing};

use super::{Bench, blocks, step};

const HEIGHT: usize = 5;
const WIDTH: usize = 7;
const SET: usize = 4;
const BATCH: usize = 6;

/// The value of every byte in a channel; black is not 0.
fn normalised(channel: usize, byte: u8) -> f32 {
    f32::from(byte) * (channel as f32 + 0.5) - 3.0
}

fn set(channels: usize) -> Vec<u8> {
    (0..SET * HEIGHT * WIDTH * channels)
        .map(|i| (i * 37 % 251 + 1) as u8)
        .collect()
}

/// Pixel by pixel: the window is taken, mirrored, looked up, and cut out of.
fn expected(set: &[u8], channels: usize, showing: &Showing) -> Vec<f32> {
    let mut image = Vec::new();
    for y in 0..HEIGHT as i16 {
        for x in 0..WIDTH as i16 {
            let column = if showing.mirrored == 1 {
                WIDTH as i16 - 1 - x
            } else {
                x
            };
            let (from_y, from_x) = (y + showing.down, column + showing.right);
            let inside =
                (0..HEIGHT as i16).contains(&from_y) && (0..WIDTH as i16).contains(&from_x);
            let rows = showing.cutout_top..showing.cutout_bottom;
            let columns = showing.cutout_left..showing.cutout_right;
            for channel in 0..channels {
                let byte = if inside {
                    let pixel = (showing.index as usize * HEIGHT + from_y as usize) * WIDTH
                        + from_x as usize;
                    set[pixel * channels + channel]
                } else {
                    0
                };
                let cut = rows.contains(&y) && columns.contains(&x);
                image.push(if cut { 0.0 } else { normalised(channel, byte) });
            }
        }
    }
    image
}

fn showings() -> Vec<Showing> {
    let place = |index, down, right, mirrored| Showing {
        index,
        label: 10 + index,
        down,
        right,
        mirrored,
        ..Showing::default()
    };
    let cut = |showing, [top, bottom, left, right]: [i16; 4]| Showing {
        cutout_top: top,
        cutout_bottom: bottom,
        cutout_left: left,
        cutout_right: right,
        ..showing
    };
    vec![
        place(2, 0, 0, 0),
        place(0, -2, 3, 0),
        place(3, 1, -2, 1),
        cut(place(1, -1, 2, 1), [1, 4, 0, 3]),
        cut(place(1, 9, 0, 0), [0, 5, 6, 7]),
        place(2, 0, 0, 1),
    ]
}

#[test]
fn images_are_shifted_mirrored_looked_up_and_cut_out_of() {
    for channels in [1, 3] {
        let len = HEIGHT * WIDTH * channels;
        let (set, showings) = (set(channels), showings());
        let tables: Vec<f32> = (0..channels)
            .flat_map(|channel| (0..=255).map(move |byte| normalised(channel, byte)))
            .collect();
        let mut bench = Bench::new(3);
        let pixels = bench.put(&vec![-99.0_f32; BATCH * len]);
        let labels = bench.put(&[f32::from_bits(77); BATCH]);
        let job = Images {
            set: bench.put(&set),
            normalised: bench.put(&tables),
            showings: bench.put(&showings),
            pixels,
            labels,
            height: HEIGHT as u32,
            width: WIDTH as u32,
            channels: channels as u32,
            reserved: 0,
        };
        // The last image of the batch is not the step's.
        let images = BATCH - 1;
        bench.run(
            "images",
            blocks(BATCH * HEIGHT * WIDTH),
            0,
            &[job],
            step(images),
        );
        let found = bench.read(pixels, BATCH * len);
        for (image, showing) in showings[..images].iter().enumerate() {
            let expected = expected(&set, channels, showing);
            assert_eq!(
                found[image * len..][..len],
                expected,
                "{channels} channels, image {image}"
            );
        }
        assert!(found[images * len..].iter().all(|v| *v == -99.0));
        let labels = bench.read(labels, BATCH);
        let labels: Vec<u32> = labels.into_iter().map(f32::to_bits).collect();
        assert_eq!(labels, [12, 10, 13, 11, 11, 77]);
    }
}

//! Folders of classes: every kind of picture comes out as it looks.

use std::fs;

use asap_data::{Dataset, LoadConfig, Part, folder};
use image::{
    DynamicImage, GrayAlphaImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba, RgbaImage,
};

use crate::files::{TemporaryFolder, encoded, grey, rgb};

fn read(folder_of: &TemporaryFolder, size: Option<usize>) -> Dataset {
    folder(
        folder_of.path(),
        Part::Train,
        LoadConfig {
            size,
            skip_bad: false,
            ..LoadConfig::default()
        },
    )
    .unwrap()
}

/// A folder whose training images are `pictures` in the class `a`, then two grey ones.
fn parts(pictures: impl IntoIterator<Item = DynamicImage>) -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    for (index, picture) in pictures.into_iter().enumerate() {
        folder.draw(&format!("train/a/{index}.png"), picture);
    }
    folder.class("train/b", [1, 2]);
    folder.class("test/a", [3]);
    folder.class("test/b", [4]);
    folder
}

fn first_pixels(dataset: &Dataset, count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| dataset.image(index).unwrap()[..dataset.channels()].to_vec())
        .collect()
}

#[test]
fn grey_colour_alpha_and_sixteen_bits_come_out_right() {
    let folder = parts([
        grey(4, 3, |_, _| 77).into(),
        rgb(4, 3, [10, 20, 30]).into(),
        RgbaImage::from_pixel(4, 3, Rgba([10, 20, 30, 255])).into(),
        ImageBuffer::from_pixel(4, 3, Luma([0x1234_u16])).into(),
        ImageBuffer::from_pixel(4, 3, Rgb([0xFFFF_u16, 0x8080, 0x00FF])).into(),
        ImageBuffer::from_pixel(4, 3, Rgba([0x0101_u16, 0x0202, 0x0303, 0xFFFF])).into(),
    ]);
    let expected: [[u8; 3]; 6] = [
        [77, 77, 77],
        [10, 20, 30],
        [10, 20, 30],
        [0x12, 0x12, 0x12],
        [255, 0x80, 1], // 255 / 257 is nearer to 1 than to 0.
        [1, 2, 3],
    ];
    assert_eq!(first_pixels(&read(&folder, None), 6), expected);
}

/// A JPEG in the four inks of print, one colour all over. Programs of print store such files with inks turned
/// around, and say so by a marker of Adobe's.
fn in_four_inks(inks: [u8; 4]) -> Vec<u8> {
    let pixels = inks.repeat(16 * 16);
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, 100)
        .encode(&pixels, 16, 16, jpeg_encoder::ColorType::Cmyk)
        .unwrap();
    bytes
}

#[test]
fn the_inks_of_print_become_light() {
    let folder = parts([grey(16, 16, |_, _| 0).into()]);
    let jpegs = [
        ([0, 0, 0, 0], [255, 255, 255]),
        ([0, 0, 0, 255], [0, 0, 0]),
        ([255, 0, 0, 0], [0, 255, 255]),
        ([0, 255, 255, 0], [255, 0, 0]),
        ([0, 128, 255, 64], [191, 95, 0]),
    ];
    for (number, (inks, _)) in jpegs.iter().enumerate() {
        folder.write(&format!("train/a/{}.jpg", number + 1), &in_four_inks(*inks));
    }
    let found = first_pixels(&read(&folder, Some(16)), 6);
    for (found, (inks, light)) in found[1..].iter().zip(jpegs) {
        let near = found
            .iter()
            .zip(light)
            .all(|(&one, other)| one.abs_diff(other) <= 3);
        assert!(near, "{inks:?}: expected {light:?}, found {found:?}");
    }
}

#[test]
fn what_is_transparent_is_white() {
    let folder = parts([
        RgbaImage::from_pixel(4, 3, Rgba([200, 0, 0, 0])).into(),
        RgbaImage::from_pixel(4, 3, Rgba([0, 255, 100, 51])).into(),
        GrayAlphaImage::from_pixel(4, 3, LumaA([0, 128])).into(),
    ]);
    // 51 / 255 is a fifth: 4/5 of 255, and a fifth of the colour.
    let expected = [[255, 255, 255], [204, 255, 224], [127, 127, 127]];
    assert_eq!(first_pixels(&read(&folder, None), 3), expected);
}

#[test]
fn grey_pictures_stay_grey_with_alpha_and_sixteen_bits() {
    let folder = parts([
        GrayAlphaImage::from_pixel(4, 3, LumaA([0, 128])).into(),
        ImageBuffer::from_pixel(4, 3, Luma([0x80FF_u16])).into(),
    ]);
    let train = read(&folder, None);
    assert_eq!(train.channels(), 1);
    assert_eq!(first_pixels(&train, 2), [[127], [0x80]]);
}

#[test]
fn palettes_and_single_bits_come_out_right() {
    // From Python's zlib: 4 x 3 pixels, 1 bit of grey, all white; and a palette with one colour.
    let folder = parts([]);
    folder.write(
        "train/a/bits.png",
        &png(1, 0, None, &[0, 0xF0, 0, 0xF0, 0, 0xF0]),
    );
    let palette = Some(&[9, 8, 7, 60, 70, 80][..]);
    folder.write(
        "train/a/palette.png",
        &png(8, 3, palette, &[0, 1, 1, 1, 1].repeat(3)),
    );
    assert_eq!(
        first_pixels(&read(&folder, None), 2),
        [[255, 255, 255], [60, 70, 80]]
    );
}

/// A PNG of 4 x 3 pixels from its filtered rows.
fn png(bits: u8, kind: u8, palette: Option<&[u8]>, rows: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        let body = [name, data].concat();
        let mut checksum = flate2::Crc::new();
        checksum.update(&body);
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(body);
        bytes.extend(checksum.sum().to_be_bytes());
    };
    chunk(b"IHDR", &[0, 0, 0, 4, 0, 0, 0, 3, bits, kind, 0, 0, 0]);
    if let Some(palette) = palette {
        chunk(b"PLTE", palette);
    }
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(rows).unwrap();
    chunk(b"IDAT", &packed.finish().unwrap());
    chunk(b"IEND", &[]);
    bytes
}

#[test]
fn jpeg_is_read_in_grey_and_colour_whatever_its_name() {
    let folder = parts([]);
    folder.draw("train/a/0.jpg", rgb(4, 3, [200, 100, 50]));
    folder.draw("train/a/1.JPEG", grey(4, 3, |_, _| 90));
    folder.write(
        "train/a/2.png",
        &encoded(rgb(4, 3, [200, 100, 50]), ImageFormat::Jpeg),
    );
    folder.write(
        "train/a/3.jpg",
        &encoded(rgb(4, 3, [1, 2, 3]), ImageFormat::Png),
    );
    let train = read(&folder, None);
    let expected = [[200, 100, 50], [90, 90, 90], [200, 100, 50], [1, 2, 3]];
    for (pixel, expected) in first_pixels(&train, 4).into_iter().zip(expected) {
        let near = pixel
            .iter()
            .zip(expected)
            .all(|(&found, byte)| found.abs_diff(byte) <= 3);
        assert!(near, "{pixel:?} is not near {expected:?}");
    }
}

#[test]
fn a_jpeg_cut_anywhere_is_named() {
    let folder = parts([]);
    let picture = grey(64, 64, |x, y| (x * y) as u8);
    let whole = encoded(picture, ImageFormat::Jpeg);
    folder.write("train/a/1.jpg", &whole);
    for cut in [2, 100, whole.len() / 2, whole.len() - 40, whole.len() - 2] {
        let path = folder.write("train/a/0.jpg", &whole[..cut]);
        let config = LoadConfig::default();
        let text = folder_error(&folder, config);
        assert!(
            text.starts_with(&format!("{}: expected a whole", path.display())),
            "{cut}: {text}"
        );
    }
    folder.write("train/a/0.jpg", &whole);
    assert_eq!(read(&folder, None).len(), 4);
    // Bytes after the end do no harm.
    folder.write("train/a/1.jpg", &[&whole, &[0; 9][..]].concat());
    assert_eq!(read(&folder, None).len(), 4);
}

fn folder_error(folder_of: &TemporaryFolder, config: LoadConfig) -> String {
    folder(folder_of.path(), Part::Train, config)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_photograph_is_turned_as_its_camera_was_held() {
    let folder = parts([]);
    // Bright above, dark below; with orientation 6 the top is to be turned to the right.
    let picture = rgb(16, 16, [0; 3]);
    let picture = ImageBuffer::from_fn(32, 16, |_, y| {
        if y < 8 {
            Rgb([240; 3])
        } else {
            picture[(0, 0)]
        }
    });
    let plain = encoded(picture, ImageFormat::Jpeg);
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = (exif.len() as u16 + 2).to_be_bytes();
    let turned = [&plain[..2], &[0xFF, 0xE1], &length, exif, &plain[2..]].concat();
    folder.write("train/a/0.jpg", &turned);
    folder.write("train/a/1.jpg", &turned);
    for path in ["train/b", "test/a", "test/b"] {
        fs::remove_dir_all(folder.path().join(path)).unwrap();
        folder.write(&format!("{path}/0.jpg"), &turned);
        folder.write(&format!("{path}/1.jpg"), &turned);
    }
    let train = read(&folder, None);
    assert_eq!((train.height(), train.width()), (32, 16));
    let image = train.image(0).unwrap();
    let row = &image[..16 * 3];
    assert!(row[0] < 20 && row[15 * 3] > 220, "{row:?}");
}

#[test]
fn the_square_in_the_middle_is_resized() {
    let folder = TemporaryFolder::new();
    // 40 wide, 10 high: black, then the middle square in two halves, then black.
    let wide = || {
        grey(40, 10, |x, _| match x {
            15..20 => 100,
            20..25 => 200,
            _ => 0,
        })
    };
    let high = || grey(10, 40, |_, y| if (15..25).contains(&y) { 150 } else { 0 });
    for index in 0..5 {
        folder.draw(&format!("a/{index}.png"), wide());
        folder.draw(&format!("b/{index}.png"), high());
    }
    let train = read(&folder, Some(10));
    let a: Vec<u8> = [[100; 5], [200; 5]].concat().repeat(10);
    assert_eq!((train.height(), train.width()), (10, 10));
    assert_eq!(
        train.image(0).unwrap(),
        a,
        "no resampling where the square has the size already"
    );
    assert_eq!(*train.image(train.len() - 1).unwrap(), [150; 100]);
    let larger = read(&folder, Some(20));
    assert_eq!((larger.height(), larger.width()), (20, 20));
    assert!(
        larger
            .image(larger.len() - 1)
            .unwrap()
            .iter()
            .all(|&byte| byte == 150)
    );
}

#[test]
fn fine_patterns_do_not_alias_when_images_get_smaller() {
    let folder = TemporaryFolder::new();
    for index in 0..5 {
        let stripes = grey(96, 96, |x, _| if x % 2 == 0 { 0 } else { 255 });
        folder.draw(&format!("a/{index}.png"), stripes);
        folder.draw(&format!("b/{index}.png"), grey(96, 96, |_, _| 9));
    }
    let train = read(&folder, Some(12));
    let image = train.image(0).unwrap();
    let middle = &image[12 * 4 + 3..12 * 4 + 9];
    assert!(
        middle.iter().all(|byte| (118..=137).contains(byte)),
        "{middle:?}"
    );
}

#[test]
fn a_size_nobody_chose_is_that_of_small_images_or_the_median_up_to_32() {
    let inferred = |sides: &[(u32, u32)]| {
        let folder = TemporaryFolder::new();
        for (index, &(width, height)) in sides.iter().enumerate() {
            for class in ["a", "b"] {
                folder.draw(
                    &format!("{class}/{index}.png"),
                    grey(width, height, |_, _| 0),
                );
            }
        }
        let train = read(&folder, None);
        (train.height(), train.width())
    };
    assert_eq!(inferred(&[(30, 20); 4]), (20, 30));
    assert_eq!(inferred(&[(40, 20); 4]), (20, 20));
    assert_eq!(inferred(&[(300, 200); 4]), (32, 32));
    assert_eq!(inferred(&[(20, 90), (24, 24), (70, 30)]), (24, 24));
}

//! Images sheared, moved and turned: every pixel is the nearest of the source, and black beyond its edge.
//!
//! Byte for byte what Pillow makes of torchvision's matrices, in the same fixed-point numbers of 16 bits
//! behind the point.

use crate::pictures::Picture;

/// Where a pixel comes from: `x = a x' + b y' + c` and `y = d x' + e y' + f`, between the middles of pixels.
struct Matrix {
    a: f64,
    b: f64,
    c: f64,
    d: f64,
    e: f64,
    f: f64,
}

impl Matrix {
    const NONE: Self = Self {
        a: 1.0,
        b: 0.0,
        c: 0.0,
        d: 0.0,
        e: 1.0,
        f: 0.0,
    };
}

/// Columns moved up, each by `slope` pixels more than the one to its left.
pub(crate) fn shear_y(picture: &mut Picture, slope: f64) {
    let d = slope.atan().to_degrees().to_radians().tan();
    warp(picture, &Matrix { d, ..Matrix::NONE });
}

/// Moved to the right by the whole pixels of `distance`.
pub(crate) fn translate_x(picture: &mut Picture, distance: f64) {
    let c = -distance.trunc();
    warp(picture, &Matrix { c, ..Matrix::NONE });
}

/// Moved down by the whole pixels of `distance`.
pub(crate) fn translate_y(picture: &mut Picture, distance: f64) {
    let f = -distance.trunc();
    warp(picture, &Matrix { f, ..Matrix::NONE });
}

/// Turned around its middle, anticlockwise, by `degrees`.
pub(crate) fn rotate(picture: &mut Picture, degrees: f64) {
    let angle = -degrees.rem_euclid(360.0).to_radians();
    let (x, y) = (picture.width as f64 / 2.0, picture.height as f64 / 2.0);
    // To 15 digits, so that a right angle is one.
    let digits = |number: f64| (number * 1e15).round() / 1e15;
    let (a, b) = (digits(angle.cos()), digits(angle.sin()));
    let (d, e) = (digits(-angle.sin()), digits(angle.cos()));
    let matrix = Matrix {
        a,
        b,
        c: -x * a - y * b + x,
        d,
        e,
        f: -x * d - y * e + y,
    };
    warp(picture, &matrix);
}

fn warp(picture: &mut Picture, matrix: &Matrix) {
    let fixed = |number: f64| (number * 65536.0 + 0.5).floor() as i64;
    let Matrix { a, b, c, d, e, f } = *matrix;
    // From the middle of the first pixel.
    let (mut left, mut top) = (fixed(c + (a + b) * 0.5), fixed(f + (d + e) * 0.5));
    let [a, b, d, e] = [a, b, d, e].map(fixed);
    let (height, width, channels) = (picture.height, picture.width, picture.channels);
    let source = std::mem::take(&mut picture.bytes);
    picture.bytes = vec![0; source.len()];
    for row in picture.bytes.chunks_exact_mut(width * channels) {
        let (mut x, mut y) = (left, top);
        for pixel in row.chunks_exact_mut(channels) {
            let inside =
                |at: i64, end: usize| usize::try_from(at >> 16).ok().filter(|&at| at < end);
            if let (Some(y), Some(x)) = (inside(y, height), inside(x, width)) {
                pixel.copy_from_slice(&source[(y * width + x) * channels..][..channels]);
            }
            (x, y) = (x + a, y + d);
        }
        (left, top) = (left + b, top + e);
    }
}

//! The hue of an image turned, byte for byte as Pillow does it: by way of hue, saturation and value in bytes.

use crate::pictures::Picture;

/// Turns the hue of every pixel by `turn`, from -0.5 to 0.5 of the circle; an image in grey has none.
pub(crate) fn turn_hue(picture: &mut Picture, turn: f64) {
    if picture.channels == 1 {
        return;
    }
    // Through i32: what is negative wraps around, as the circle does.
    let turn = (turn * 255.0) as i32 as u8;
    for pixel in picture.bytes.chunks_exact_mut(3) {
        let [hue, saturation, value] = to_hsv([pixel[0], pixel[1], pixel[2]]);
        pixel.copy_from_slice(&to_rgb([hue.wrapping_add(turn), saturation, value]));
    }
}

fn to_hsv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let saturation = range / f32::from(most);
    let far = |channel: u8| f32::from(most - channel) / range;
    let hue = if red == most {
        f64::from(far(blue) - far(green))
    } else if green == most {
        2.0 + f64::from(far(red)) - f64::from(far(blue))
    } else {
        4.0 + f64::from(far(green)) - f64::from(far(red))
    };
    // Kept in f32 between the steps, where a fraction is cut.
    let hue = ((f64::from(hue as f32) / 6.0 + 1.0) % 1.0) as f32;
    let byte = |share: f32| (f64::from(share) * 255.0) as u8;
    [byte(hue), byte(saturation), most]
}

fn to_rgb([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let share = (f64::from(saturation) / 255.0) as f32;
    let sixth = (f64::from(hue) * 6.0 / 255.0) as f32;
    let (whole, part) = (sixth.floor(), sixth - sixth.floor());
    let dark = |share: f64| (f64::from(value) * (1.0 - share)).round() as u8;
    let (share, part) = (f64::from(share), f64::from(part));
    let (low, falling, rising) = (
        dark(share),
        dark(f64::from((share * part) as f32)),
        dark(f64::from((share * (1.0 - part)) as f32)),
    );
    match whole as u32 {
        0 | 6 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    }
}

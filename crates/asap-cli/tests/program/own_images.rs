//! Folders of pictures that nobody has seen before.

use crate::place::Place;
use crate::program::asap;
use crate::small_run;
use image::{GrayImage, Luma};
use std::fs;

#[test]
fn grey_pictures_of_several_sizes_are_brought_to_the_size_asked_for() {
    let place = Place::new();
    place.write(
        "small.toml",
        small_run::CONFIG.replace("folder:pictures", "pictures"),
    );
    for (class, name) in ["dark", "light"].iter().enumerate() {
        for number in 0..30 {
            let (width, height) = (9 + number % 5, 14 - number % 3);
            let picture = GrayImage::from_fn(width, height, |x, y| {
                Luma([(class as u32 * 150 + (x * 7 + y * 3 + number) % 90) as u8])
            });
            let path = place.join(&format!("pictures/{name}/{number}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            picture.save(path).unwrap();
        }
    }
    let said = small_run::search(&place, "run", &["--size", "12"]);
    said.succeeded();
    let shown = asap(place.path(), &["show", "run"]).succeeded();
    assert!(shown.contains("images of 12x12x1, 2 classes"), "{shown}");
}

#[test]
fn pictures_in_colour_keep_it() {
    let place = small_run::place();
    let text = asap(place.path(), &["data", "info", "pictures"]).succeeded();
    assert!(text.contains("RGB") && text.contains("stripes"), "{text}");
}

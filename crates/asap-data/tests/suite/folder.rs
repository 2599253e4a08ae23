//! Folders of classes: which images are taken, and what is refused.

use std::fs;
use std::path::Path;

use asap_data::{Dataset, LoadConfig, Part, folder};

use crate::files::{TemporaryFolder, grey, rgb};

fn read(path: &Path, part: Part) -> Dataset {
    folder(path, part, LoadConfig::default()).unwrap()
}

fn message(path: &Path) -> String {
    folder(path, Part::Train, LoadConfig::default())
        .unwrap_err()
        .to_string()
}

/// The shade of every image.
fn shades(dataset: &Dataset) -> Vec<u8> {
    (0..dataset.len())
        .map(|index| dataset.image(index).unwrap()[0])
        .collect()
}

/// Ten images of `cat` (shades 0 to 9) and twenty of `dog` (100 to 119).
fn pets() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    folder.class("dog", 100..120);
    folder.class("cat", 0..10);
    folder
}

#[test]
fn classes_sizes_and_channels_are_inferred() {
    let pets = pets();
    let train = read(pets.path(), Part::Train);
    assert_eq!(train.classes(), ["cat", "dog"]);
    assert_eq!((train.height(), train.width(), train.channels()), (3, 4, 1));
    assert_eq!(train.len(), 24);
    assert!(pets.path().ends_with(train.name()));
}

#[test]
fn a_fifth_of_every_class_is_held_out_and_always_the_same() {
    let pets = pets();
    let (train, test) = (
        read(pets.path(), Part::Train),
        read(pets.path(), Part::Test),
    );
    let count = |data: &Dataset, label| data.labels().iter().filter(|&&l| l == label).count();
    assert_eq!((count(&train, 0), count(&train, 1)), (8, 16));
    assert_eq!((count(&test, 0), count(&test, 1)), (2, 4));
    let mut all = [shades(&train), shades(&test)].concat();
    all.sort_unstable();
    assert!(
        all.into_iter().eq((0..10).chain(100..120)),
        "each image is in one part"
    );
    for (index, shade) in shades(&test).into_iter().enumerate() {
        assert_eq!(test.labels()[index], u32::from(shade >= 100));
    }
    assert_eq!(shades(&test), shades(&read(pets.path(), Part::Test)));
}

#[test]
fn folders_train_and_test_say_which_part_is_which() {
    let folder = TemporaryFolder::new();
    folder.class("train/a", [1, 2, 3]);
    folder.class("train/b", [11, 12]);
    folder.class("test/a", [4]);
    folder.class("test/b", [13]);
    folder.class("unused/a", [99]);
    let (train, test) = (
        read(folder.path(), Part::Train),
        read(folder.path(), Part::Test),
    );
    assert_eq!(
        (shades(&train), train.labels()),
        (vec![1, 2, 3, 11, 12], &[0, 0, 0, 1, 1][..])
    );
    assert_eq!((shades(&test), test.labels()), (vec![4, 13], &[0, 1][..]));
}

#[test]
fn both_parts_come_out_alike() {
    let folder = TemporaryFolder::new();
    folder.class("train/a", [1, 2]);
    folder.class("train/b", [11, 12]);
    folder.class("test/a", [4]);
    folder.draw("test/b/colour.png", rgb(4, 3, [1, 2, 3]));
    let (train, test) = (
        read(folder.path(), Part::Train),
        read(folder.path(), Part::Test),
    );
    assert_eq!((train.channels(), test.channels()), (3, 3));
    assert_eq!(train.image(0).unwrap()[..3], [1, 1, 1]);
}

#[test]
fn a_class_may_be_called_train() {
    let folder = TemporaryFolder::new();
    folder.class("train", [1, 2, 3]);
    folder.class("plane", [4, 5, 6]);
    assert_eq!(
        read(folder.path(), Part::Train).classes(),
        ["plane", "train"]
    );
}

#[test]
fn a_test_part_with_other_classes_is_refused() {
    let folder = TemporaryFolder::new();
    for class in ["train/a", "train/b", "test/a", "test/c"] {
        folder.class(class, [1, 2]);
    }
    let text = message(folder.path());
    assert!(
        text.contains("test: expected the classes of ")
            && text.ends_with(", with `b`, found none of that name"),
        "{text}"
    );
    fs::remove_dir_all(folder.path().join("test")).unwrap();
    assert!(message(folder.path()).contains("a folder `test` beside the folder `train`"));
}

#[test]
fn hidden_files_and_other_files_are_passed_over() {
    let pets = pets();
    let before = shades(&read(pets.path(), Part::Train));
    pets.write("cat/.hidden.png", b"no picture");
    pets.write("cat/notes.txt", b"no picture");
    pets.write("labels.csv", b"no picture");
    pets.write(".cache/x.png", b"no picture");
    pets.write("__MACOSX/cat/x.png", b"no picture");
    assert_eq!(shades(&read(pets.path(), Part::Train)), before);
}

#[test]
fn an_empty_class_is_named() {
    let pets = pets();
    fs::create_dir(pets.path().join("fox")).unwrap();
    let text = message(pets.path());
    assert!(
        text.ends_with("fox: expected PNG or JPEG images of one class, found none"),
        "{text}"
    );
}

#[test]
fn a_class_too_small_to_divide_is_named_with_its_count() {
    let pets = pets();
    pets.class("fox", [200]);
    let text = message(pets.path());
    assert!(
        text.starts_with("class `fox` of ") && text.ends_with("found 1"),
        "{text}"
    );
    pets.class("fox", [200, 201, 202]);
    assert_eq!(read(pets.path(), Part::Train).classes().len(), 3);
    assert_eq!(read(pets.path(), Part::Test).len(), 2 + 4 + 1);
}

#[test]
fn one_class_or_none_is_refused() {
    let folder = TemporaryFolder::new();
    assert!(message(folder.path()).ends_with("the folders of at least two classes, found none"));
    folder.class("only", [1, 2, 3]);
    assert!(
        message(folder.path()).ends_with("the folders of at least two classes, found only only")
    );
}

#[test]
fn mixed_content_is_refused_with_the_name_of_what_is_too_much() {
    let pets = pets();
    let stray = pets.draw("stray.png", grey(4, 3, |_, _| 0));
    let text = message(pets.path());
    assert!(
        text.ends_with("no image beside them, found the image stray.png"),
        "{text}"
    );
    fs::remove_file(stray).unwrap();
    pets.class("cat/kittens", [1]);
    let text = message(pets.path());
    assert!(
        text.contains("cat: ") && text.ends_with("found the folder kittens in it"),
        "{text}"
    );
}

#[test]
fn an_image_of_a_format_that_is_not_read_is_named() {
    let pets = pets();
    pets.write("cat/photo.WEBP", b"RIFF");
    let text = message(pets.path());
    assert!(
        text.ends_with("photo.WEBP: expected a PNG or JPEG image, found .webp"),
        "{text}"
    );
}

#[test]
fn a_picture_that_cannot_be_read_is_named_in_whichever_part_it_is() {
    let folder = TemporaryFolder::new();
    for class in ["train/a", "train/b", "test/a", "test/b"] {
        folder.class(class, [1, 2, 3]);
    }
    let whole = fs::read(folder.path().join("test/a/01.png")).unwrap();
    for bytes in [
        &whole[..whole.len() / 2],
        &whole[..20],
        b"",
        b"no picture at all",
    ] {
        let path = folder.write("test/a/01.png", bytes);
        let start = format!("{}: expected a whole PNG or JPEG image", path.display());
        let text = message(folder.path());
        assert!(text.starts_with(&start), "{} bytes: {text}", bytes.len());
    }
}

#[test]
fn pictures_that_cannot_be_read_are_left_out_if_asked() {
    let pets = pets();
    let (header, pixels) = ("dog/03.png", "dog/04.png");
    let whole = fs::read(pets.path().join(pixels)).unwrap();
    pets.write(header, b"no picture");
    pets.write(pixels, &whole[..whole.len() - 20]);
    let config = LoadConfig {
        size: None,
        skip_bad: true,
        ..LoadConfig::default()
    };
    let train = folder(pets.path(), Part::Train, config).unwrap();
    let test = folder(pets.path(), Part::Test, config).unwrap();
    assert_eq!(
        train.skipped(),
        [pets.path().join(header), pets.path().join(pixels)]
    );
    assert_eq!(train.describe().unwrap().skipped, 2);
    let mut all = [shades(&train), shades(&test)].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq((0..10).chain(100..103).chain(105..120)));
}

#[test]
fn a_class_that_has_too_few_readable_pictures_left_is_named() {
    let pets = pets();
    for index in 0..9 {
        pets.write(&format!("cat/{index:02}.png"), b"no picture");
    }
    let config = LoadConfig {
        size: None,
        skip_bad: true,
        ..LoadConfig::default()
    };
    let text = folder(pets.path(), Part::Train, config)
        .unwrap_err()
        .to_string();
    assert!(text.starts_with("class `cat` of "), "{text}");
}

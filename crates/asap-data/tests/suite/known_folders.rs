//! Known data sets of pictures in their published layouts.

use std::fs;

use asap_data::{
    Dataset, LoadConfig, Part, Result, cinic10, freiburg_groceries, imagenet, tiny_imagenet,
};

use crate::files::{TemporaryFolder, rgb};

const CIFAR10: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

fn draw(folder: &TemporaryFolder, name: &str, side: u32, shade: u8) {
    folder.draw(name, rgb(side, side, [shade, 0, 0]));
}

fn shades(dataset: &Dataset) -> Vec<u8> {
    (0..dataset.len())
        .map(|index| dataset.image(index).unwrap()[0])
        .collect()
}

fn failed(result: Result<Dataset>) -> String {
    result.unwrap_err().to_string()
}

fn of_cinic10() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    for (label, class) in (0..).zip(CIFAR10) {
        for (part, first) in [("train", 0), ("valid", 100), ("test", 200)] {
            for number in 0..2 {
                let name = format!("{part}/{class}/cifar10-{part}-{number}.png");
                draw(&folder, &name, 32, first + label * 2 + number);
            }
        }
    }
    folder
}

#[test]
fn cinic10_trains_with_its_valid_images_too() {
    let folder = of_cinic10();
    let train = cinic10(folder.path(), Part::Train, LoadConfig::default()).unwrap();
    let test = cinic10(folder.path(), Part::Test, LoadConfig::default()).unwrap();
    assert_eq!((train.len(), test.len(), train.height()), (40, 20, 32));
    assert_eq!(train.classes(), CIFAR10);
    assert_eq!(shades(&train)[20..24], [100, 101, 102, 103]);
    assert_eq!(shades(&test)[18..], [218, 219]);
    assert_eq!(test.labels()[18..], [9, 9]);
}

#[test]
fn cinic10_without_a_part_or_with_another_class_is_refused() {
    let folder = of_cinic10();
    let read = || failed(cinic10(folder.path(), Part::Train, LoadConfig::default()));
    draw(&folder, "valid/zebra/1.png", 32, 1);
    let text = read();
    assert!(
        text.contains("valid: expected the classes of ") && text.contains("without `zebra`"),
        "{text}"
    );
    for part in ["train", "test"] {
        draw(&folder, &format!("{part}/zebra/1.png"), 32, 1);
        draw(&folder, &format!("{part}/zebra/2.png"), 32, 1);
    }
    let text = read();
    assert!(
        text.contains("train: expected airplane, automobile") && text.ends_with("zebra"),
        "{text}"
    );
    fs::remove_dir_all(folder.path().join("valid")).unwrap();
    assert!(read().starts_with("cannot read "));
}

fn of_imagenet() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    for (shade, class) in [(10, "n01440764"), (20, "n01443537")] {
        for number in 0..2 {
            draw(
                &folder,
                &format!("train/{class}/{class}_{number}.JPEG"),
                40,
                shade,
            );
        }
        draw(
            &folder,
            &format!("val/{class}/ILSVRC2012_val_{shade}.JPEG"),
            40,
            shade,
        );
    }
    folder
}

#[test]
fn imagenet_is_tested_on_its_validation_images() {
    let folder = of_imagenet();
    let train = imagenet(folder.path(), Part::Train, LoadConfig::default()).unwrap();
    assert_eq!((train.len(), train.height(), train.channels()), (4, 224, 3));
    assert_eq!(train.labels(), [0, 0, 1, 1]);
    let config = LoadConfig {
        size: Some(32),
        resize_to: Some(36),
        ..LoadConfig::default()
    };
    let test = imagenet(folder.path(), Part::Test, config).unwrap();
    assert_eq!(
        (test.len(), test.height(), test.classes()[1].as_str()),
        (2, 32, "n01443537")
    );
    assert_eq!(test.labels(), [0, 1]);
    let config = LoadConfig {
        resize_to: Some(100),
        ..LoadConfig::default()
    };
    let text = failed(imagenet(folder.path(), Part::Test, config));
    assert!(text.contains("at least the 224x224 pixels"), "{text}");
}

#[test]
fn imagenet_with_unsorted_validation_images_says_what_to_do() {
    let folder = of_imagenet();
    fs::remove_dir_all(folder.path().join("val")).unwrap();
    draw(&folder, "val/ILSVRC2012_val_00000001.JPEG", 40, 1);
    let text = failed(imagenet(folder.path(), Part::Train, LoadConfig::default()));
    assert!(
        text.contains("val: expected a folder for each class"),
        "{text}"
    );
}

fn of_tiny_imagenet() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    for (shade, class) in [(10, "n02124075"), (20, "n04067472")] {
        for number in 0..2 {
            draw(
                &folder,
                &format!("train/{class}/images/{class}_{number}.JPEG"),
                64,
                shade,
            );
        }
        folder.write(
            &format!("train/{class}/{class}_boxes.txt"),
            b"n02124075_0.JPEG\t0\t0\t9\t9\n",
        );
    }
    for number in 0..3 {
        draw(
            &folder,
            &format!("val/images/val_{number}.JPEG"),
            64,
            100 + number * 10,
        );
    }
    let lines = "val_0.JPEG\tn04067472\t0\t0\t62\t62\nval_1.JPEG\tn02124075\t1\t2\t3\t4\n\
                 val_2.JPEG\tn04067472\t0\t0\t62\t62\n";
    folder.write("val/val_annotations.txt", lines.as_bytes());
    folder
}

#[test]
fn tiny_imagenet_has_its_validation_labels_from_their_file() {
    let folder = of_tiny_imagenet();
    let read = |part| tiny_imagenet(folder.path(), part, LoadConfig::default()).unwrap();
    let (train, test) = (read(Part::Train), read(Part::Test));
    assert_eq!((train.len(), train.height()), (4, 64));
    assert_eq!(test.labels(), [0, 1, 1]);
    // Of a JPEG: about the shade that was drawn.
    let near = [110_u8, 100, 120];
    assert!(
        shades(&test)
            .iter()
            .zip(near)
            .all(|(shade, near)| shade.abs_diff(near) < 6)
    );
    let above = TemporaryFolder::new();
    fs::rename(folder.path(), above.path().join("tiny-imagenet-200")).unwrap();
    assert_eq!(
        tiny_imagenet(above.path(), Part::Test, LoadConfig::default())
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn tiny_imagenet_with_a_wrong_validation_file_gives_one_error() {
    let folder = of_tiny_imagenet();
    let whole = fs::read_to_string(folder.path().join("val/val_annotations.txt")).unwrap();
    for (text, expected) in [
        (
            whole.replace("n04067472", "n99999999"),
            "a class that `train` has, found `val_0.JPEG",
        ),
        (
            whole.replace("val_1", "val_7"),
            "an image that `images` has, found `val_7.JPEG",
        ),
        (whole.replace('\t', " "), "its class, between tabs"),
        (
            whole.replace("val_1", "val_0"),
            "a line for each of 3 files in ",
        ),
        (
            whole.lines().take(2).collect::<Vec<_>>().join("\n"),
            "found 2 lines, of 2 images",
        ),
    ] {
        folder.write("val/val_annotations.txt", text.as_bytes());
        let found = failed(tiny_imagenet(
            folder.path(),
            Part::Train,
            LoadConfig::default(),
        ));
        assert!(
            found.contains("val_annotations.txt: expected") && found.contains(expected),
            "{found}"
        );
    }
    fs::remove_file(folder.path().join("val/val_annotations.txt")).unwrap();
    let found = failed(tiny_imagenet(
        folder.path(),
        Part::Test,
        LoadConfig::default(),
    ));
    assert!(
        found.starts_with("cannot read ") && found.contains("val_annotations.txt"),
        "{found}"
    );
}

/// Beans are 1, tea is 0; the training file repeats one of the beans, as the published ones do.
fn of_groceries() -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    for number in 0..4_u8 {
        draw(
            &folder,
            &format!("images/BEANS/BEANS000{number}.png"),
            256,
            number,
        );
        draw(
            &folder,
            &format!("images/TEA/TEA000{number}.png"),
            256,
            100 + number,
        );
    }
    let bean = "BEANS/BEANS0002.png 1\n";
    let train =
        format!("TEA/TEA0001.png 0\n{bean}BEANS/BEANS0001.png 1\n{bean}TEA/TEA0000.png 0\n");
    folder.write("splits/train0.txt", train.as_bytes());
    folder.write(
        "splits/test0.txt",
        b"TEA/TEA0003.png 0\nBEANS/BEANS0003.png 1\n",
    );
    folder.write(
        "splits/train1.txt",
        b"TEA/TEA0002.png 0\nBEANS/BEANS0002.png 1\nTEA/TEA0003.png 0\nBEANS/BEANS0003.png 1\n",
    );
    folder.write(
        "splits/test1.txt",
        b"TEA/TEA0001.png 0\nBEANS/BEANS0001.png 1\n",
    );
    folder
}

fn groceries(folder: &TemporaryFolder, path: &str, part: Part) -> Result<Dataset> {
    let config = LoadConfig {
        size: Some(8),
        ..LoadConfig::default()
    };
    freiburg_groceries(&folder.path().join(path), part, config)
}

#[test]
fn groceries_are_divided_by_the_split_asked_for() {
    let folder = of_groceries();
    let train = groceries(&folder, "", Part::Train).unwrap();
    assert_eq!(train.classes(), ["TEA", "BEANS"]);
    assert_eq!(shades(&train), [1, 2, 100, 101], "each image once");
    assert_eq!(train.labels(), [1, 1, 0, 0]);
    assert_eq!(
        shades(&groceries(&folder, "", Part::Test).unwrap()),
        [3, 103]
    );
    let other = groceries(&folder, "splits/train1.txt", Part::Test).unwrap();
    assert_eq!(shades(&other), [1, 101]);
    let path = folder.path().to_owned();
    let as_it_is = freiburg_groceries(&path, Part::Test, LoadConfig::default()).unwrap();
    assert_eq!((as_it_is.height(), as_it_is.channels()), (256, 3));
}

#[test]
fn groceries_with_a_wrong_split_give_one_error() {
    let folder = of_groceries();
    for (text, expected) in [
        (
            "TEA/TEA0003.png\n",
            "a line such as `BEANS/BEANS0000.png 15`, found `TEA/TEA0003.png` in line 1",
        ),
        ("TEA/TEA0003.png 1\n", "one label for each class"),
        ("SODA/SODA0003.png 1\n", "one class for each label"),
        ("../TEA0003.png 0\n", "a line such as"),
        ("SODA/SODA0003.png 7\n", "labels from 0 on, with 2"),
        (
            "TEA/TEA0001.png 0\nBEANS/BEANS0003.png 1\n",
            "expected no image that ",
        ),
    ] {
        folder.write("splits/test0.txt", text.as_bytes());
        let found = failed(groceries(&folder, "", Part::Train));
        assert!(found.contains(expected), "{text}: {found}");
    }
    let found = failed(groceries(&folder, "splits/test1.txt", Part::Train));
    assert!(
        found.contains("a file such as `splits/train0.txt`"),
        "{found}"
    );
    fs::remove_file(folder.path().join("splits/test0.txt")).unwrap();
    assert!(failed(groceries(&folder, "", Part::Train)).contains("test0.txt"));
}

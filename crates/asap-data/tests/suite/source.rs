//! Data by its name on a command line.

use asap_data::{LoadConfig, Manifest, Part, Source, open};

use crate::files::{TemporaryFolder, cifar_file, gzip, idx_file};

#[test]
fn a_kind_with_a_path_is_read_and_written_the_same() {
    for spec in [
        "fashion-mnist",
        "cifar10:/a/b",
        "cifar100:c",
        "svhn:s",
        "svhn-extra:s",
        "cinic10:/c",
        "freiburg-groceries:g/splits/train2.txt",
        "imagenet:/i",
        "tiny-imagenet:t",
        "csv:a/table.csv",
        "idx:d/e",
        "folder:f:g",
    ] {
        assert_eq!(spec.parse::<Source>().unwrap().to_string(), spec);
    }
}

#[test]
fn a_plain_path_is_known_by_what_is_in_it() {
    let folder = TemporaryFolder::new();
    let spec = folder.path().to_str().unwrap();
    let kind = || spec.parse::<Source>().unwrap();
    let path = || folder.path().to_owned();
    assert_eq!(kind(), Source::Folder(path()));
    folder.write(
        "train-images-idx3-ubyte.gz",
        &gzip(&idx_file(&[1, 1, 1], &[7])),
    );
    assert_eq!(kind(), Source::Idx(path()));
    folder.write("train.bin", &[]);
    assert_eq!(kind(), Source::Cifar100(path()));
    folder.write("cifar-10-batches-bin/data_batch_1.bin", &[]);
    assert_eq!(kind(), Source::Cifar10(path()));
    let table = folder.write("some.csv", b"path,label\n");
    assert_eq!(
        table.to_str().unwrap().parse::<Source>().unwrap(),
        Source::Csv(table)
    );
    folder.write("train.csv", &[]);
    folder.write("test.csv", &[]);
    assert_eq!(kind(), Source::Csv(path()));
    let others = TemporaryFolder::new();
    let spec = |name: &str| others.path().join(name).to_str().unwrap().to_owned();
    let kind = |name: &str| spec(name).parse::<Source>().unwrap();
    others.write("svhn/train_32x32.mat", &[]);
    assert_eq!(kind("svhn"), Source::Svhn(spec("svhn").into()));
    others.write("tiny/val/val_annotations.txt", &[]);
    assert_eq!(kind("tiny"), Source::TinyImageNet(spec("tiny").into()));
    others.write("food/splits/train0.txt", &[]);
    others.write("food/images/a", &[]);
    assert_eq!(kind("food"), Source::FreiburgGroceries(spec("food").into()));
}

#[test]
fn what_names_nothing_is_told_what_could_be_named() {
    for spec in ["fashion", "cifar10:", "kmnist:/a", "/nowhere/at/all"] {
        let message = spec.parse::<Source>().unwrap_err().to_string();
        assert!(
            message.contains("cifar100:DIR") && message.contains(spec),
            "{message}"
        );
    }
    let missing = open("folder:/nowhere/at/all", Part::Train, LoadConfig::default()).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("cannot read /nowhere/at/all: "),
        "{missing}"
    );
}

#[cfg(not(feature = "hub"))]
#[test]
fn downloads_need_the_feature() {
    let message = "hub:mnist".parse::<Source>().unwrap_err().to_string();
    assert!(message.contains("--features hub"), "{message}");
}

#[test]
fn known_sets_are_resized_to_the_pixels_asked_for() {
    let folder = TemporaryFolder::new();
    folder.write("train-labels-idx1-ubyte", &idx_file(&[2], &[1, 0]));
    let mut pixels = vec![200; 4 * 6];
    pixels.extend((0..24).map(|index| index % 6 * 40));
    folder.write("train-images-idx3-ubyte", &idx_file(&[2, 4, 6], &pixels));
    let source = Source::Idx(folder.path().to_owned());
    let untested = source.open(Part::Train, LoadConfig::default()).unwrap_err();
    assert!(
        untested.to_string().contains("t10k-labels-idx1-ubyte"),
        "missing test files are found before a training: {untested}"
    );
    folder.write("t10k-labels-idx1-ubyte", &idx_file(&[1], &[1]));
    folder.write(
        "t10k-images-idx3-ubyte",
        &idx_file(&[1, 4, 6], &pixels[..24]),
    );
    let as_it_is = source.open(Part::Train, LoadConfig::default()).unwrap();
    assert_eq!((as_it_is.height(), as_it_is.width()), (4, 6));
    let config = LoadConfig {
        size: Some(2),
        skip_bad: false,
        ..LoadConfig::default()
    };
    let small = source.open(Part::Train, config).unwrap();
    assert_eq!(
        (small.height(), small.width(), small.labels()),
        (2, 2, &[1, 0][..])
    );
    assert_eq!(*small.image(0).unwrap(), [200; 4]);
    // Columns 1 to 4 are the square in the middle: 40, 80, 120, 160; rows are alike.
    let image = small.image(1).unwrap();
    let row = &image[..2];
    assert_eq!(row, &image[2..]);
    assert!(
        (55..=70).contains(&row[0]) && (130..=145).contains(&row[1]),
        "{row:?}"
    );
    let nothing = source.open(
        Part::Train,
        LoadConfig {
            size: Some(0),
            skip_bad: false,
            ..LoadConfig::default()
        },
    );
    assert!(
        nothing
            .unwrap_err()
            .to_string()
            .contains("from 1 to 4096 pixels")
    );
}

#[test]
fn cifar_is_resized_in_colour() {
    let folder = TemporaryFolder::new();
    let mut record = vec![3];
    record.extend([[10; 1024], [20; 1024], [30; 1024]].concat());
    folder.write("test_batch.bin", &record);
    let config = LoadConfig {
        size: Some(8),
        skip_bad: false,
        ..LoadConfig::default()
    };
    let spec = format!("cifar10:{}", folder.path().display());
    let test = open(&spec, Part::Test, config).unwrap();
    assert_eq!((test.height(), test.channels()), (8, 3));
    assert!(
        test.images()
            .unwrap()
            .chunks_exact(3)
            .all(|pixel| pixel == [10, 20, 30])
    );
}

#[test]
fn a_description_counts_every_class() {
    let folder = TemporaryFolder::new();
    folder.write(
        "test.bin",
        &cifar_file(&[(&[0, 1], 0), (&[0, 1], 9), (&[0, 2], 50)]),
    );
    let spec = format!("cifar100:{}", folder.path().display());
    let description = open(&spec, Part::Test, LoadConfig::default())
        .unwrap()
        .describe()
        .unwrap();
    assert_eq!(description.images, 3);
    assert_eq!(description.classes[1], ("aquarium_fish".to_owned(), 2));
    assert_eq!(description.classes[2], ("baby".to_owned(), 1));
    let text = description.to_string();
    assert!(
        text.starts_with("cifar100: 3 images, 32x32 pixels, RGB\nmean "),
        "{text}"
    );
    assert!(
        text.contains("100 classes\n  apple          0\n  aquarium_fish  2\n"),
        "{text}"
    );
}

#[test]
fn verifying_finds_a_changed_byte_a_wrong_length_and_a_missing_file() {
    let folder = TemporaryFolder::new();
    // SHA-256 of "abc" from FIPS 180-2.
    let text = r#"
        name = "three"
        source = "here"
        licence = "any"
        citation = "nobody"
        read = "idx"
        class_count = 1
        train = 1
        test = 1
        classes = ["a"]
        files = [{ name = "abc.bin", bytes = 3, sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }]
    "#;
    let manifest = Manifest::read(&folder.write("three.toml", text.as_bytes())).unwrap();
    let message = || manifest.verify(folder.path()).unwrap_err().to_string();
    assert!(message().starts_with("cannot read "));
    let path = folder.write("abc.bin", b"abc");
    assert_eq!(manifest.verify(folder.path()).unwrap(), 1);
    folder.write("abc.bin", b"abd");
    let start = format!("{}: expected sha256 ba7816bf", path.display());
    assert!(message().starts_with(&start), "{}", message());
    folder.write("abc.bin", b"ab");
    assert!(message().ends_with("expected 3 bytes, found 2 bytes"));
}

#[test]
fn a_manifest_with_an_unknown_key_is_none() {
    let folder = TemporaryFolder::new();
    let path = folder.write("odd.toml", b"name = \"odd\"\ncolour = \"red\"\n");
    let message = Manifest::read(&path).unwrap_err().to_string();
    assert!(
        message.contains("odd.toml") && message.contains("colour"),
        "{message}"
    );
}

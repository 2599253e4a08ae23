//! The data set that comes with the project, all of it.

use asap_data::{LoadConfig, Manifest, Normalisation, Part, Source, datasets_folder, open};

#[test]
fn fashion_mnist_is_whole() {
    let manifest = Source::FashionMnist.verify().unwrap().unwrap();
    for (part, images) in [(Part::Train, manifest.train), (Part::Test, manifest.test)] {
        let description = open("fashion-mnist", part, LoadConfig::default())
            .unwrap()
            .describe();
        assert_eq!(description.images, images);
        assert_eq!(
            (description.height, description.width, description.channels),
            (28, 28, 1)
        );
        let names: Vec<&String> = description.classes.iter().map(|(name, _)| name).collect();
        assert!(names.into_iter().eq(&manifest.classes));
        assert!(
            description
                .classes
                .iter()
                .all(|&(_, count)| count == images / 10)
        );
    }
}

/// The figures that everyone uses for Fashion-MNIST: 0.2860 and 0.3530, of the training images.
#[test]
fn its_mean_and_deviation_are_the_known_ones() {
    let train = open("fashion-mnist", Part::Train, LoadConfig::default()).unwrap();
    let Normalisation { mean, std } = Normalisation::of(&train, &train.indices()).unwrap();
    assert!(
        (mean[0] - 0.2860).abs() < 5e-5 && (std[0] - 0.3530).abs() < 5e-5,
        "{mean:?} {std:?}"
    );
    assert_eq!(train.describe().normalisation, Normalisation { mean, std });
}

#[test]
fn every_manifest_can_be_read_and_names_its_classes() {
    let folder = datasets_folder().unwrap();
    for (file, images) in [("fashion-mnist.toml", 70_000), ("cifar-10.toml", 60_000)] {
        let manifest = Manifest::read(&folder.join(file)).unwrap();
        assert_eq!(manifest.train + manifest.test, images);
        assert_eq!(manifest.classes.len(), 10);
        assert!(
            manifest
                .files
                .iter()
                .all(|file| file.sha256.len() == 64 && file.bytes > 0)
        );
    }
}

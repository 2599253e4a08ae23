//! The data set that comes with the project, all of it.

use std::path::Path;

use asap_data::{Checksum, LoadConfig, Manifest, Normalisation, Part, Source, open};

#[test]
fn fashion_mnist_is_whole() {
    let (manifest, folder) = Source::FashionMnist.manifest().unwrap().unwrap();
    assert_eq!(manifest.verify(&folder).unwrap(), 4);
    for (part, images) in [(Part::Train, manifest.train), (Part::Test, manifest.test)] {
        let description = open("fashion-mnist", part, LoadConfig::default())
            .unwrap()
            .describe()
            .unwrap();
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
    assert_eq!(
        train.describe().unwrap().normalisation,
        Normalisation { mean, std }
    );
}

#[test]
fn every_manifest_is_called_as_its_data_and_says_how_it_is_read() {
    let names = Manifest::names().unwrap();
    assert_eq!(names.len(), 10, "{names:?}");
    for name in names {
        let manifest = Manifest::named(&name).unwrap();
        assert_eq!(manifest.name, name);
        assert!(manifest.train > 0 && manifest.test > 0 && manifest.class_count > 1);
        assert!(
            matches!(manifest.classes.len(), 0) || manifest.classes.len() == manifest.class_count
        );
        Source::of_manifest(&manifest, Path::new("here")).unwrap();
        for file in &manifest.files {
            assert!(file.sha256.len() == 64 && file.bytes > 0, "{}", file.name);
        }
        for download in &manifest.downloads {
            let stated = download.checksum != Checksum::Unknown;
            assert_eq!(
                stated,
                !download.checksum_from.is_empty(),
                "{}",
                download.file
            );
            assert!(!download.urls.is_empty(), "{}", download.file);
        }
        assert!(
            !manifest.downloads.is_empty() || !manifest.note.is_empty(),
            "{name}"
        );
    }
    let message = Manifest::named("cifar11").unwrap_err().to_string();
    assert!(message.contains("cifar10, cifar100, cinic10"), "{message}");
}

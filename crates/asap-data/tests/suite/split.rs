//! Splits and subsets.

use std::collections::BTreeSet;

use asap_data::{Dataset, DatasetParts, Split, SplitConfig, stratified_subset};

/// One pixel an image; image `i` has label `labels[i]`.
fn dataset(classes: usize, labels: Vec<u32>) -> Dataset {
    Dataset::new(DatasetParts {
        name: "points".into(),
        height: 1,
        width: 1,
        channels: 1,
        classes: (0..classes).map(|class| format!("class {class}")).collect(),
        images: vec![0; labels.len()],
        labels,
    })
    .unwrap()
}

/// Classes of 100, 40 and 10 images, mixed.
fn uneven() -> Dataset {
    let class = |index: u32| match index % 15 {
        0..10 => 0,
        10..14 => 1,
        _ => 2,
    };
    dataset(3, (0..150).map(class).collect())
}

fn counts(dataset: &Dataset, indices: &[u32]) -> Vec<usize> {
    let labels = indices
        .iter()
        .map(|&index| dataset.labels()[index as usize]);
    let labels: Vec<u32> = labels.collect();
    (0..dataset.classes().len() as u32)
        .map(|class| labels.iter().filter(|&&label| label == class).count())
        .collect()
}

const HALVES: SplitConfig = SplitConfig {
    first_share: 0.5,
    first_limit: None,
    second_limit: None,
    seed: 3,
};

#[test]
fn every_class_is_divided_by_the_share_and_nothing_is_lost() {
    let data = uneven();
    let config = SplitConfig {
        first_share: 0.8,
        ..HALVES
    };
    let split = Split::stratified(&data, &data.indices(), &config).unwrap();
    assert_eq!(counts(&data, &split.first), [80, 32, 8]);
    assert_eq!(counts(&data, &split.second), [20, 8, 2]);
    assert!(split.first.is_sorted() && split.second.is_sorted());
    let all: BTreeSet<u32> = split.first.iter().chain(&split.second).copied().collect();
    assert!(all.into_iter().eq(data.indices()));
}

#[test]
fn limits_keep_the_shares() {
    let data = uneven();
    let config = SplitConfig {
        first_limit: Some(30),
        second_limit: Some(15),
        ..HALVES
    };
    let split = Split::stratified(&data, &data.indices(), &config).unwrap();
    assert_eq!(counts(&data, &split.first), [20, 8, 2]);
    assert_eq!(counts(&data, &split.second), [10, 4, 1]);
    let whole = Split::stratified(&data, &data.indices(), &HALVES).unwrap();
    assert!(split.first.iter().all(|index| whole.first.contains(index)));
    let generous = SplitConfig {
        first_limit: Some(1000),
        ..HALVES
    };
    assert_eq!(
        Split::stratified(&data, &data.indices(), &generous).unwrap(),
        whole
    );
}

#[test]
fn the_seed_decides_alone() {
    let data = uneven();
    let split =
        |seed| Split::stratified(&data, &data.indices(), &SplitConfig { seed, ..HALVES }).unwrap();
    assert_eq!(split(3), split(3));
    assert_ne!(split(3), split(4));
}

#[test]
fn only_the_indices_given_are_divided() {
    let data = uneven();
    let some: Vec<u32> = (30..90).collect();
    let split = Split::stratified(&data, &some, &HALVES).unwrap();
    let mut both = [split.first, split.second].concat();
    both.sort_unstable();
    assert_eq!(both, some);
    assert!(Split::stratified(&data, &[150], &HALVES).is_err());
}

#[test]
fn a_rare_class_is_in_both_parts() {
    let mut labels = vec![0; 98];
    labels.extend([1, 1]);
    let data = dataset(2, labels);
    for first_share in [0.01, 0.5, 0.99] {
        let config = SplitConfig {
            first_share,
            ..HALVES
        };
        let split = Split::stratified(&data, &data.indices(), &config).unwrap();
        assert_eq!(counts(&data, &split.first)[1], 1, "{first_share}");
        assert_eq!(counts(&data, &split.second)[1], 1, "{first_share}");
        assert!(counts(&data, &split.second)[0] > 0, "{first_share}");
    }
}

#[test]
fn a_class_of_one_image_cannot_be_divided_and_is_named() {
    let data = dataset(2, vec![0, 0, 0, 1]);
    let message = Split::stratified(&data, &data.indices(), &HALVES)
        .unwrap_err()
        .to_string();
    let expected = "class `class 1` of points: expected at least 2 images to divide, found 1";
    assert_eq!(message, expected);
    let message = Split::stratified(&data, &[0, 1], &HALVES)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("class 1") && message.ends_with("found 0"),
        "{message}"
    );
}

#[test]
fn a_subset_has_the_shares_of_the_whole() {
    let data = uneven();
    let subset = stratified_subset(&data, &data.indices(), 15, 9).unwrap();
    assert_eq!(counts(&data, &subset), [10, 4, 1]);
    assert!(subset.is_sorted());
    assert_ne!(
        subset,
        stratified_subset(&data, &data.indices(), 15, 10).unwrap()
    );
    assert_eq!(
        stratified_subset(&data, &data.indices(), 500, 9).unwrap(),
        data.indices()
    );
}

#[test]
fn settings_that_leave_a_class_out_are_refused() {
    let data = uneven();
    let error = |config: SplitConfig| {
        Split::stratified(&data, &data.indices(), &config)
            .unwrap_err()
            .to_string()
    };
    for first_share in [0.0, 1.0, f64::NAN, -0.5] {
        assert!(
            error(SplitConfig {
                first_share,
                ..HALVES
            })
            .contains("a share between 0 and 1")
        );
    }
    let limited = error(SplitConfig {
        second_limit: Some(2),
        ..HALVES
    });
    assert!(
        limited.ends_with("at least one for each of 3 classes, found 2"),
        "{limited}"
    );
}

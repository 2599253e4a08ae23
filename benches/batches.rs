//! An epoch of batches, prepared ahead on their thread from images in memory: what a step waits for at worst.

use asap_benches::Numbers;
use asap_data::{Augmentation, BatchConfig, Batches, Normalisation, Pass};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::sync::Arc;

const IMAGES: usize = 2048;
const BATCH: usize = 64;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let cropped = Augmentation {
        crop_padding: 4,
        flip: true,
        ..Augmentation::NONE
    };
    let cut = Augmentation {
        cutout: Some(16),
        ..cropped
    };
    let auto = Augmentation {
        auto_augment: true,
        ..cut
    };
    for (size, channels) in [(28, 1), (32, 3)] {
        for (name, augmentation) in [
            ("plain", Augmentation::NONE),
            ("crop_flip", cropped),
            ("crop_flip_cutout", cut),
            ("crop_flip_cutout_auto", auto),
        ] {
            epoch(&mut criterion, name, augmentation, [size, channels]);
        }
    }
    criterion.final_summary();
}

fn epoch(
    criterion: &mut Criterion,
    name: &str,
    augmentation: Augmentation,
    [size, channels]: [usize; 2],
) {
    let dataset = Arc::new(Numbers::new(0).dataset(IMAGES, size, channels));
    let indices = dataset.indices();
    let config = BatchConfig {
        batch: BATCH,
        normalisation: Normalisation::of(&dataset, &indices).expect("indices of the data set"),
        pass: Pass::Training {
            seed: 0,
            augmentation,
        },
    };
    let batches = Batches::new(dataset, indices, &config).expect("settings that fit the images");
    let mut group = criterion.benchmark_group("batches");
    group.throughput(Throughput::Elements(IMAGES as u64));
    let shape = format!("{BATCH}x{size}x{size}x{channels}_f32");
    group.bench_function(BenchmarkId::new(name, shape), |bencher| {
        bencher.iter(|| {
            batches
                .epoch(0, 0)
                .map(|batch| batch.expect("images in memory").pixels[0])
                .sum::<f32>()
        });
    });
    group.finish();
}

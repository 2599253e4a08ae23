//! A run small enough for a test: made-up images of three classes, a narrow network, a few steps.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use asap_data::{Dataset, DatasetParts, Part};
use asap_space::Place;
use asap_train::{
    Event, ImageSource, Job, Outcome, Preset, Progress, RunConfig, RunFolder, Schedule, Summary,
};

const SIDE: usize = 8;
const CLASSES: usize = 3;

/// A folder of its own for a test, removed when the test ends.
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("asap-train-run-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn run(&self, name: &str) -> RunFolder {
        RunFolder::new(self.0.join(name))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Stripes that run across, down, or not at all, with some noise.
pub(crate) struct Stripes;

impl ImageSource for Stripes {
    fn load(&self, part: Part) -> asap_train::Result<Dataset> {
        let (count, salt) = match part {
            Part::Train => (120, 1),
            Part::Test => (45, 2),
        };
        let mut noise = 0x9E37_79B9_u32.wrapping_mul(salt);
        let mut images = Vec::new();
        let labels: Vec<u32> = (0..count).map(|index| index % CLASSES as u32).collect();
        for &label in &labels {
            for pixel in 0..SIDE * SIDE {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (row, column) = (pixel / SIDE, pixel % SIDE);
                let bright = match label {
                    0 => row % 2 == 0,
                    1 => column % 2 == 0,
                    _ => (row + column) % 2 == 0,
                };
                images.push(if bright { 150 } else { 50 } + (noise >> 26) as u8);
            }
        }
        let classes = ["across", "down", "both"].map(str::to_owned).to_vec();
        let (height, width) = (SIDE, SIDE);
        let name = "stripes".to_owned();
        let parts = DatasetParts {
            name,
            height,
            width,
            channels: 1,
            classes,
            images,
            labels,
        };
        Ok(Dataset::new(parts)?)
    }
}

/// Three epochs of search and two of training, with alphas fast enough that most is decided.
pub(crate) fn config() -> RunConfig {
    let mut config = Preset::Quick.config();
    config.threads = 1;
    config.data.validation_images = 18;
    config.checkpoint_seconds = 1e9;
    let search = &mut config.search;
    (search.channels, search.cells, search.batch) = (2, 3, 6);
    (search.epochs, search.steps_per_epoch) = (3, 14);
    search.adam.learning_rate = 0.1;
    search.augmentation.crop_padding = 1;
    let train = &mut config.train;
    (train.channels, train.cells, train.batch) = (2, 3, 8);
    (train.epochs, train.steps_per_epoch) = (2, 9);
    train.learning_rate = Schedule::cosine(0.1, 0.0);
    train.augmentation.crop_padding = 1;
    train.augmentation.cutout = 2;
    config
}

pub(crate) fn job(folder: RunFolder, config: RunConfig) -> Job<'static> {
    Job::search(
        folder,
        config,
        &Stripes,
        vec!["asap".into(), "search".into()],
        Place::Processor,
    )
    .unwrap()
}

/// The results of a job that nobody stops.
pub(crate) fn finished(job: Job<'_>) -> Summary {
    match job.run(&mut (), &AtomicBool::new(false)).unwrap() {
        Outcome::Finished(summary) => *summary,
        Outcome::Interrupted(checkpoint) => panic!("stopped at {}", checkpoint.display()),
    }
}

/// Runs `job` and asks it to stop after `steps` steps, counted over both phases from its start.
pub(crate) fn run_for(job: Job<'_>, steps: usize) -> asap_train::Result<Outcome> {
    let stop = AtomicBool::new(false);
    let mut done = 0;
    let mut progress = |event: &Event<'_>| {
        if let Event::Step(_) = event {
            done += 1;
            stop.store(done >= steps, Ordering::Relaxed);
        }
    };
    job.run(&mut progress as &mut dyn Progress, &stop)
}

/// The files that are the same, byte by byte, whenever the seed is the same.
pub(crate) fn results(folder: &RunFolder) -> [Vec<u8>; 3] {
    [folder.genotype(), folder.ledger(), folder.network()].map(|path| fs::read(path).unwrap())
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

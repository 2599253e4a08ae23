//! The end of a run: the test, and everything summed up.

use std::sync::Arc;
use std::time::Instant;

use crate::checkpoint::Records;
use crate::config::RunConfig;
use crate::costs::Costs;
use crate::error::Result;
use crate::evaluate::Views;
use crate::memory::{mib, peak_resident_bytes};
use crate::progress::{Event, Progress};
use crate::run_data::{ImageSource, RunData};
use crate::summary::Summary;
use crate::train::Trained;
use asap_data::Part;

/// What a run knows about itself when its network is trained.
pub(crate) struct Conclusion<'a> {
    pub(crate) config: &'a RunConfig,
    pub(crate) data: &'a RunData,
    pub(crate) records: Records,
}

impl Conclusion<'_> {
    /// Reads the test images, for the only time in a run, and sums everything up.
    pub(crate) fn of(
        self,
        mut trained: Trained,
        source: &dyn ImageSource,
        progress: &mut dyn Progress,
    ) -> Result<Summary> {
        let Self {
            config,
            data,
            records,
        } = self;
        let start = Instant::now();
        let images = Arc::new(source.load(Part::Test)?);
        progress.event(&Event::Testing {
            images: images.len(),
        });
        let test = trained
            .network
            .evaluate(Arc::clone(&images), Views::Plain)?;
        let test_ema = trained.with_averaged(|network| network.evaluate(images, Views::Plain))?;
        let (network, search) = (&trained.network.network, trained.search);
        Ok(Summary {
            task: config.task,
            seed: config.seed,
            preset: config.preset,
            recipe: config.train.recipe,
            data: data.dataset.name().to_owned(),
            train_images: data.training_images(),
            search_seconds: search.is_some().then_some(records.search_seconds),
            train_seconds: records.train_seconds,
            test_seconds: start.elapsed().as_secs_f64(),
            search,
            test_accuracy: test.accuracy,
            costs: Costs::of(network.config(), network.topology(), network.execution())?,
            peak_rss_mib: records
                .peak_resident_bytes
                .max(peak_resident_bytes())
                .map(mib),
            test,
            test_ema,
            computed_on: records.computed_on,
            threads: config.threads,
            simd: asap_space::simd().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: records.command,
        })
    }
}

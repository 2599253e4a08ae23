//! The images of a run, read once though both its plan and the run itself look at them.

use crate::output;
use asap_data::{Dataset, Part};
use asap_train::{DataConfig, ImageSource};
use std::cell::RefCell;

/// How many files that were left out are named.
const NAMED: usize = 10;

/// The images that a configuration names.
pub(crate) struct Images {
    config: DataConfig,
    /// Training images that were read for the plan and wait for the run.
    read: RefCell<Option<Dataset>>,
}

impl Images {
    pub(crate) fn new(config: DataConfig) -> Self {
        Self {
            config,
            read: RefCell::new(None),
        }
    }

    /// What `look` says about the training images; the run gets them without reading them again.
    ///
    /// # Errors
    /// If they cannot be read, or `look` fails.
    pub(crate) fn with_training<T, E: From<asap_train::Error>>(
        &self,
        look: impl FnOnce(&Dataset) -> Result<T, E>,
    ) -> Result<T, E> {
        let dataset = self.load(Part::Train)?;
        let answer = look(&dataset);
        self.read.replace(Some(dataset));
        answer
    }
}

impl ImageSource for Images {
    fn load(&self, part: Part) -> asap_train::Result<Dataset> {
        if part == Part::Train
            && let Some(dataset) = self.read.take()
        {
            return Ok(dataset);
        }
        let dataset = self.config.load(part)?;
        tell_skipped(&dataset);
        Ok(dataset)
    }
}

/// Names the files that were left out.
pub(crate) fn tell_skipped(dataset: &Dataset) {
    let skipped = dataset.skipped();
    for path in skipped.iter().take(NAMED) {
        output::note(format_args!(
            "left out {}: it cannot be read",
            path.display()
        ));
    }
    if skipped.len() > NAMED {
        output::note(format_args!("left out {} more", skipped.len() - NAMED));
    }
}

//! The range of every value of a configuration, looked at once.

use asap_anneal::Granularity;
use asap_genotype::Operation;

use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::schedule::{Cosine, Curve, Schedule};
use crate::sgd::SgdConfig;

impl RunConfig {
    /// Looks at every value once, before anything runs.
    ///
    /// # Errors
    /// Names the first key whose value is out of its range; `place` says where the values came from.
    pub fn check(&self, place: &str) -> Result<()> {
        let requirements = self
            .general_requirements()
            .into_iter()
            .chain(self.search_requirements())
            .chain(self.train_requirements());
        for (holds, key, expected) in requirements {
            if !holds {
                return Err(Error::config(place, format!("`{key}` must be {expected}")));
            }
        }
        let checked = self.anneal.clone().checked();
        checked
            .map(|_| ())
            .map_err(|error| Error::config(place, error.to_string()))
    }

    fn general_requirements(&self) -> Vec<Requirement> {
        vec![
            (i64::try_from(self.seed).is_ok(), "seed", "below 2^63"),
            (self.threads > 0, "threads", "at least 1"),
            (
                self.checkpoint_seconds >= 0.0,
                "checkpoint_seconds",
                "0 or more",
            ),
        ]
    }

    fn search_requirements(&self) -> Vec<Requirement> {
        let search = &self.search;
        let mut requirements = vec![
            (search.channels > 1, "search.channels", "at least 2"),
            (search.cells > 2, "search.cells", "at least 3"),
            (search.epochs > 0, "search.epochs", "at least 1"),
            (
                granularity_fits(self.anneal.granularity, search.epochs),
                "anneal.granularity",
                "\"step\", or \"epoch\" with as many epochs as search.epochs",
            ),
            (
                search
                    .operations
                    .operations()
                    .iter()
                    .any(|&o| o != Operation::None),
                "search.operations",
                "an operation besides none",
            ),
            (
                search.batch > 1,
                "search.batch",
                "at least 2: batch norm needs two images",
            ),
            (
                positive(search.adam.learning_rate),
                "search.adam.learning_rate",
                "above 0",
            ),
            (
                share(search.adam.beta1),
                "search.adam.beta1",
                "from 0 to below 1",
            ),
            (
                share(search.adam.beta2),
                "search.adam.beta2",
                "from 0 to below 1",
            ),
            (
                zero_or_more(search.adam.weight_decay),
                "search.adam.weight_decay",
                "0 or more",
            ),
        ];
        requirements.extend(rate_requirements(
            &search.learning_rate,
            ["search.learning_rate.from", "search.learning_rate.to"],
        ));
        requirements.extend(sgd_requirements(
            &search.sgd,
            [
                "search.sgd.momentum",
                "search.sgd.weight_decay",
                "search.sgd.clip",
            ],
        ));
        requirements
    }

    fn train_requirements(&self) -> Vec<Requirement> {
        let train = &self.train;
        let mut requirements = vec![
            (train.channels > 1, "train.channels", "at least 2"),
            (train.cells > 2, "train.cells", "at least 3"),
            (train.epochs > 0, "train.epochs", "at least 1"),
            (
                train.batch > 1,
                "train.batch",
                "at least 2: batch norm needs two images",
            ),
        ];
        requirements.extend([
            (
                share(train.label_smoothing),
                "train.label_smoothing",
                "from 0 to below 1",
            ),
            (
                zero_or_more(train.auxiliary_weight),
                "train.auxiliary_weight",
                "0 or more",
            ),
            (
                share(train.drop_path),
                "train.drop_path",
                "from 0 to below 1",
            ),
            (share(train.ema), "train.ema", "from 0 to below 1"),
        ]);
        requirements.extend(schedule_requirements(&train.learning_rate));
        requirements.extend(sgd_requirements(
            &train.sgd,
            [
                "train.sgd.momentum",
                "train.sgd.weight_decay",
                "train.sgd.clip",
            ],
        ));
        requirements
    }
}

/// Whether a value is in its range, its key, and the range in words.
type Requirement = (bool, &'static str, &'static str);

fn rate_requirements(rate: &Cosine, [from, to]: [&'static str; 2]) -> [Requirement; 2] {
    [
        (positive(rate.from), from, "above 0"),
        (
            rate.to >= 0.0 && rate.to <= rate.from,
            to,
            "from 0 to where the rate starts",
        ),
    ]
}

fn schedule_requirements(rate: &Schedule) -> [Requirement; 5] {
    let last_start = rate.cycle_start(rate.cycles.saturating_sub(1));
    [
        (positive(rate.from), "train.learning_rate.from", "above 0"),
        (
            rate.cycles == 1 || (rate.cycles > 1 && rate.curve == Curve::Cosine),
            "train.learning_rate.cycles",
            "1, or more with the curve cosine",
        ),
        (
            rate.cycle_factor > 0.0 && rate.cycle_factor <= 1.0,
            "train.learning_rate.cycle_factor",
            "above 0 and at most 1",
        ),
        (
            rate.to >= 0.0 && rate.to <= last_start,
            "train.learning_rate.to",
            "from 0 to where the rate starts, in the last cycle too",
        ),
        (
            rate.to > 0.0 || rate.curve == Curve::Cosine,
            "train.learning_rate.to",
            "above 0 with the curve exponential",
        ),
    ]
}

fn sgd_requirements(
    sgd: &SgdConfig,
    [momentum, weight_decay, clip]: [&'static str; 3],
) -> [Requirement; 3] {
    [
        (share(sgd.momentum), momentum, "from 0 to below 1"),
        (zero_or_more(sgd.weight_decay), weight_decay, "0 or more"),
        (positive(sgd.clip), clip, "above 0"),
    ]
}

fn granularity_fits(granularity: Granularity, planned: usize) -> bool {
    match granularity {
        Granularity::Step => true,
        Granularity::Epoch { epochs } => epochs == planned,
    }
}

fn positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}

fn zero_or_more(value: f64) -> bool {
    value >= 0.0 && value.is_finite()
}

fn share(value: f64) -> bool {
    (0.0..1.0).contains(&value)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use asap_genotype::OpSet;

    use super::*;
    use crate::presets::Preset;

    #[test]
    fn a_search_among_nothing_is_refused() {
        let mut config = Preset::Quick.config();
        config.search.operations = OpSet::new(vec![Operation::None]).unwrap();
        let error = config.check("settings").unwrap_err().to_string();
        assert!(error.contains("search.operations"), "{error}");
        config.search.operations = OpSet::darts8();
        config.check("settings").unwrap();
    }
}

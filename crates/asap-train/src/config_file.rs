//! A configuration as TOML: read over a preset, written whole with a comment on every key.

use std::path::Path;

use toml::{Table, Value};

use crate::config::RunConfig;
use crate::config_notes::note;
use crate::error::{Error, Result};
use crate::presets::Preset;
use crate::recipes::Recipe;

impl RunConfig {
    /// The configuration that `text` asks for: its preset (`quick` when it names none), its recipe in the place of
    /// the preset's training, and over both the values that it gives. `place` is the name of the file, for errors.
    ///
    /// # Errors
    /// The text is no TOML, or has a key that no configuration has, or a value of another type or out
    /// of its range. The error names the place and the key.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        let wanted: Table = text
            .parse()
            .map_err(|error| Error::config(place, format!("no TOML: {error}")))?;
        let preset = match wanted.get("preset") {
            Some(name) => name.clone().try_into::<Preset>().map_err(|_| {
                let message = format!("`preset` is {name}, expected one of {}", Preset::names());
                Error::config(place, message)
            })?,
            None => Preset::default(),
        };
        let mut start = preset.config();
        let recipe = wanted.get("train").and_then(|train| train.get("recipe"));
        if let Some(name) = recipe {
            let recipe = name.clone().try_into::<Recipe>().map_err(|_| {
                let message = format!(
                    "`train.recipe` is {name}, expected one of {}",
                    Recipe::names()
                );
                Error::config(place, message)
            })?;
            if recipe != start.train.recipe {
                recipe.apply(&mut start);
            }
        }
        let mut table = start.to_table()?;
        merge(&mut table, wanted, "", place)?;
        let config: Self = Value::Table(table)
            .try_into()
            .map_err(|error| Error::config(place, error.to_string().trim_end().to_owned()))?;
        config.check(place)?;
        Ok(config)
    }

    /// The configuration in the file at `path`.
    ///
    /// # Errors
    /// As [`RunConfig::from_toml`], or the file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::io("read", path, source))?;
        Self::from_toml(&text, &path.display().to_string())
    }

    /// The configuration with every key written out, each under a comment with its meaning and unit.
    ///
    /// # Errors
    /// A value that TOML cannot hold: a path that is no UTF-8, or a seed from 2^63 on.
    pub fn to_toml(&self) -> Result<String> {
        let plain = toml::to_string(self)
            .map_err(|error| Error::config("configuration", error.to_string()))?;
        let mut text = String::new();
        let mut section = String::new();
        for line in plain.lines() {
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                section = format!("{name}.");
            } else if let Some((key, _)) = line.split_once(" = ")
                && let Some(note) = note(&format!("{section}{key}"))
            {
                text += &format!("# {note}\n");
            }
            text += line;
            text.push('\n');
        }
        Ok(text)
    }

    /// The first key whose value differs from `other`'s, with both values.
    pub(crate) fn difference(&self, other: &Self) -> Result<Option<String>> {
        Ok(first_difference(&self.to_table()?, &other.to_table()?, ""))
    }

    fn to_table(&self) -> Result<Table> {
        Table::try_from(self).map_err(|error| Error::config("configuration", error.to_string()))
    }
}

/// The one key that is a word or a section.
const EITHER: &str = "anneal.granularity";

/// Puts the values of `wanted` in the place of those of `table`, which has every key there is.
fn merge(table: &mut Table, wanted: Table, section: &str, place: &str) -> Result<()> {
    for (key, value) in wanted {
        let path = format!("{section}{key}");
        let known = table
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        match (table.get_mut(&key), value) {
            (None, _) => {
                let message = format!("unknown key `{path}`; the keys here are {known}");
                return Err(Error::config(place, message));
            }
            // A word or a section: which of them is right is told when it is read as its type.
            (Some(slot), value) if path == EITHER => *slot = value,
            (Some(Value::Table(inner)), Value::Table(value)) => {
                merge(inner, value, &format!("{path}."), place)?;
            }
            (Some(Value::Table(_)), value) => {
                let message = format!("`{path}` is {value}, expected a section [{path}]");
                return Err(Error::config(place, message));
            }
            // A whole number is a number: `clip = 5`.
            (Some(slot @ Value::Float(_)), Value::Integer(number)) => {
                *slot = Value::Float(number as f64);
            }
            (Some(slot), value) => {
                if slot.type_str() != value.type_str() {
                    let (expected, found) = (slot.type_str(), value.type_str());
                    let message = format!("`{path}` is {value} ({found}), expected {expected}");
                    return Err(Error::config(place, message));
                }
                *slot = value;
            }
        }
    }
    Ok(())
}

fn first_difference(one: &Table, other: &Table, section: &str) -> Option<String> {
    one.iter().find_map(|(key, value)| {
        let path = format!("{section}{key}");
        match (value, other.get(key)) {
            (Value::Table(one), Some(Value::Table(other))) => {
                first_difference(one, other, &format!("{path}."))
            }
            (one, Some(other)) if one == other => None,
            (one, Some(other)) => Some(format!("`{path}` is {one} here and {other} there")),
            (one, None) => Some(format!("`{path}` is {one} here and absent there")),
        }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        RunConfig::from_toml(text, "my.toml")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for preset in Preset::ALL {
            let mut config = preset.config();
            config.seed = 12_345_678_901_234;
            config.search.adam.learning_rate = 0.1 + 0.2;
            let text = config.to_toml().unwrap();
            assert_eq!(RunConfig::from_toml(&text, "text").unwrap(), config);
        }
    }

    #[test]
    fn every_key_is_written_with_a_comment() {
        for preset in Preset::ALL {
            let text = preset.config().to_toml().unwrap();
            let lines: Vec<&str> = text.lines().collect();
            let is_key = |line: &str| line.contains(" = ") && !line.starts_with('#');
            for (index, line) in lines.iter().enumerate().filter(|(_, line)| is_key(line)) {
                let before = index.checked_sub(1).map_or("", |before| lines[before]);
                assert!(before.starts_with("# "), "no comment on: {line}");
            }
            assert!(lines.iter().any(|line| line.starts_with("seed = ")));
            assert!(lines.contains(&"[search.sgd]"));
        }
    }

    #[test]
    fn a_file_with_one_line_changes_one_value() {
        let config = RunConfig::from_toml("[search]\nbatch = 48", "my.toml").unwrap();
        let mut expected = Preset::Quick.config();
        expected.search.batch = 48;
        assert_eq!(config, expected);
        let recipe =
            RunConfig::from_toml("[train]\nrecipe = \"asap\"\nepochs = 7", "my.toml").unwrap();
        assert_eq!((recipe.train.epochs, recipe.train.batch), (7, 96));
        assert_eq!(recipe.search, Preset::Quick.config().search);
        let paper = RunConfig::from_toml("preset = \"paper\"\nseed = 3", "my.toml").unwrap();
        assert_eq!((paper.seed, paper.search.epochs), (3, 50));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_section_and_the_keys_there_are() {
        let error = error_of("[search]\nbatchsize = 48");
        assert!(
            error.starts_with("my.toml: unknown key `search.batchsize`"),
            "{error}"
        );
        assert!(error.contains("batch, "), "{error}");
        assert!(error_of("sed = 1").contains("unknown key `sed`"));
        assert!(error_of("[serach]\nbatch = 1").contains("unknown key `serach`"));
    }

    #[test]
    fn a_value_of_another_type_is_named() {
        let error = error_of("[search]\nbatch = \"many\"");
        assert!(
            error.contains("`search.batch` is \"many\" (string), expected integer"),
            "{error}"
        );
        assert!(error_of("search = 3").contains("expected a section [search]"));
        assert!(error_of("preset = \"slow\"").contains("expected one of quick, paper"));
        let recipe = error_of("[train]\nrecipe = \"slow\"");
        assert!(
            recipe.contains(
                "`train.recipe` is \"slow\", expected one of quick, darts, asap, imagenet"
            ),
            "{recipe}"
        );
        let whole = RunConfig::from_toml("[search.sgd]\nclip = 4", "my.toml").unwrap();
        assert_eq!(whole.search.sgd.clip, 4.0);
    }

    #[test]
    fn a_value_out_of_its_range_is_named() {
        for (text, key) in [
            ("threads = 0", "threads"),
            ("[search]\nbatch = 1", "search.batch"),
            ("[search.sgd]\nmomentum = 1.0", "search.sgd.momentum"),
            (
                "[train.learning_rate]\nfrom = 0.0",
                "train.learning_rate.from",
            ),
            ("[train.learning_rate]\nto = 10.0", "train.learning_rate.to"),
            ("[train]\ndrop_path = 1.0", "train.drop_path"),
            ("[train]\nema = -0.5", "train.ema"),
            (
                "[train.learning_rate]\ncycles = 0",
                "train.learning_rate.cycles",
            ),
            (
                "[train.learning_rate]\ncurve = \"exponential\"\nto = 0.1\ncycles = 2",
                "train.learning_rate.cycles",
            ),
            (
                "[train.learning_rate]\ncurve = \"exponential\"",
                "train.learning_rate.to",
            ),
            ("[train.sgd]\nclip = inf", "train.sgd.clip"),
            (
                "[search.adam]\nlearning_rate = nan",
                "search.adam.learning_rate",
            ),
        ] {
            let error = error_of(text);
            assert!(
                error.starts_with(&format!("my.toml: `{key}` must be")),
                "{error}"
            );
        }
    }

    #[test]
    fn text_that_is_no_toml_names_the_place() {
        assert!(error_of("seed 3").starts_with("my.toml: no TOML"));
    }

    #[test]
    fn the_first_difference_names_the_key_and_both_values() {
        let (one, mut other) = (Preset::Quick.config(), Preset::Quick.config());
        assert_eq!(one.difference(&other).unwrap(), None);
        other.search.batch = one.search.batch + 1;
        let difference = one.difference(&other).unwrap().unwrap();
        assert!(difference.starts_with("`search.batch` is"), "{difference}");
    }
}

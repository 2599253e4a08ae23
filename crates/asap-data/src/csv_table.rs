//! A table of pictures: a CSV file with the columns `path` and `label`, or a folder with `train.csv` and
//! `test.csv`.
//!
//! Paths are relative to the folder of the table. A label is the name of a class, in any words; classes are in
//! alphabetical order, or in that of their numbers if all are numbers. Without a table for the test part a
//! fifth of every class is held out, the same images every time. A picture that is named twice counts once, or it
//! would be trained with and tested with.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::dataset::{Dataset, Part};
use crate::error::{Error, Result};
use crate::pictures::{self, Entry, Listing, name_of};
use crate::source::LoadConfig;

/// The columns, in this order.
const COLUMNS: [&str; 2] = ["path", "label"];

/// One part of the pictures in the table at `path`; `path` may also be the folder with `train.csv` and `test.csv`.
///
/// # Errors
///
/// If a table has other columns, a line is none, a picture has two labels or is in both parts, the parts have other
/// classes, a class has too few images, or a picture cannot be decoded (unless `config.skip_bad`); the file is named.
pub fn csv(path: &Path, part: Part, config: LoadConfig) -> Result<Dataset> {
    let (train, test) = if path.is_dir() {
        (path.join("train.csv"), Some(path.join("test.csv")))
    } else {
        (path.to_owned(), None)
    };
    let rows = Rows::read(&train)?;
    let classes = rows.classes();
    if classes.len() < 2 {
        let found = classes.first().map_or("none", String::as_str);
        return Err(Error::content(
            &train,
            "labels of at least two classes",
            found,
        ));
    }
    let mut entries = rows.entries(&classes, Part::Train)?;
    if let Some(test) = &test {
        let tested = Rows::read(test)?;
        tested.check_apart(&rows)?;
        entries.extend(tested.entries(&classes, Part::Test)?);
    }
    let mut listing = Listing {
        name: name_of(path),
        place: train,
        classes,
        entries,
        known: None,
    };
    match test {
        Some(_) => listing.check_counts(Part::Train, 2, "to train with and to choose by")?,
        None => listing.hold_out()?,
    }
    pictures::load(listing, part, config)
}

/// Whether `path` is one for [`csv()`].
pub(crate) fn is_csv(path: &Path) -> bool {
    let is_table = path.extension().is_some_and(|ending| ending == "csv") && path.is_file();
    is_table
        || ["train.csv", "test.csv"]
            .iter()
            .all(|name| path.join(name).is_file())
}

/// The lines of a table.
struct Rows {
    table: PathBuf,
    /// The number of the line, the picture and the label; each picture once, in order.
    rows: Vec<(u64, PathBuf, String)>,
}

impl Rows {
    fn read(table: &Path) -> Result<Self> {
        let file = File::open(table).map_err(|source| Error::read(table, source))?;
        let mut reader = ::csv::Reader::from_reader(file);
        let wrong = |error: ::csv::Error| {
            Error::content(table, "a table of `path,label`", error.to_string())
        };
        let header = reader.headers().map_err(wrong)?;
        if *header != COLUMNS[..] {
            let found = format!(
                "the columns `{}`",
                header.iter().collect::<Vec<_>>().join(",")
            );
            return Err(Error::content(table, "the columns `path,label`", found));
        }
        let folder = table.parent().unwrap_or(Path::new(""));
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(wrong)?;
            let line = record.position().map_or(0, ::csv::Position::line);
            let (path, label) = (&record[0], record[1].trim());
            if path.is_empty() || label.is_empty() {
                let found = format!("`{path},{label}` in line {line}");
                return Err(Error::content(
                    table,
                    "a path and a label in every line",
                    found,
                ));
            }
            rows.push((line, folder.join(path), label.to_owned()));
        }
        rows.sort_by(|one, other| one.1.cmp(&other.1));
        let twice = |pair: &&[(u64, PathBuf, String)]| pair[0].1 == pair[1].1;
        if let Some([one, other]) = rows
            .windows(2)
            .filter(twice)
            .find(|pair| pair[0].2 != pair[1].2)
        {
            let found = format!(
                "{}: `{}` in line {} and `{}` in line {}",
                one.1.display(),
                one.2,
                one.0,
                other.2,
                other.0
            );
            return Err(Error::content(table, "one label for each picture", found));
        }
        rows.dedup_by(|one, other| one.1 == other.1);
        Ok(Self {
            table: table.to_owned(),
            rows,
        })
    }

    /// Checks that no picture is in `other` too.
    fn check_apart(&self, other: &Self) -> Result<()> {
        let is_in_other = |path: &PathBuf| other.rows.binary_search_by(|row| row.1.cmp(path));
        match self.rows.iter().find(|row| is_in_other(&row.1).is_ok()) {
            None => Ok(()),
            Some((line, path, _)) => Err(Error::content(
                &self.table,
                format!("no picture that {} has", other.table.display()),
                format!("{} in line {line}", path.display()),
            )),
        }
    }

    /// The classes, each once.
    fn classes(&self) -> Vec<String> {
        let labels: BTreeSet<&String> = self.rows.iter().map(|(_, _, label)| label).collect();
        let mut classes: Vec<String> = labels.into_iter().cloned().collect();
        let number = |label: &String| label.parse::<i64>().ok();
        if classes.iter().all(|label| number(label).is_some()) {
            classes.sort_by_key(number);
        }
        classes
    }

    fn entries(&self, classes: &[String], part: Part) -> Result<Vec<Entry>> {
        let entry = |(line, path, label): &(u64, PathBuf, String)| {
            let known = classes.iter().position(|class| class == label);
            let label = known.ok_or_else(|| {
                let found = format!("`{label}` in line {line}");
                Error::content(&self.table, "a label that the training images have", found)
            })?;
            let (label, path) = (label as u32, path.clone());
            Ok(Entry { path, label, part })
        };
        self.rows.iter().map(entry).collect()
    }
}

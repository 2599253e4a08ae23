//! The confusion matrix as a picture: a square for every pair of classes, darker the larger its share of the row.

use std::fmt::Write;

use crate::escape::escape;
use crate::quantities::count;
use crate::read::Test;

/// Side of the picture without its labels, in its own units.
const SIDE: f64 = 480.0;
/// Room for the names of classes; longer ones are cut.
const MARGIN: f64 = 110.0;
const LONGEST_NAME: usize = 16;
/// Room to the right, for names above the last columns.
const RIGHT: f64 = 50.0;
/// Of more classes, names would overlap.
const MOST_NAMED: usize = 40;
/// Of more classes, numbers would not fit into the squares.
const MOST_NUMBERED: usize = 12;

/// The picture; nothing when the test has no matrix.
pub(crate) fn figure(test: &Test) -> Option<String> {
    let classes = test.confusion.len();
    if classes == 0 || test.confusion.iter().any(|row| row.len() != classes) {
        return None;
    }
    let side = SIDE / classes as f64;
    let (width, height) = (MARGIN + SIDE + RIGHT, MARGIN + SIDE);
    let mut svg = format!(
        "<svg class=\"asap confusion\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"confusion matrix\">"
    );
    if classes <= MOST_NAMED {
        svg += &names(test, side);
    }
    for (row, images) in test.confusion.iter().enumerate() {
        let all: u64 = images.iter().sum();
        for (column, &times) in images.iter().enumerate() {
            // Empty squares would be most of a large picture.
            if times > 0 || classes <= MOST_NUMBERED {
                svg += &square(test, row, column, times as f64 / all.max(1) as f64, side);
            }
        }
    }
    let _ = write!(
        svg,
        "<rect class=\"frame\" x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{SIDE}\" height=\"{SIDE}\"/></svg>"
    );
    Some(format!(
        "<figure class=\"matrix\"><figcaption>Rows are what images are, columns what they were taken for; the darker, the \
         larger the share of the row.</figcaption>{svg}</figure>"
    ))
}

fn square(test: &Test, row: usize, column: usize, share: f64, side: f64) -> String {
    let classes = test.confusion.len();
    let times = test.confusion[row][column];
    let (x, y) = (MARGIN + column as f64 * side, MARGIN + row as f64 * side);
    let right = if row == column { " right" } else { "" };
    let mut svg = format!(
        "<g class=\"pair{right}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" \
         fill-opacity=\"{share:.3}\"/>"
    );
    if classes <= MOST_NUMBERED {
        let dark = if share > 0.5 { " on-dark" } else { "" };
        let _ = write!(
            svg,
            "<text class=\"number{dark}\" x=\"{:.1}\" y=\"{:.1}\">{times}</text>",
            x + side / 2.0,
            y + side / 2.0 + 4.0,
        );
    }
    let _ = write!(
        svg,
        "<title>{} of {} taken for {}</title></g>",
        count(times),
        escape(&name(test, row)),
        escape(&name(test, column)),
    );
    svg
}

fn names(test: &Test, side: f64) -> String {
    let mut svg = String::new();
    for class in 0..test.confusion.len() {
        let name = name(test, class);
        let short: String = name.chars().take(LONGEST_NAME).collect();
        let short = escape(&short);
        let middle = MARGIN + (class as f64 + 0.5) * side;
        let edge = MARGIN - 6.0;
        let _ = write!(
            svg,
            "<text class=\"row\" x=\"{edge}\" y=\"{:.1}\">{short}</text>\
             <text class=\"column\" transform=\"translate({:.1} {edge}) rotate(-60)\">{short}</text>",
            middle + 4.0,
            middle + 3.0,
        );
    }
    svg
}

/// The name of a class, or its number where it has none.
fn name(test: &Test, class: usize) -> String {
    test.classes
        .get(class)
        .map_or_else(|| class.to_string(), |class| class.name.clone())
}

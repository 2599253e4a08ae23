//! An evaluation as people read it.

use crate::quantities::{count, percent};
use asap_train::{Evaluation, Views};

/// Of more classes, the confusion matrix would be no picture any more.
const MOST_IN_A_MATRIX: usize = 20;
/// With no more classes than this, every label is among the five likeliest.
const TOP: usize = 5;

/// What there is to say about all images together, in one line.
pub(crate) fn in_all(evaluation: &Evaluation, data: &str) -> String {
    let images = count(evaluation.images as u64);
    let views = match evaluation.views {
        Views::Plain => "",
        Views::Mirrored => ", each shown as it is and mirrored",
    };
    let top = match evaluation.classes.len() {
        0..=TOP => String::new(),
        _ => format!(", top-5 {}", percent(evaluation.top5)),
    };
    format!(
        "accuracy {}{top} of {images} images of {data}{views}, loss {:.4}, calibration error {}, {:.0} images/s",
        percent(evaluation.accuracy),
        evaluation.loss,
        percent(evaluation.calibration_error),
        evaluation.images_per_second
    )
}

/// A line for every class, and which classes are taken for which.
pub(crate) fn by_class(evaluation: &Evaluation) -> String {
    let width = |text: &str| text.chars().count();
    let longest = evaluation.classes.iter().map(|class| width(&class.name));
    let longest = longest.max().unwrap_or(0).max("class".len());
    let mut text = format!(
        "  {:longest$}  {:>9}  {:>9}  {:>7}",
        "class", "precision", "recall", "images"
    );
    for class in &evaluation.classes {
        text += &format!(
            "\n  {:longest$}  {:>9}  {:>9}  {:>7}",
            class.name,
            percent(class.precision),
            percent(class.recall),
            count(class.images as u64)
        );
    }
    text + "\n" + &matrix(evaluation, longest)
}

fn matrix(evaluation: &Evaluation, longest: usize) -> String {
    let classes = evaluation.classes.len();
    if classes > MOST_IN_A_MATRIX {
        return format!("the confusion matrix of {classes} classes: --format json");
    }
    let largest = evaluation.confusion.iter().flatten().max().unwrap_or(&0);
    let column = largest.to_string().len().max(classes.to_string().len());
    let mut text = format!("\n  {:longest$}    taken for", "class",);
    let numbers: Vec<String> = (1..=classes).map(|n| format!("{n:>column$}")).collect();
    text += &format!("\n  {:longest$}    {}", "", numbers.join("  "));
    for (index, (class, row)) in evaluation
        .classes
        .iter()
        .zip(&evaluation.confusion)
        .enumerate()
    {
        let cells: Vec<String> = row
            .iter()
            .map(|images| format!("{images:>column$}"))
            .collect();
        text += &format!(
            "\n  {:longest$} {:>2} {}",
            class.name,
            index + 1,
            cells.join("  ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use asap_train::ClassResult;

    fn evaluation() -> Evaluation {
        let class = |name: &str, images, precision, recall| ClassResult {
            name: name.to_owned(),
            images,
            precision,
            recall,
        };
        Evaluation {
            images: 1200,
            views: Views::Plain,
            accuracy: 0.8,
            top5: 1.0,
            loss: 0.51234,
            calibration_error: 0.0312,
            classes: vec![
                class("cat", 1000, 0.9, 0.85),
                class("sea eel", 200, 0.4, 0.5),
            ],
            confusion: vec![vec![850, 150], vec![100, 100]],
            images_per_second: 812.4,
        }
    }

    #[test]
    fn one_line_says_everything_about_all_images() {
        assert_eq!(
            in_all(&evaluation(), "pets"),
            "accuracy 80.00 % of 1,200 images of pets, loss 0.5123, calibration error 3.12 %, 812 images/s"
        );
    }

    #[test]
    fn a_second_view_and_the_top_five_are_said_where_they_matter() {
        let mut evaluation = evaluation();
        evaluation.views = Views::Mirrored;
        evaluation.classes = vec![evaluation.classes[0].clone(); 6];
        let text = in_all(&evaluation, "pets");
        assert!(
            text.starts_with("accuracy 80.00 %, top-5 100.00 % of"),
            "{text}"
        );
        assert!(text.contains("each shown as it is and mirrored"), "{text}");
    }

    #[test]
    fn classes_and_the_matrix_stand_in_columns() {
        assert_eq!(
            by_class(&evaluation()),
            "  class    precision     recall   images\n  \
               cat        90.00 %    85.00 %    1,000\n  \
               sea eel    40.00 %    50.00 %      200\n\n  \
               class      taken for\n               \
                            1    2\n  \
               cat      1 850  150\n  \
               sea eel  2 100  100"
        );
    }

    #[test]
    fn a_matrix_too_large_to_read_is_left_to_json() {
        let mut evaluation = evaluation();
        evaluation.classes = vec![evaluation.classes[0].clone(); 100];
        assert!(by_class(&evaluation).ends_with("--format json"));
    }
}

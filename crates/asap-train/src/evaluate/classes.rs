//! The figures of every class, from the confusion matrix.

use serde::{Deserialize, Serialize};

/// The images of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassResult {
    /// Name of the class.
    pub name: String,
    /// How many images belong to it.
    pub images: usize,
    /// Share of the images taken for the class that belong to it, 0 to 1; 0 when none was taken for it.
    pub precision: f64,
    /// Share of the images of the class that were taken for it, 0 to 1; 0 when there are none.
    pub recall: f64,
}

/// The figures of every class, in the order of `names`; `confusion[row][column]` counts images of class `row` that were
/// taken for class `column`.
pub(super) fn by_class(confusion: &[Vec<usize>], names: &[String]) -> Vec<ClassResult> {
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let of_class = |(class, name): (usize, &String)| {
        let images = confusion[class].iter().sum();
        let taken = confusion.iter().map(|row| row[class]).sum();
        let right = confusion[class][class];
        ClassResult {
            name: name.clone(),
            images,
            precision: share(right, taken),
            recall: share(right, images),
        }
    };
    names.iter().enumerate().map(of_class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_divides_by_a_column_and_recall_by_a_row() {
        let confusion = [vec![6, 2, 0], vec![3, 1, 0], vec![0, 0, 0]];
        let names = ["cat", "dog", "eel"].map(str::to_owned);
        let classes = by_class(&confusion, &names);
        let figures: Vec<_> = classes
            .iter()
            .map(|class| (class.images, class.precision, class.recall))
            .collect();
        let expected = [(8, 6.0 / 9.0, 0.75), (4, 1.0 / 3.0, 0.25), (0, 0.0, 0.0)];
        assert_eq!(figures, expected);
        assert_eq!(classes[1].name, "dog");
    }
}

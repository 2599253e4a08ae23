//! Tables of pictures.

use asap_data::{Dataset, LoadConfig, Part, csv};

use crate::files::{TemporaryFolder, grey};

/// Pictures `a.png` ... of the shades 0, 10, 20, ... in the folder `pictures`.
fn pictures(count: u8) -> TemporaryFolder {
    let folder = TemporaryFolder::new();
    for number in 0..count {
        let name = format!("pictures/{number}.png");
        folder.draw(&name, grey(4, 4, |_, _| number * 10));
    }
    folder
}

fn table(folder: &TemporaryFolder, name: &str, rows: &[(u8, &str)]) {
    let mut text = "path,label\n".to_owned();
    for (number, label) in rows {
        text += &format!("pictures/{number}.png,{label}\n");
    }
    folder.write(name, text.as_bytes());
}

fn read(folder: &TemporaryFolder, name: &str, part: Part) -> asap_data::Result<Dataset> {
    csv(&folder.path().join(name), part, LoadConfig::default())
}

fn message(folder: &TemporaryFolder, name: &str) -> String {
    read(folder, name, Part::Train).unwrap_err().to_string()
}

#[test]
fn a_fifth_is_held_out_and_numbers_are_in_their_order() {
    let folder = pictures(20);
    let rows: Vec<(u8, &str)> = (0..20)
        .map(|number| (number, if number < 10 { "10" } else { "9" }))
        .collect();
    table(&folder, "all.csv", &rows);
    let train = read(&folder, "all.csv", Part::Train).unwrap();
    let test = read(&folder, "all.csv", Part::Test).unwrap();
    assert_eq!((train.len(), test.len()), (16, 4));
    assert_eq!(train.classes(), ["9", "10"]);
    assert_eq!(test.labels().iter().filter(|&&label| label == 1).count(), 2);
    for dataset in [&train, &test] {
        for index in 0..dataset.len() {
            let shade = dataset.image(index).unwrap()[0];
            assert_eq!(dataset.labels()[index], u32::from(shade < 100), "{shade}");
        }
    }
}

#[test]
fn two_tables_are_the_two_parts() {
    let folder = pictures(6);
    table(
        &folder,
        "train.csv",
        &[(0, "dog"), (1, "cat"), (2, "dog"), (3, "cat")],
    );
    table(&folder, "test.csv", &[(4, "dog"), (5, "cat")]);
    let test = read(&folder, "", Part::Test).unwrap();
    assert_eq!(
        (test.classes(), test.labels()),
        (&["cat".to_owned(), "dog".to_owned()][..], &[1, 0][..])
    );
    assert_eq!(
        read(&folder, "", Part::Train).unwrap().labels(),
        [1, 0, 1, 0]
    );
    table(&folder, "test.csv", &[(4, "dog"), (5, "fox")]);
    let text = message(&folder, "");
    assert!(
        text.ends_with("expected a label that the training images have, found `fox` in line 3"),
        "{text}"
    );
}

#[test]
fn quotes_and_spaces_are_understood() {
    let folder = pictures(5);
    folder.draw("one, two.png", grey(4, 4, |_, _| 200));
    let text =
        "path,label\r\n\"one, two.png\",\"a \"\"b\"\"\"\r\npictures/0.png,\"a \"\"b\"\"\"\r\n";
    let rows = "pictures/1.png,c\r\npictures/2.png, c\r\n";
    folder.write("train.csv", format!("{text}{rows}").as_bytes());
    table(&folder, "test.csv", &[(3, "\"a \"\"b\"\"\""), (4, "c")]);
    let train = read(&folder, "", Part::Train).unwrap();
    assert_eq!(train.classes(), ["a \"b\"", "c"]);
    assert_eq!(train.labels(), [0, 0, 1, 1]);
}

#[test]
fn a_picture_that_is_named_again_counts_once() {
    let folder = pictures(6);
    let rows: Vec<(u8, &str)> = (0..30)
        .map(|line| (line % 6, if line % 6 < 3 { "a" } else { "b" }))
        .collect();
    table(&folder, "all.csv", &rows);
    let mut shades = Vec::new();
    for (part, expected) in [(Part::Train, 4), (Part::Test, 2)] {
        let dataset = read(&folder, "all.csv", part).unwrap();
        assert_eq!(dataset.len(), expected);
        shades.extend((0..expected).map(|index| dataset.image(index).unwrap()[0]));
    }
    shades.sort_unstable();
    assert_eq!(shades, [0, 10, 20, 30, 40, 50]);
}

#[test]
fn the_order_of_the_lines_does_not_choose_what_is_held_out() {
    let folder = pictures(10);
    let mut rows: Vec<(u8, &str)> = (0..10)
        .map(|number| (number, if number < 5 { "a" } else { "b" }))
        .collect();
    let mut held_out = || {
        table(&folder, "all.csv", &rows);
        rows.rotate_left(3);
        read(&folder, "all.csv", Part::Test)
            .unwrap()
            .images()
            .unwrap()
            .to_vec()
    };
    assert_eq!(held_out(), held_out());
}

#[test]
fn a_picture_with_two_labels_or_in_both_parts_is_refused() {
    let folder = pictures(4);
    let rows = [(0, "a"), (1, "b"), (2, "a"), (3, "b"), (1, "a")];
    table(&folder, "all.csv", &rows);
    let text = message(&folder, "all.csv");
    assert!(
        text.contains("all.csv: expected one label for each picture, found ")
            && text.ends_with("pictures/1.png: `b` in line 3 and `a` in line 6"),
        "{text}"
    );
    table(&folder, "train.csv", &rows[..4]);
    table(&folder, "test.csv", &[(2, "a"), (3, "b")]);
    let text = message(&folder, "");
    assert!(
        text.contains("test.csv: expected no picture that ")
            && text.contains("train.csv has, found ")
            && text.ends_with("pictures/2.png in line 2"),
        "{text}"
    );
}

#[test]
fn a_table_that_is_none_gives_one_error_with_its_line() {
    let folder = pictures(2);
    for (text, expected) in [
        ("", "the columns `path,label`, found the columns ``"),
        ("file,class\na.png,b\n", "found the columns `file,class`"),
        ("path,label\na.png\n", "a table of `path,label`"),
        ("path,label\na.png,b,c\n", "a table of `path,label`"),
        (
            "path,label\na.png,b\n,c\n",
            "a path and a label in every line, found `,c` in line 3",
        ),
        ("path,label\na.png,\n", "found `a.png,` in line 2"),
        ("path,label\n", "labels of at least two classes, found none"),
        (
            "path,label\na.png,b\n",
            "labels of at least two classes, found b",
        ),
    ] {
        let path = folder.write("odd.csv", text.as_bytes());
        let found = message(&folder, "odd.csv");
        let start = format!("{}: expected ", path.display());
        assert!(
            found.starts_with(&start) && found.contains(expected),
            "{text:?}: {found}"
        );
    }
    table(&folder, "few.csv", &[(0, "a"), (1, "b")]);
    assert!(message(&folder, "few.csv").starts_with("class `a` of "));
    folder.write("gone.csv", b"path,label\na,x\nb,x\nc,x\nd,y\ne,y\nf,y\n");
    let text = message(&folder, "gone.csv");
    assert!(
        text.starts_with("cannot read ") && text.contains("/a: "),
        "{text}"
    );
}

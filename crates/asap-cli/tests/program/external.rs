//! Weights of other programs in, weights for other programs out, and raw passes to compare with.

use crate::golden_state::{Tensor, Tensors, golden, read, write};
use crate::place::Place;
use crate::program::{Said, asap};
use crate::small_run;
use std::fs;

/// A pass over `inputs.safetensors` that writes both of its files.
fn pass(place: &Place, weights: &[&str]) -> Said {
    let files = [
        "--inputs",
        "inputs.safetensors",
        "--logits",
        "logits.safetensors",
        "--gradients",
        "gradients.safetensors",
    ];
    asap(place.path(), &[&["eval"], weights, &files].concat())
}

const DERIVED: [&str; 6] = [
    "--weights",
    "weights.safetensors",
    "--genotype",
    "ASAP",
    "--layout",
    "darts",
];
const SEARCH: [&str; 6] = [
    "--weights",
    "weights.safetensors",
    "--layout",
    "darts",
    "--network",
    "search",
];

fn assert_near(name: &str, found: &Tensor, expected: &Tensor, share: f32, least: f32) {
    assert_eq!(found.shape, expected.shape, "{name}");
    let norm = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let (found, expected) = (found.values(), expected.values());
    let differences: Vec<f32> = found.iter().zip(&expected).map(|(a, b)| a - b).collect();
    let (difference, size) = (norm(&differences), norm(&expected));
    assert!(
        difference <= share * size + least,
        "{name}: {difference} of {size}"
    );
}

fn assert_passes_agree(place: &Place, golden: &Tensors) {
    let logits = read(&place.join("logits.safetensors"));
    assert_eq!(logits.keys().collect::<Vec<_>>(), ["logits"]);
    assert_near("logits", &logits["logits"], &golden["logits"], 0.0, 1e-4);
    let mut found = read(&place.join("gradients.safetensors"));
    assert_near(
        "loss",
        &found.remove("loss").unwrap(),
        &golden["loss"],
        1e-3,
        0.0,
    );
    for (name, expected) in golden {
        if let Some(key) = name.strip_prefix("gradient.") {
            assert_near(key, &found.remove(key).unwrap(), expected, 1e-3, 1e-5);
        }
    }
    assert!(found.is_empty(), "nothing else: {:?}", found.keys());
}

#[test]
fn logits_and_gradients_of_a_state_dict_are_those_of_pytorch() {
    let place = Place::new();
    let golden = golden(&place, "asap");
    let text = pass(&place, &DERIVED).succeeded();
    assert!(
        text.contains("logits of 3 images in logits.safetensors"),
        "{text}"
    );
    assert_passes_agree(&place, &golden);
    // A batch of one image at a time has the same logits.
    let logits = fs::read(place.join("logits.safetensors")).unwrap();
    let files = [
        "--inputs",
        "inputs.safetensors",
        "--logits",
        "one.safetensors",
        "--batch",
        "1",
    ];
    asap(place.path(), &[&["eval"], &DERIVED[..], &files].concat()).succeeded();
    assert_eq!(fs::read(place.join("one.safetensors")).unwrap(), logits);
}

#[test]
fn logits_and_gradients_of_a_search_network_and_its_alphas_are_those_of_pytorch() {
    let place = Place::new();
    let golden = golden(&place, "search");
    pass(&place, &SEARCH).succeeded();
    assert!(golden.contains_key("gradient.alphas_reduce"));
    assert_passes_agree(&place, &golden);
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_written() {
    let place = Place::new();
    let golden = golden(&place, "asap");
    let state = read(&place.join("weights.safetensors"));

    let mut other = state.clone();
    other.remove("cells.1.preprocess1.op.2.bias");
    other.insert("extra".to_owned(), Tensor::new(&[1], &[0.0]));
    other.insert("classifier.bias".to_owned(), Tensor::new(&[2], &[0.0; 2]));
    write(&place, "weights.safetensors", &other);
    pass(&place, &DERIVED).failed_with(&[
        "weights.safetensors",
        "missing `cells.1.preprocess1.op.2.bias` [8]",
        "unexpected `extra`",
        "`classifier.bias`: expected shape [10], found [2]",
    ]);
    write(&place, "weights.safetensors", &state);
    pass(&place, &SEARCH).failed_with(&["weights.safetensors", "expected the search network"]);
    pass(&place, &DERIVED[..2]).failed_with(&["--genotype NAME|FILE"]);
    let inputs = ["eval", "--inputs", "inputs.safetensors"];
    asap(place.path(), &[&inputs[..], &DERIVED].concat()).failed_with(&["--logits OUT"]);

    let wrong = |name: &str, tensor: Option<Tensor>, parts: &[&str]| {
        let mut inputs: Tensors = ["images", "labels"]
            .map(|name| (name.to_owned(), golden[name].clone()))
            .into();
        match tensor {
            Some(tensor) => drop(inputs.insert(name.to_owned(), tensor)),
            None => drop(inputs.remove(name)),
        }
        write(&place, "inputs.safetensors", &inputs);
        pass(&place, &DERIVED).failed_with(&[&["inputs.safetensors"], parts].concat());
    };
    wrong("images", None, &["expected a tensor `images`"]);
    let grey = Tensor::new(&[3, 1, 12, 12], &[0.0; 3 * 144]);
    wrong("images", Some(grey), &["1 channels", "takes 3"]);
    wrong(
        "labels",
        Some(Tensor::labels(&[0, 1])),
        &["`labels`", "[3]", "[2]"],
    );
    fs::remove_file(place.join("logits.safetensors")).ok();
    wrong(
        "labels",
        Some(Tensor::labels(&[0, 1, 10])),
        &["classes 0 to 9", "found 10"],
    );
    wrong("labels", None, &["expected a tensor `labels`"]);
    assert!(!place.join("gradients.safetensors").exists());
}

#[test]
fn a_training_pass_that_memory_cannot_hold_is_refused_before_it_is_built() {
    let place = Place::new();
    golden(&place, "asap");
    let mut state = read(&place.join("weights.safetensors"));
    // The stem tells the size: terabytes of weights in the cells.
    let channels = 100_000;
    let stem = Tensor::new(&[3 * channels, 3, 3, 3], &vec![0.0; 81 * channels]);
    state.insert("stem.0.weight".to_owned(), stem);
    write(&place, "weights.safetensors", &state);
    pass(&place, &DERIVED).failed_with(&["--gradients", "3 images", "of memory", "available"]);
    assert!(!place.join("logits.safetensors").exists());
}

#[test]
fn weights_know_their_network_and_no_setting_says_another_in_silence() {
    let place = small_run::place();
    golden(&place, "asap");
    let train = [&["train"], &DERIVED[..]].concat();
    for flags in [
        &["--network", "small"][..],
        &["--channels", "8"],
        &["--cells", "5"],
        &["--print-config"],
    ] {
        let said = asap(place.path(), &[&train[..], flags].concat());
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(
            said.stderr.contains(flags[0]) && said.stderr.contains("--weights <FILE>"),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn a_run_that_was_exported_computes_the_same_and_trains_on() {
    let place = small_run::place();
    small_run::search(&place, "run", &[]).succeeded();
    let text = asap(place.path(), &["export", "run", "--to", "darts"]).succeeded();
    assert!(
        text.contains("CIFAR form, C = 2, 3 classes, 3 layers, auxiliary = False")
            && text.contains("Genotype(normal=["),
        "{text}"
    );
    let written = read(&place.join("run/darts.safetensors"));
    assert!(written["stem.1.num_batches_tracked"].shape.is_empty());
    place.write("cell.txt", text.lines().last().unwrap());

    let values: Vec<f32> = (0..4 * 3 * 80).map(|i| (0.37 * i as f32).sin()).collect();
    let inputs = [
        ("images".to_owned(), Tensor::new(&[4, 3, 8, 10], &values)),
        ("labels".to_owned(), Tensor::labels(&[0, 1, 2, 1])),
    ];
    write(&place, "inputs.safetensors", &inputs.into());
    pass(&place, &["run"]).succeeded();
    let files = ["logits.safetensors", "gradients.safetensors"];
    let of_run = files.map(|file| read(&place.join(file)));
    let weights = [
        "--weights",
        "run/darts.safetensors",
        "--genotype",
        "cell.txt",
    ];
    pass(&place, &weights).succeeded();
    assert_eq!(files.map(|file| read(&place.join(file))), of_run);

    let evaluate = [&["eval", "--data", "folder:pictures"], &weights[..]].concat();
    let text = asap(place.path(), &evaluate).succeeded();
    assert!(text.contains("accuracy"), "{text}");

    // Steps so short that the weights stay what they are; running statistics do move.
    let still = "[train.learning_rate]\nfrom = 1e-12\nto = 0.0\n";
    let head = "[train]\nauxiliary_weight = 0.4\n";
    let config = small_run::CONFIG.replace("[train]\n", head);
    place.write("still.toml", format!("{config}{still}"));
    let train = ["train", "--config", "still.toml", "--out", "on"];
    let said = asap(place.path(), &[&train, &weights[..]].concat());
    assert!(
        said.stderr.contains("the weights have no auxiliary head"),
        "{}",
        said.stderr
    );
    said.succeeded();
    pass(&place, &["on"]).succeeded();
    let [_, gradients] = files.map(|file| read(&place.join(file)));
    assert_near("loss", &gradients["loss"], &of_run[1]["loss"], 1e-5, 0.0);
}

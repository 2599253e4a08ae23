//! What does not fit is named.

use asap_genotype::Listing;
use asap_space::{DartsLayout, DartsNetwork, NamedTensor};

use super::golden::{Golden, derived, search};

fn asap() -> Golden {
    Golden::read("asap")
}

/// Why a state dict that was changed is refused.
fn refusal(change: impl FnOnce(&mut Vec<NamedTensor>)) -> String {
    let golden = asap();
    let layout = derived(&golden, "ASAP");
    let mut state_dict = golden.state_dict;
    change(&mut state_dict);
    layout.tensors(&state_dict).unwrap_err().to_string()
}

fn find<'a>(state_dict: &'a mut [NamedTensor], key: &str) -> &'a mut NamedTensor {
    state_dict
        .iter_mut()
        .find(|tensor| tensor.name == key)
        .unwrap()
}

#[test]
fn a_missing_an_extra_and_a_misshapen_key_are_named_in_one_error() {
    let error = refusal(|state_dict| {
        state_dict.retain(|tensor| tensor.name != "cells.0._ops.1.op.2.weight");
        find(state_dict, "cells.2.preprocess0.bn.running_var").name = "cells.9.x".to_owned();
        find(state_dict, "classifier.bias").shape = vec![2, 5];
    });
    for part in [
        "missing `cells.0._ops.1.op.2.weight` [4, 4, 1, 1]",
        "missing `cells.2.preprocess0.bn.running_var` [16]",
        "`classifier.bias`: expected shape [10], found [2, 5]",
        "unexpected `cells.9.x`",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn an_extra_key_changes_no_size_and_is_the_one_that_is_named() {
    for key in ["cells.4.foo", "auxiliary_head.foo"] {
        let mut golden = asap();
        golden.state_dict.push(NamedTensor {
            name: key.to_owned(),
            shape: vec![1],
            values: vec![0.0],
        });
        let layout = derived(&golden, "ASAP");
        let config = layout.config();
        assert_eq!((config.cells, config.auxiliary), (4, false), "{key}");
        let error = layout.tensors(&golden.state_dict).unwrap_err().to_string();
        assert!(error.ends_with(&format!("unexpected `{key}`")), "{error}");
        assert!(!error.contains("missing"), "{error}");
    }
    // Beside many others it comes first.
    let error = refusal(|state_dict| {
        state_dict.retain(|tensor| !tensor.name.starts_with("cells.1"));
        find(state_dict, "classifier.bias").name = "foo".to_owned();
    });
    let (unexpected, missing) = (error.find("unexpected `foo`"), error.find("missing"));
    assert!(unexpected.is_some() && unexpected < missing, "{error}");
}

#[test]
fn of_many_problems_the_first_are_named_and_the_others_counted() {
    let error =
        refusal(|state_dict| state_dict.retain(|tensor| !tensor.name.starts_with("cells.1")));
    assert_eq!(error.matches("missing").count(), 5, "{error}");
    assert!(
        error.contains("; and ") && error.ends_with(" more"),
        "{error}"
    );
}

#[test]
fn counters_of_batches_are_not_looked_at() {
    let golden = asap();
    let layout = derived(&golden, "ASAP");
    let mut state_dict = golden.state_dict.clone();
    state_dict.push(NamedTensor {
        name: "stem.1.num_batches_tracked".to_owned(),
        shape: vec![],
        values: vec![3.0],
    });
    assert_eq!(
        layout.tensors(&state_dict).unwrap(),
        layout.tensors(&golden.state_dict).unwrap()
    );
}

#[test]
fn a_state_dict_of_another_network_is_refused() {
    let (golden, other) = (asap(), Golden::read("search"));
    let listing = Listing::named("ASAP").unwrap();
    let read = |golden: &Golden, network: DartsNetwork<'_>| {
        let layout = DartsLayout::of_state_dict(&golden.state_dict, network, golden.image());
        layout.unwrap_err().to_string()
    };
    let error = read(&golden, DartsNetwork::Search);
    assert!(
        error.contains("derived network, expected the search network"),
        "{error}"
    );
    let error = read(&other, DartsNetwork::Derived(listing));
    assert!(
        error.contains("search network, expected a derived network"),
        "{error}"
    );

    let xnas = Listing::named("XNAS").unwrap();
    let network = DartsNetwork::Derived(xnas);
    let layout = DartsLayout::of_state_dict(&golden.state_dict, network, golden.image()).unwrap();
    let error = layout.tensors(&golden.state_dict).unwrap_err().to_string();
    assert!(error.contains("unexpected `cells.0._ops."), "{error}");
}

#[test]
fn a_state_dict_that_tells_no_size_is_refused() {
    let listing = Listing::named("ASAP").unwrap();
    let read = |state_dict: &[NamedTensor]| {
        let network = DartsNetwork::Derived(listing);
        let layout = DartsLayout::of_state_dict(state_dict, network, [12, 12]);
        layout.unwrap_err().to_string()
    };
    let error = read(&[]);
    assert!(
        error.contains("missing `stem.0.weight` [3 C, image channels, 3, 3]"),
        "{error}"
    );
    let mut state_dict = asap().state_dict;
    find(&mut state_dict, "classifier.weight").shape = vec![160];
    let error = read(&state_dict);
    assert!(
        error.contains("`classifier.weight`") && error.contains("[160]"),
        "{error}"
    );
}

#[test]
fn statistics_that_should_be_one_and_differ_are_named_by_both_keys() {
    let golden = Golden::read("search");
    let mut config = search(&golden).config().clone();
    config.form = asap_space::Form::Search;
    let layout = DartsLayout::new(config, DartsNetwork::Search).unwrap();
    let error = layout.tensors(&golden.state_dict).unwrap_err().to_string();
    // The first two edges out of node 0 are 0 and 2.
    for key in [
        "cells.0._ops.0._ops.1.1.running_mean",
        "cells.0._ops.2._ops.1.1.running_mean",
    ] {
        assert!(error.contains(key), "{error}");
    }
}

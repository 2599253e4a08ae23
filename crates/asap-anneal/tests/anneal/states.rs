//! A saved annealer that contradicts itself is refused.

use asap_anneal::{AnnealConfig, Annealer, AnnealerState, Moment};
use asap_genotype::OpSet;
use serde_json::{Value, json};

/// A state with a few removals, changed by hand, and what loading it says.
fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let mut annealer = Annealer::new(AnnealConfig::default(), &OpSet::darts7(), 1).unwrap();
    let mut parameters = annealer.parameters().to_vec();
    parameters[3] = 2.0;
    annealer.set_parameters(&parameters).unwrap();
    assert_eq!(
        annealer
            .prune(Moment { epoch: 20, step: 9 }, 0.4)
            .removals
            .len(),
        6
    );
    let mut state = serde_json::to_value(annealer.state()).unwrap();
    change(&mut state);
    match serde_json::from_value::<AnnealerState>(state) {
        Ok(state) => Annealer::from_state(state).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn missing_numbers_are_named() {
    let message = refusal(|state| {
        state["path"].as_array_mut().unwrap().pop();
    });
    assert_eq!(
        message,
        "saved annealing state: expected 218 numbers in `path`, found 217"
    );
}

#[test]
fn a_ledger_of_another_topology_is_refused() {
    let message = refusal(|state| {
        state["ledger"].as_array_mut().unwrap().pop();
    });
    assert!(
        message.contains("the topology that its ledger replays to"),
        "{message}"
    );
}

#[test]
fn a_setting_out_of_range_is_refused() {
    let message = refusal(|state| state["config"]["decay"] = json!(1.5));
    assert!(message.contains("`decay`"), "{message}");
}

#[test]
fn an_unknown_field_is_refused() {
    let message = refusal(|state| state["extra"] = json!(1));
    assert!(message.contains("extra"), "{message}");
}

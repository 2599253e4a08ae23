//! The ledger as a file: its form, its replay, what counts as a decision, and what as noise.

use asap_anneal::{AnnealConfig, Annealer, Decisions, EdgeRule, LedgerLine, Moment, replay};
use asap_genotype::{OpSet, OpWeights};

use crate::walk::{Noise, search};

fn noise_search(seed: u64, alpha_steps: usize, travel: f64) -> Annealer {
    let mut annealer = Annealer::new(AnnealConfig::default(), &OpSet::darts7(), seed).unwrap();
    let mut noise = Noise::new(seed);
    search(
        &mut annealer,
        alpha_steps,
        travel,
        |annealer, temperature| {
            annealer.gradient(temperature, &noise.op_weights(annealer.topology()))
        },
    );
    annealer
}

#[test]
fn a_line_is_one_json_object_with_the_documented_names() {
    let mut annealer = noise_search(1, 100, 4.7);
    annealer.force(
        Moment {
            epoch: 1,
            step: 100,
        },
        0.13,
    );
    let operation = annealer
        .ledger()
        .iter()
        .find(|line| line.operation.is_some())
        .unwrap();
    let json = serde_json::to_value(operation).unwrap();
    let names: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let documented = [
        "alpha_gap",
        "alpha_steps",
        "cell",
        "edge",
        "epoch",
        "forced",
        "net_displacement",
        "operation",
        "path_length",
        "phi",
        "reason",
        "rival",
        "rival_edge",
        "step",
        "temperature",
        "threshold",
    ];
    assert_eq!(names, documented);
    assert!(json["edge"]["from"].is_u64() && json["rival_edge"].is_null());
    assert_eq!(json["reason"], "threshold");
    assert!(["normal", "reduction"].contains(&json["cell"].as_str().unwrap()));

    let edge = annealer
        .ledger()
        .iter()
        .find(|line| line.operation.is_none())
        .unwrap();
    let json = serde_json::to_value(edge).unwrap();
    assert!(
        json["operation"].is_null() && json["rival"].is_null() && json["rival_edge"]["to"].is_u64()
    );
}

#[test]
fn lines_read_back_are_the_lines_written() {
    let annealer = noise_search(2, 100, 4.7);
    let text: Vec<String> = annealer
        .ledger()
        .iter()
        .map(|line| serde_json::to_string(line).unwrap())
        .collect();
    let read: Vec<LedgerLine> = text
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, annealer.ledger());
    assert!(text.iter().all(|line| !line.contains('\n')));
}

#[test]
fn a_ledger_with_a_line_twice_names_the_line() {
    let mut annealer = noise_search(3, 100, 4.7);
    annealer.force(
        Moment {
            epoch: 1,
            step: 100,
        },
        0.13,
    );
    let mut ledger = annealer.ledger().to_vec();
    ledger.insert(5, ledger[4].clone());
    let error = replay(&OpSet::darts7(), &ledger).unwrap_err().to_string();
    assert!(error.starts_with("ledger line 6: "), "{error}");
}

#[test]
fn every_line_is_one_decision() {
    let mut annealer = noise_search(4, 100, 2.0);
    let by_annealing = annealer.ledger().len();
    let forced = annealer
        .force(
            Moment {
                epoch: 1,
                step: 100,
            },
            0.13,
        )
        .len();
    assert!(by_annealing > 0 && forced > 0);
    let count = Decisions::count(annealer.ledger());
    assert_eq!(
        (count.decisions, count.forced),
        (by_annealing + forced, forced)
    );
}

#[test]
fn decisions_of_noise_are_marked_as_such() {
    for (alpha_steps, seed) in [(100, 1), (500, 2), (1000, 3)] {
        let annealer = noise_search(seed, alpha_steps, 4.7);
        let count = Decisions::count(annealer.ledger());
        let marked = count.explained_by_noise as f64 / count.decisions as f64;
        assert!(
            count.decisions > 20 && marked > 0.9,
            "{alpha_steps} steps: {count:?}"
        );
    }
}

#[test]
fn decisions_of_a_steady_gradient_are_not_marked() {
    let mut annealer = Annealer::new(
        AnnealConfig {
            edge_rule: EdgeRule::FirstDecided,
            ..AnnealConfig::default()
        },
        &OpSet::darts7(),
        1,
    )
    .unwrap();
    let steady = [-1.0, 0.4, 0.3, 0.2, 0.1, 0.0, -0.1];
    search(&mut annealer, 500, 2.0, |annealer, temperature| {
        let mut gradient = OpWeights::zeros(annealer.topology());
        for kind in asap_genotype::CellKind::ALL {
            for (edge, alive) in annealer.topology().cell(kind).edges() {
                let of = |operation| steady[annealer.op_set().position(operation).unwrap()];
                gradient.cell_mut(kind)[edge.index()] = alive.iter().map(|one| of(*one)).collect();
            }
        }
        annealer.gradient(temperature, &gradient)
    });
    let count = Decisions::count(annealer.ledger());
    assert_eq!((count.decisions, count.explained_by_noise), (28 * 6, 0));
}

//! The op weights of every edge over time: a stack of operations as high as the edge's own weight.

use std::fmt::Write;

use asap_genotype::{CellKind, Edge, INPUT_NODES, NODES, Operation};

use crate::escape::escape;
use crate::read::{Epoch, Phase, Removal};
use crate::run::Report;

const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 76.0;

/// The stacks of both cells; nothing when no epoch has op weights.
pub(crate) fn section(report: &Report) -> Option<String> {
    let epochs: Vec<&Epoch> = report
        .epochs(Phase::Search)
        .filter(|epoch| epoch.op_weights.is_some())
        .collect();
    epochs.first()?;
    let mut html = String::from(
        "<section id=\"op-weights\"><h2>Op weights over time</h2><p>One picture per edge, epochs from \
         left to right. The height of a colour is the weight of that operation; a stack is as high as the \
         weight of its edge, and the line on top is 1. Where edges anneal too, those into a node weigh 2 \
         together: their stacks start low, and two of them grow to full height.</p><p class=\"keys\">",
    );
    for operation in Operation::ALL {
        if epochs.iter().any(|epoch| {
            CellKind::ALL
                .iter()
                .any(|kind| has(epoch, *kind, operation))
        }) {
            let _ = write!(
                html,
                "<span class=\"key\"><i class=\"dot op-{operation}\"></i>{operation}</span>"
            );
        }
    }
    html += "</p>";
    for kind in CellKind::ALL {
        let _ = write!(html, "<h3>{kind} cell</h3>");
        for node in INPUT_NODES..NODES {
            let _ = write!(html, "<h4>into node {node}</h4><div class=\"stacks\">");
            for edge in Edge::incoming(node) {
                html += &figure(report, &epochs, kind, edge);
            }
            html += "</div>";
        }
    }
    Some(html + "</section>")
}

fn has(epoch: &Epoch, kind: CellKind, operation: Operation) -> bool {
    let cell = epoch.op_weights.as_ref().and_then(|cells| cells.get(&kind));
    cell.is_some_and(|edges| edges.values().any(|edge| edge.contains_key(&operation)))
}

fn weight(epoch: &Epoch, kind: CellKind, edge: Edge, operation: Operation) -> f64 {
    let cell = epoch.op_weights.as_ref().and_then(|cells| cells.get(&kind));
    let weight = cell.and_then(|edges| edges.get(&edge.to_string())?.get(&operation));
    weight
        .copied()
        .filter(|weight| weight.is_finite())
        .unwrap_or(0.0)
        .clamp(0.0, 1.0)
}

fn figure(report: &Report, epochs: &[&Epoch], kind: CellKind, edge: Edge) -> String {
    let mut below = vec![0.0; epochs.len()];
    let mut areas = String::new();
    for operation in Operation::ALL {
        let weights: Vec<f64> = epochs
            .iter()
            .map(|epoch| weight(epoch, kind, edge, operation))
            .collect();
        if weights.iter().all(|weight| *weight == 0.0) {
            continue;
        }
        let above: Vec<f64> = below
            .iter()
            .zip(&weights)
            .map(|(base, one)| base + one)
            .collect();
        let _ = write!(
            areas,
            "<path class=\"area op-{operation}\" d=\"{}\"><title>{operation}: {:.2} at first, {:.2} in \
             the end</title></path>",
            area(&below, &above),
            weights[0],
            weights[weights.len() - 1],
        );
        below = above;
    }
    format!(
        "<figure><figcaption><b>{}→{}</b>{}</figcaption><svg class=\"plot\" role=\"img\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\"><title>op weights of edge {}</title><path class=\"grid\" \
         d=\"M0 .5H{WIDTH}M0 {:.1}H{WIDTH}\"/>{areas}</svg></figure>",
        edge.from(),
        edge.to(),
        outcome(report, epochs, kind, edge),
        escape(&edge.to_string()),
        HEIGHT - 0.5,
    )
}

/// The ground between two lines; a single epoch is drawn over the whole width.
fn area(below: &[f64], above: &[f64]) -> String {
    let (below, above) = match (below, above) {
        ([low], [high]) => (vec![*low; 2], vec![*high; 2]),
        _ => (below.to_vec(), above.to_vec()),
    };
    let steps = (below.len() - 1) as f64;
    let point = |(index, value): (usize, &f64)| {
        // A pixel stays free above and below for the lines at 0 and 1.
        let y = HEIGHT - 1.0 - (HEIGHT - 2.0) * value.min(1.0);
        format!("{:.1} {y:.1}", WIDTH * index as f64 / steps)
    };
    let mut points: Vec<String> = above.iter().enumerate().map(point).collect();
    points.extend(below.iter().enumerate().map(point).rev());
    format!("M{}Z", points.join("L"))
}

/// What became of the edge, in a few words.
fn outcome(report: &Report, epochs: &[&Epoch], kind: CellKind, edge: Edge) -> String {
    let removals: Vec<&Removal> = report
        .ledger
        .iter()
        .filter(|line| line.cell == kind && line.edge == edge)
        .collect();
    let forced = removals.iter().any(|line| line.forced);
    let mark = if forced {
        " <span class=\"mark\">forced</span>"
    } else {
        ""
    };
    if let Some(gone) = removals.iter().find(|line| line.operation.is_none()) {
        let when = if gone.forced {
            "at the end"
        } else {
            &format!("in epoch {}", gone.epoch + 1)
        };
        return format!("<span class=\"gone\">gone {when}</span>{mark}");
    }
    let kept = report
        .genotype
        .as_ref()
        .filter(|_| report.search_has_ended())
        .and_then(|genotype| {
            genotype
                .cell(kind)
                .edges()
                .find(|(other, _)| *other == edge)
                .map(|(_, kept)| kept)
        });
    let last = epochs.last().map(|epoch| {
        Operation::ALL
            .into_iter()
            .filter(|one| weight(epoch, kind, edge, *one) > 0.0)
            .collect()
    });
    let alive: Vec<Operation> = last.unwrap_or_default();
    match (kept.as_ref(), alive.as_slice()) {
        (Some(one), _) | (None, [one]) => {
            format!("<span><i class=\"dot op-{one}\"></i>{one}</span>{mark}")
        }
        (None, []) => format!("<span class=\"gone\">gone</span>{mark}"),
        (None, _) => format!("<span class=\"gone\">{} alive</span>{mark}", alive.len()),
    }
}

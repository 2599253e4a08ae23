//! The files of a run that never ran: a toy search whose alphas drift and jitter, written the way
//! a real run writes them.

use std::fs;
use std::path::{Path, PathBuf};

use asap_genotype::{CellKind, Edge, OpSet, Operation, Topology};
use serde_json::{Map, Value, json};

pub(crate) const EPOCHS: usize = 12;
const STEPS: usize = 40;

/// A new empty folder for a test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("asap-report")
        .join(name);
    // It may be there from an earlier test run.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn write_lines(path: &Path, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).unwrap();
}

/// A search, its training and its test, all done.
pub(crate) fn finished(name: &str) -> PathBuf {
    let folder = folder(name);
    let search = Search::run(EPOCHS);
    fs::write(folder.join("config.toml"), CONFIG).unwrap();
    let mut metrics = search.metrics;
    metrics.extend((1..=6).map(train_line));
    write_lines(&folder.join("metrics.jsonl"), &metrics);
    write_lines(&folder.join("ledger.jsonl"), &search.ledger);
    let genotype = search.topology.to_genotype(&OpSet::darts7()).unwrap();
    fs::write(folder.join("genotype.json"), genotype.to_json()).unwrap();
    fs::write(
        folder.join("summary.json"),
        summary(&search.ledger).to_string(),
    )
    .unwrap();
    folder
}

/// A search that has done a few epochs.
pub(crate) fn unfinished(name: &str, epochs: usize) -> PathBuf {
    let folder = folder(name);
    let search = Search::run(epochs);
    fs::write(folder.join("config.toml"), CONFIG).unwrap();
    write_lines(&folder.join("metrics.jsonl"), &search.metrics);
    write_lines(&folder.join("ledger.jsonl"), &search.ledger);
    fs::write(folder.join("genotype.json"), asap_genotype::ASAP.to_json()).unwrap();
    folder
}

const CONFIG: &str = "# The preset the values started from.\npreset = \"quick\"\ntask = \"search\"\n\
    # Seed of all chance.\nseed = 7\nthreads = 2\n\n[data]\nsource = \"fashion-mnist\"\n\
    path = \"datasets/fashion-mnist\"\n\n[anneal]\ninitial_temperature = 1.6\ndecay = 0.95\n\
    grace_temperature = 1.0\nthreshold_factor = 0.4\n\n[search]\nchannels = 8\ncells = 5\n\
    epochs = 12\nbatch = 32\n";

/// The alphas of an edge by operation, and its own logit.
struct EdgeState {
    alphas: Vec<(Operation, Walk)>,
    logit: Walk,
}

/// A number that drifts and jitters, and the length of its way.
#[derive(Clone, Copy)]
struct Walk {
    value: f64,
    drift: f64,
    path: f64,
}

struct Search {
    topology: Topology,
    cells: [Vec<EdgeState>; 2],
    metrics: Vec<Value>,
    ledger: Vec<Value>,
    random: u64,
    alpha_steps: usize,
}

impl Search {
    fn run(epochs: usize) -> Self {
        let mut search = Self {
            topology: Topology::full(&OpSet::darts7()),
            cells: [Vec::new(), Vec::new()],
            metrics: Vec::new(),
            ledger: Vec::new(),
            random: 11,
            alpha_steps: 0,
        };
        for cell in 0..2 {
            for _ in Edge::all() {
                let alphas = OpSet::darts7()
                    .operations()
                    .iter()
                    .map(|operation| (*operation, search.walk()))
                    .collect();
                let logit = search.walk();
                search.cells[cell].push(EdgeState { alphas, logit });
            }
        }
        for epoch in 0..epochs {
            let grace = temperature(epoch * STEPS) >= 1.0;
            for step in epoch * STEPS..(epoch + 1) * STEPS {
                if temperature(step) < 1.0 {
                    search.step(epoch, step);
                }
            }
            let line = search.metrics_line(epoch, grace);
            search.metrics.push(line);
        }
        if epochs == EPOCHS {
            search.force();
        }
        search
    }

    fn walk(&mut self) -> Walk {
        Walk {
            value: 0.0,
            drift: self.noise() * 0.0045,
            path: 0.0,
        }
    }

    /// Between -1 and 1, the same in every run.
    fn noise(&mut self) -> f64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695);
        (self.random >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    }

    fn step(&mut self, epoch: usize, step: usize) {
        self.alpha_steps += 1;
        let t = temperature(step);
        for (cell, kind) in CellKind::ALL.into_iter().enumerate() {
            for edge in Edge::all() {
                let mut noises = Vec::new();
                for _ in 0..8 {
                    noises.push(self.noise());
                }
                let state = &mut self.cells[cell][edge.index()];
                let walks = state
                    .alphas
                    .iter_mut()
                    .map(|(_, walk)| walk)
                    .chain([&mut state.logit]);
                for (walk, noise) in walks.zip(noises) {
                    let moved = walk.drift + 0.004 * noise;
                    walk.value += moved;
                    walk.path += moved.abs();
                }
                let phis = self.phis(cell, edge, t);
                let weakest = phis.iter().min_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((operation, phi)) = weakest.filter(|_| phis.len() > 1)
                    && *phi < 0.4 / 7.0
                {
                    self.remove(epoch, step, kind, edge, *operation, *phi, false);
                }
            }
            for node in 2..6 {
                let weights = self.edge_weights(kind, node, t);
                let weakest = weights.iter().min_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((edge, weight)) = weakest.filter(|_| weights.len() > 2)
                    && *weight < 0.4 / node as f64
                {
                    self.remove_edge(epoch, step, kind, *edge, *weight, false);
                }
            }
        }
    }

    fn force(&mut self) {
        let (epoch, step) = (EPOCHS, EPOCHS * STEPS);
        for (cell, kind) in CellKind::ALL.into_iter().enumerate() {
            for node in 2..6 {
                while self.edge_weights(kind, node, temperature(step)).len() > 2 {
                    let weights = self.edge_weights(kind, node, temperature(step));
                    let (edge, weight) = weights
                        .into_iter()
                        .min_by(|a, b| a.1.total_cmp(&b.1))
                        .unwrap();
                    self.remove_edge(epoch, step, kind, edge, weight, true);
                }
            }
            for edge in Edge::all() {
                while self.topology.cell(kind).alive(edge).len() > 1 {
                    let phis = self.phis(cell, edge, temperature(step));
                    let (operation, phi) =
                        phis.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
                    self.remove(epoch, step, kind, edge, operation, phi, true);
                }
            }
        }
    }

    fn phis(&self, cell: usize, edge: Edge, t: f64) -> Vec<(Operation, f64)> {
        let alive = self.topology.cell(CellKind::ALL[cell]).alive(edge);
        let state = &self.cells[cell][edge.index()];
        let of = |operation: &Operation| {
            let (_, walk) = state
                .alphas
                .iter()
                .find(|(one, _)| one == operation)
                .unwrap();
            (walk.value / t).exp()
        };
        let sum: f64 = alive.iter().map(of).sum();
        alive
            .iter()
            .map(|operation| (*operation, of(operation) / sum))
            .collect()
    }

    fn edge_weights(&self, kind: CellKind, node: usize, t: f64) -> Vec<(Edge, f64)> {
        let alive =
            Edge::incoming(node).filter(|edge| !self.topology.cell(kind).alive(*edge).is_empty());
        let alive: Vec<Edge> = alive.collect();
        let of = |edge: &Edge| (self.cells[kind as usize][edge.index()].logit.value / t).exp();
        // The factor with which weights of 1 at most add up to 2, by halving an interval.
        let sum = |factor: f64| {
            alive
                .iter()
                .map(|edge| (factor * of(edge)).min(1.0))
                .sum::<f64>()
        };
        let (mut low, mut high) = (0.0, 1e9);
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            if sum(middle) < 2.0 {
                low = middle
            } else {
                high = middle
            }
        }
        alive
            .iter()
            .map(|edge| (*edge, (high * of(edge)).min(1.0)))
            .collect()
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a ledger line")]
    fn remove(
        &mut self,
        epoch: usize,
        step: usize,
        kind: CellKind,
        edge: Edge,
        operation: Operation,
        phi: f64,
        forced: bool,
    ) {
        let t = temperature(step);
        let rival = self
            .phis(kind as usize, edge, t)
            .into_iter()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap();
        let state = &self.cells[kind as usize][edge.index()];
        let walk = |operation| {
            state
                .alphas
                .iter()
                .find(|(one, _)| *one == operation)
                .unwrap()
                .1
        };
        let (gone, kept) = (walk(operation), walk(rival.0));
        self.topology
            .cell_mut(kind)
            .remove_operation(edge, operation)
            .unwrap();
        self.ledger.push(json!({
            "epoch": epoch, "step": step, "cell": kind, "edge": edge, "operation": operation,
            "reason": if forced { "forced" } else { "threshold" }, "forced": forced, "phi": phi,
            "threshold": 0.4 / 7.0, "temperature": t, "alpha_gap": kept.value - gone.value,
            "rival": rival.0, "rival_edge": null, "net_displacement": kept.value - gone.value,
            "path_length": kept.path + gone.path, "alpha_steps": self.alpha_steps,
        }));
    }

    fn remove_edge(
        &mut self,
        epoch: usize,
        step: usize,
        kind: CellKind,
        edge: Edge,
        weight: f64,
        forced: bool,
    ) {
        self.topology.cell_mut(kind).remove_edge(edge).unwrap();
        let weights = self.edge_weights(kind, edge.to(), temperature(step));
        let rival = weights
            .into_iter()
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap()
            .0;
        let walk = |edge: Edge| self.cells[kind as usize][edge.index()].logit;
        let (gone, kept) = (walk(edge), walk(rival));
        self.ledger.push(json!({
            "epoch": epoch, "step": step, "cell": kind, "edge": edge, "operation": null,
            "reason": if forced { "forced" } else { "edge" }, "forced": forced, "phi": weight,
            "threshold": 0.4 / edge.to() as f64, "temperature": temperature(step),
            "alpha_gap": kept.value - gone.value, "rival": null, "rival_edge": rival,
            "net_displacement": kept.value - gone.value, "path_length": kept.path + gone.path,
            "alpha_steps": self.alpha_steps,
        }));
    }

    fn metrics_line(&self, epoch: usize, grace: bool) -> Value {
        let t = temperature((epoch + 1) * STEPS - 1);
        let mut op_weights = Map::new();
        for (cell, kind) in CellKind::ALL.into_iter().enumerate() {
            let mut edges = Map::new();
            for node in 2..6 {
                for (edge, weight) in self.edge_weights(kind, node, t) {
                    let phis = self.phis(cell, edge, t).into_iter();
                    let phis = phis.map(|(one, phi)| (one.to_string(), json!(weight * phi)));
                    edges.insert(edge.to_string(), Value::Object(phis.collect()));
                }
            }
            op_weights.insert(kind.to_string(), Value::Object(edges));
        }
        let alive = self.topology.operations_alive() as f64;
        let done = epoch as f64;
        let alpha = |value: f64| if grace { Value::Null } else { json!(value) };
        json!({
            "phase": "search", "epoch": epoch + 1, "epochs": EPOCHS, "steps": STEPS,
            "weight_loss": 0.38 + 1.5 * (-done / 2.4).exp(),
            "weight_accuracy": 0.865 - 0.4 * (-done / 2.1).exp(),
            "val_loss": 0.42 + 1.3 * (-done / 2.6).exp(),
            "val_accuracy": 0.852 - 0.42 * (-done / 2.2).exp(),
            "alpha_loss": alpha(0.44 + 1.1 * (-done / 2.6).exp()),
            "temperature": t, "operations_alive": alive as usize,
            "edges_alive": self.topology.edges_alive(),
            "weight_step_seconds": 0.012 + 0.0005 * alive, "alpha_step_seconds": alpha(0.009 + 0.0004 * alive),
            "images_per_second": 400.0, "rss_mib": 95.0 + 0.55 * alive, "learning_rate": 0.05,
            "op_weights": op_weights,
        })
    }
}

fn temperature(step: usize) -> f64 {
    1.6 * 0.95_f64.powf(50.0 * step as f64 / (EPOCHS * STEPS) as f64)
}

fn train_line(epoch: usize) -> Value {
    let done = epoch as f64;
    json!({
        "phase": "train", "epoch": epoch, "epochs": 6, "steps": 500,
        "weight_loss": 0.2 + 0.6 / done, "weight_accuracy": 0.93 - 0.2 / done,
        "val_loss": 0.25 + 0.4 / done, "val_accuracy": 0.915 - 0.1 / done, "alpha_loss": null,
        "temperature": null, "operations_alive": null, "edges_alive": null,
        "weight_step_seconds": 0.021, "alpha_step_seconds": null, "images_per_second": 3000.0,
        "rss_mib": 140.0, "learning_rate": 0.05 * (1.0 + (0.6 * done - 0.6).cos()), "op_weights": null,
    })
}

fn summary(ledger: &[Value]) -> Value {
    let classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ];
    let rows: Vec<Vec<u64>> = (0..10)
        .map(|row: u64| {
            (0..10)
                .map(|column| match column {
                    _ if column == row => 990 - 27 * row,
                    _ if column == (row + 4) % 10 => 2 + 19 * row,
                    _ => 1 + row,
                })
                .collect()
        })
        .collect();
    let forced = ledger.iter().filter(|line| line["forced"] == true).count();
    let mut summary = json!({
        "task": "search", "seed": 7, "preset": "quick", "recipe": "quick", "data": "fashion-mnist",
        "train_images": 58976, "search_seconds": 141.7, "train_seconds": 256.2, "test_seconds": 4.1,
        "search_val_accuracy": 0.8535, "search_val_images": 1024, "discretisation_gap": 0.0312,
        "discretisation_accuracy_change": -0.0039, "derivation_difference": 2.1e-6,
        "compared_images": 256, "decisions": ledger.len(), "forced_decisions": forced,
        "search_epochs": EPOCHS, "first_weight_step_seconds": 0.1102,
        "last_weight_step_seconds": 0.0214, "test_accuracy": 0.9127, "parameters": 162_334,
        "macs": 21_534_208, "peak_rss_mib": 204.0,
        "test": {
            "images": 10000, "views": "plain", "accuracy": 0.9127, "top5": 0.9951, "loss": 0.24,
            "calibration_error": 0.0213,
            "classes": (0..10).map(|index| json!({
                "name": classes[index], "images": 1000, "recall": rows[index][index] as f64 / 1000.0,
                "precision": 0.5 + index as f64 / 100.0,
            })).collect::<Vec<_>>(),
            "confusion": rows, "images_per_second": 2400.0,
        },
        "threads": 2, "simd": "avx512", "version": "0.1.0",
        "command": ["asap", "search", "--seed", "7", "--out", "my runs"],
    });
    // In two parts: one would be more than the macro can take.
    let costs = json!({
        "channels": 16, "cells": 5, "classes": 10, "image_channels": 1, "height": 28, "width": 28,
        "batch": 64, "training_activation_bytes": 60 << 20, "inference_activation_bytes": 1 << 20,
        "disk_f32_bytes": 665_000, "disk_f16_bytes": 332_500,
    });
    for (name, value) in costs.as_object().unwrap() {
        summary[name] = value.clone();
    }
    summary
}

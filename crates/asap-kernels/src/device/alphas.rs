//! The alphas of a search, on the device: what moves them, and where they lie.

use super::abi::{self, Group, THREADS};
use super::engine::DeviceEngine;
use super::launch::{Launch, Part, Work};
use crate::error::{Error, expect_len};

/// Alphas, one for each op weight and in their order, then the logits of edges where these anneal; and what Adam keeps for each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alphas {
    /// The values.
    pub parameters: Vec<f64>,
    /// Means of gradients.
    pub mean: Vec<f64>,
    /// Means of their squares.
    pub square: Vec<f64>,
}

/// One step of Adam, at a temperature: the gradient is clipped, then L2 is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlphaDescent {
    /// Of the softmax that makes op weights of alphas.
    pub temperature: f64,
    /// About how far an alpha moves.
    pub learning_rate: f64,
    /// Share of the mean of gradients that stays.
    pub beta1: f64,
    /// Share of the mean of squares that stays.
    pub beta2: f64,
    /// L2.
    pub weight_decay: f64,
    /// Largest norm of the gradient; infinite where it is taken as it is.
    pub clip: f64,
    /// Which step this is, from 1 on.
    pub step: u32,
}

/// Alphas on the device.
pub(super) struct AlphaSet {
    pub(super) block: u64,
    job: abi::Alphas,
    pub(super) launch: Launch,
}

impl AlphaSet {
    /// Numbers of a kind.
    pub(super) fn len(&self) -> usize {
        let logits = self.job.logits * self.job.edges_count;
        (self.job.alphas + logits) as usize
    }

    /// What [`Alphas`] has, in its order.
    pub(super) fn parts(&self) -> [Part; 3] {
        [self.job.parameters, self.job.mean, self.job.square].map(|address| Part {
            address,
            bytes: 8 * self.len(),
        })
    }
}

impl DeviceEngine {
    /// Puts alphas on the device, in the place of others. `nodes` has, for every node of the cells, how many operations each of
    /// its edges has, in the order of op weights.
    ///
    /// # Errors
    /// If lengths do not fit each other or the plan, or the device fails.
    pub fn set_alphas(&mut self, nodes: &[Vec<usize>], alphas: &Alphas) -> Result<(), Error> {
        let groups = |counts: &mut dyn Iterator<Item = usize>| -> Vec<Group> {
            let mut first = 0;
            let group = counts.map(|count| {
                let count = count as u32;
                first += count;
                Group {
                    first: first - count,
                    count,
                }
            });
            group.collect()
        };
        let edges = groups(&mut nodes.iter().flatten().copied());
        let node_groups = groups(&mut nodes.iter().map(Vec::len));
        let operations = nodes.iter().flatten().sum::<usize>();
        expect_len("operations", self.plan.op_weights, operations)?;
        let len = alphas.parameters.len();
        let logits = len != operations;
        let expected = operations + if logits { edges.len() } else { 0 };
        expect_len("alphas", expected, len)?;
        expect_len("means", len, alphas.mean.len())?;
        expect_len("squares", len, alphas.square.len())?;
        // Every part begins on a line of its own.
        let lens = [len, len, len, len, operations, edges.len(), edges.len()];
        let ends = lens.iter().scan(0, |at, len| {
            let begin = *at;
            *at += (8 * len).next_multiple_of(256);
            Some((begin as u64, *at))
        });
        let (begins, ends): (Vec<u64>, Vec<usize>) = ends.unzip();
        let tables = ends[ends.len() - 1] as u64;
        let (edges_at, nodes_at) = (tables, tables + size_of_val(&*edges) as u64);
        let job_at = nodes_at + size_of_val(&*node_groups) as u64;
        let job_at = job_at.next_multiple_of(16);
        self.hand_over()?;
        self.op_weights_kept = false;
        self.forget_alphas();
        let bytes = job_at as usize + size_of::<abi::Alphas>();
        let block = self.device.allocate(bytes)?;
        let [parameters, mean, square, gradient, phi, weight, slope] =
            [0, 1, 2, 3, 4, 5, 6].map(|part| block + begins[part]);
        let bases = &self.built.bases;
        let job = abi::Alphas {
            parameters,
            mean,
            square,
            gradient,
            phi,
            weight,
            slope,
            op_weight_gradients: bases.op_weight_gradients,
            op_weights: bases.op_weights,
            outcome: bases.outcome,
            edges: block + edges_at,
            nodes: block + nodes_at,
            alphas: operations as u32,
            edges_count: edges.len() as u32,
            nodes_count: node_groups.len() as u32,
            logits: u32::from(logits),
        };
        let launch = Launch {
            kernel: "alphas",
            grid: [1; 3],
            shared_bytes: 8 * THREADS,
            jobs: block + job_at,
            step: bases.step,
            work: Work {
                bytes: 8.0 * 7.0 * len as f64,
                operations: 0.0,
            },
        };
        for (address, values) in [
            (parameters, &alphas.parameters),
            (mean, &alphas.mean),
            (square, &alphas.square),
        ] {
            self.device.upload(address, abi::bytes(values))?;
        }
        self.device.upload(job.edges, abi::bytes(&edges))?;
        self.device.upload(job.nodes, abi::bytes(&node_groups))?;
        self.device.upload(launch.jobs, abi::bytes(&[job]))?;
        self.alphas = Some(AlphaSet { block, job, launch });
        Ok(())
    }

    /// Gives back the memory of alphas; those of a plan are of no use to another.
    pub(super) fn forget_alphas(&mut self) {
        if let Some(alphas) = self.alphas.take() {
            self.forget_graphs();
            self.device.free(alphas.block);
        }
    }
}

pub(super) fn no_alphas() -> Error {
    Error::Device {
        what: "a step of the alphas".to_owned(),
        problem: "none lie on the device, or none have moved in this step".to_owned(),
    }
}

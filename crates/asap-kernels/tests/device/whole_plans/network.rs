//! Networks for tests, and everything that a step of them reads.

use asap_kernels::{
    AuxiliaryForm, CellOperation, CellSpec, Connection, ParameterKind, Plan, PlanBuilder, padded,
};

const ALL: [CellOperation; 7] = [
    CellOperation::MaxPool,
    CellOperation::AveragePool,
    CellOperation::Skip,
    CellOperation::Separable { kernel: 3 },
    CellOperation::Separable { kernel: 5 },
    CellOperation::Dilated { kernel: 3 },
    CellOperation::Dilated { kernel: 5 },
];

/// A network for a test.
#[derive(Clone)]
pub(super) struct Network {
    pub(super) image: [usize; 3],
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) operations: Vec<CellOperation>,
    pub(super) affine: bool,
    pub(super) normalise_pools: bool,
    /// Stride of every cell.
    pub(super) cells: Vec<usize>,
    pub(super) auxiliary: Option<AuxiliaryForm>,
    pub(super) image_stem: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            image: [8, 8, 3],
            batch: 3,
            channels: 8,
            operations: ALL.to_vec(),
            affine: false,
            normalise_pools: true,
            cells: vec![1, 2],
            auxiliary: None,
            image_stem: false,
        }
    }
}

impl Network {
    pub(super) fn plan(&self) -> Plan {
        let edges = (2..6).flat_map(|to| (0..to).map(move |from| (from, to)));
        // Every edge of all nodes but the last has all operations; the last has one for each edge, so that the test is short.
        let connections: Vec<Connection> = edges
            .flat_map(|(from, to)| {
                let kept = match to {
                    5 => from % self.operations.len()..from % self.operations.len() + 1,
                    _ => 0..self.operations.len(),
                };
                self.operations[kept].iter().map(move |o| (from, to, *o))
            })
            .enumerate()
            .map(|(weight, (from, to, operation))| Connection {
                from,
                to,
                operation,
                weight,
            })
            .collect();
        let (batch, count) = (self.batch, connections.len());
        let mut builder = match self.image_stem {
            true => PlanBuilder::with_image_stem(batch, count, self.image, self.channels),
            false => PlanBuilder::new(batch, count, self.image, 3 * self.channels),
        };
        let mut channels = self.channels;
        let mut halved = self.image_stem;
        for (i, &stride) in self.cells.iter().enumerate() {
            channels *= stride;
            builder.cell(&CellSpec {
                name: format!("cells.{i}"),
                channels,
                stride,
                reduce_first_input: halved,
                affine: self.affine,
                normalise_pools: self.normalise_pools,
                connections: &connections,
            });
            halved = stride == 2;
        }
        if let Some(form) = self.auxiliary {
            builder.auxiliary(form);
        }
        builder.finish(5)
    }
}

/// Numbers that look random, -1 to 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }

    fn many(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.next()).collect()
    }
}

/// Everything a step reads.
pub(super) struct Inputs {
    pub(super) weights: Vec<f32>,
    pub(super) statistics: Vec<f32>,
    pub(super) op_weights: Vec<f32>,
    pub(super) pixels: Vec<f32>,
    pub(super) labels: Vec<u32>,
}

impl Inputs {
    pub(super) fn new(plan: &Plan, image: [usize; 3], images: usize) -> Self {
        let mut random = Random(7);
        let mut weights = vec![0.0; plan.slab_len()];
        for parameter in plan.parameters() {
            let spread = (1.5 / parameter.kind.fan_in() as f32).sqrt();
            for place in parameter.kind.places() {
                let value = random.next();
                weights[parameter.offset + place] = match parameter.kind {
                    ParameterKind::Scale { .. } => 1.0 + 0.3 * value,
                    _ => spread * value,
                };
            }
        }
        let mut statistics = vec![0.0; plan.statistics_len()];
        for s in plan.statistics() {
            for c in 0..s.channels {
                statistics[s.offset + c] = 0.1 * random.next();
                statistics[s.offset + padded(s.channels) + c] = 1.5 + random.next();
            }
        }
        let op_weights = (0..plan.op_weights()).map(|_| 0.15 + 0.1 * random.next());
        let op_weights = op_weights.collect();
        let pixels = random.many(images * image.iter().product::<usize>());
        let labels = (0..images as u32).map(|i| (3 * i + 1) % 5).collect();
        Self {
            weights,
            statistics,
            op_weights,
            pixels,
            labels,
        }
    }
}

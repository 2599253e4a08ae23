//! Seeded numbers and topologies for the tests.

use asap_genotype::{CellKind, CellTopology, Edge, OpWeights, Topology};

/// SplitMix64: a few lines, the same on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    /// Uniform between two numbers.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.bits() >> 40) as f32 / (1 << 24) as f32
    }

    /// Pixels of about unit variance.
    pub(crate) fn pixels(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| (0..4).map(|_| self.between(-0.87, 0.87)).sum())
            .collect()
    }

    /// Two thirds flat, as pictures of objects are: whole regions of equal values reach every layer.
    pub(crate) fn pixels_on_flat_ground(&mut self, count: usize) -> Vec<f32> {
        let mut pixels = self.pixels(count);
        for (i, pixel) in pixels.iter_mut().enumerate() {
            if i / 100 % 3 != 0 {
                *pixel = -0.8;
            }
        }
        pixels
    }

    pub(crate) fn labels(&mut self, count: usize, classes: usize) -> Vec<u32> {
        (0..count).map(|_| self.below(classes) as u32).collect()
    }

    /// Positive weights, every one a number that `f32` holds exactly.
    pub(crate) fn op_weights(&mut self, topology: &Topology) -> OpWeights {
        let mut weights = OpWeights::ones(topology);
        for kind in CellKind::ALL {
            for weight in weights.cell_mut(kind).iter_mut().flatten() {
                *weight = f64::from(self.between(0.05, 0.6));
            }
        }
        weights
    }

    /// Removes edges and operations as a search might; every node keeps an edge.
    pub(crate) fn prune(&mut self, topology: &mut Topology) {
        for kind in CellKind::ALL {
            for edge in Edge::all() {
                self.prune_edge(topology.cell_mut(kind), edge);
            }
        }
    }

    fn prune_edge(&mut self, cell: &mut CellTopology, edge: Edge) {
        if cell.alive(edge).is_empty() {
            return;
        }
        let alive = Edge::incoming(edge.to()).filter(|other| !cell.alive(*other).is_empty());
        if alive.count() > 1 && self.below(3) == 0 {
            cell.remove_edge(edge).unwrap();
            return;
        }
        let keep = 1 + self.below(cell.alive(edge).len());
        while cell.alive(edge).len() > keep {
            let alive = cell.alive(edge);
            let operation = alive[self.below(alive.len())];
            cell.remove_operation(edge, operation).unwrap();
        }
    }
}

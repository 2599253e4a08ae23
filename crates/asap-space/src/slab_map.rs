//! Where the surviving parts of a slab go when operations are removed.

use std::collections::HashMap;

use asap_kernels::{Plan, padded};

/// Ranges of an old slab and their places in the new one; what is not named is gone.
pub(crate) struct SlabMap {
    /// Old offset, new offset, length.
    moves: Vec<[usize; 3]>,
    len: usize,
}

impl SlabMap {
    /// What survives of a slab laid out like the old one.
    pub(crate) fn remapped(&self, slab: &[f32]) -> Vec<f32> {
        let mut new = vec![0.0; self.len];
        for &[from, to, len] in &self.moves {
            new[to..to + len].copy_from_slice(&slab[from..from + len]);
        }
        new
    }

    /// Parameters that both plans have, by name.
    pub(crate) fn of_parameters(old: &Plan, new: &Plan) -> Self {
        let at: HashMap<&str, usize> = old
            .parameters()
            .iter()
            .map(|p| (p.name.as_str(), p.offset))
            .collect();
        let moves = new.parameters().iter().filter_map(|p| {
            at.get(p.name.as_str())
                .map(|&from| [from, p.offset, p.kind.slab_len()])
        });
        Self {
            moves: moves.collect(),
            len: new.slab_len(),
        }
    }

    /// Running statistics that both plans have, by name.
    pub(crate) fn of_statistics(old: &Plan, new: &Plan) -> Self {
        let at: HashMap<&str, usize> = old
            .statistics()
            .iter()
            .map(|s| (s.name.as_str(), s.offset))
            .collect();
        let moves = new.statistics().iter().filter_map(|s| {
            at.get(s.name.as_str())
                .map(|&from| [from, s.offset, 2 * padded(s.channels)])
        });
        Self {
            moves: moves.collect(),
            len: new.statistics_len(),
        }
    }
}

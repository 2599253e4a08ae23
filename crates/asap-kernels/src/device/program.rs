//! The launches of a pass, and the tables that they read.

use super::abi::{Plain, bytes};
use super::launch::{Capacity, Launch, Precision};
use super::lower::lower;
use super::memory::{Bases, Sizes};
use crate::error::Error;
use crate::plan::{Arrangement, Plan};
use crate::run::Wanted;

/// What a program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// A training step.
    Train(Wanted),
    /// Logits in eval mode.
    Logits,
}

impl Goal {
    pub(super) const ALL: [Self; 4] = [
        Self::Train(Wanted::Weights),
        Self::Train(Wanted::OpWeights),
        Self::Train(Wanted::Both),
        Self::Logits,
    ];

    pub(super) fn train(self) -> bool {
        self != Self::Logits
    }

    pub(super) fn weights(self) -> bool {
        matches!(self, Self::Train(wanted) if wanted.weights())
    }

    pub(super) fn op_weights(self) -> bool {
        matches!(self, Self::Train(wanted) if wanted.op_weights())
    }
}

/// What a plan is lowered for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) precision: Precision,
    pub(super) capacity: Capacity,
}

/// Where activations lie.
pub(super) struct Arena {
    pub(super) training: Arrangement,
    pub(super) inference: Arrangement,
    /// Whether a buffer's values are bf16: what chains put out, where products take such.
    pub(super) half: Vec<bool>,
}

impl Arena {
    pub(super) fn of(plan: &Plan, precision: Precision) -> Self {
        let mut half = vec![false; plan.buffers.len()];
        if precision != Precision::Bf16 {
            let (training, inference) = (plan.training.clone(), plan.inference.clone());
            return Self {
                training,
                inference,
                half,
            };
        }
        let convolutions = plan.banks.iter().flat_map(|bank| &bank.convolutions);
        for chain in convolutions
            .flat_map(|c| [Some(c.first), c.second])
            .flatten()
        {
            half[chain.y.buffer] = true;
        }
        let [training, inference] = plan.arrangements(&half);
        Self {
            training,
            inference,
            half,
        }
    }
}

/// The programs of a plan, in the order of [`Goal::ALL`], and one table for all.
pub(super) struct Programs {
    pub(super) launches: [Vec<Launch>; 4],
    pub(super) tables: Tables,
    pub(super) sizes: Sizes,
}

impl Programs {
    /// The programs for memory that lies at `bases`. Sizes do not depend on those.
    ///
    /// # Errors
    /// If the kernels have no room for something in the plan.
    pub(super) fn of(
        plan: &Plan,
        arena: &Arena,
        target: Target,
        bases: &Bases,
    ) -> Result<Self, Error> {
        let mut tables = Tables::at(bases.tables);
        let mut sizes = Sizes::of(plan);
        sizes.arena = arena.training.len.max(arena.inference.len);
        let mut launches = [const { Vec::new() }; 4];
        for (launches, goal) in launches.iter_mut().zip(Goal::ALL) {
            *launches = lower(plan, arena, goal, target, bases, &mut tables, &mut sizes)?;
        }
        sizes.tables = tables.bytes.len();
        Ok(Self {
            launches,
            tables,
            sizes,
        })
    }
}

/// Tables on their way to the device.
pub(super) struct Tables {
    base: u64,
    pub(super) bytes: Vec<u8>,
}

impl Tables {
    fn at(base: u64) -> Self {
        Self {
            base,
            bytes: Vec::new(),
        }
    }

    /// Appends a table and returns its address.
    pub(super) fn push<T: Plain>(&mut self, table: &[T]) -> u64 {
        self.bytes.resize(self.bytes.len().next_multiple_of(16), 0);
        let address = self.base + self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes(table));
        address
    }
}

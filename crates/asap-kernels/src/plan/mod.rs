//! The static plan of a step: which buffers there are and which task follows which.
//!
//! A [`Plan`] is made once per topology by [`crate::PlanBuilder`] and only read afterwards. All sizes are per image
//! unless they say otherwise; all channel counts are padded.

mod auxiliary;
mod bank;
mod ends;
mod input;
mod lifetimes;
mod node;
mod norm;
mod places;
mod scratch;
mod slabs;
mod tasks;

pub(crate) use auxiliary::{AUXILIARY_POOL, AUXILIARY_ROWS, Auxiliary, AuxiliaryTask, Stage};
pub(crate) use bank::{Bank, Chain, Convolution, Reduce, SharedPool};
pub(crate) use ends::{Classifier, Door, Doors, Head, Stem};
pub(crate) use input::{Input, InputKernel};
pub(crate) use node::{DropPath, Node, NodeTerm, Target};
pub(crate) use norm::Norm;
pub(crate) use places::{Arrangement, Buffer, BufferAt, Place, Size, View};
pub(crate) use scratch::{CHUNK, Scratch, chunk_rows};
pub(crate) use slabs::Transpose;
pub use slabs::{Parameter, Statistics};
pub(crate) use tasks::Task;

/// The plan of a step for one topology.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(crate) batch: usize,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) statistics: Vec<Statistics>,
    pub(crate) slab_len: usize,
    pub(crate) statistics_len: usize,
    pub(crate) transposes: Vec<Transpose>,
    pub(crate) transposed_len: usize,
    pub(crate) buffers: Vec<Buffer>,
    /// The arena of a step, and that of a forward pass in eval mode.
    pub(crate) training: Arrangement,
    pub(crate) inference: Arrangement,
    pub(crate) sums_len: usize,
    pub(crate) vectors_len: usize,
    pub(crate) macs: u64,
    pub(crate) op_weights: usize,
    pub(crate) norms: Vec<Norm>,
    /// Stem and head are those of a network, doors those of a single operation.
    pub(crate) stem: Option<Stem>,
    pub(crate) head: Option<Head>,
    pub(crate) auxiliary: Option<Auxiliary>,
    pub(crate) doors: Option<Doors>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) banks: Vec<Bank>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) forward: Vec<Task>,
    pub(crate) backward: Vec<Task>,
    /// A vector of ones among the vectors, as wide as the widest tensor that is read through it.
    pub(crate) ones_vector: usize,
    pub(crate) ones_len: usize,
    pub(crate) scratch: Scratch,
}

impl Plan {
    /// The stem; only tasks of a network ask for it.
    pub(crate) fn stem(&self) -> &Stem {
        self.stem
            .as_ref()
            .expect("the plan of a network has a stem")
    }

    /// The head; only tasks of a network ask for it.
    pub(crate) fn head(&self) -> &Head {
        self.head
            .as_ref()
            .expect("the plan of a network has a head")
    }

    /// The doors; only tasks of a single operation ask for them.
    pub(crate) fn doors(&self) -> &Doors {
        self.doors
            .as_ref()
            .expect("the plan of an operation has doors")
    }

    /// f32 that a pass hands out per image: logits, or a tensor through a door.
    pub(crate) fn output_len(&self) -> usize {
        let logits = self.head.as_ref().map_or(0, |head| head.classifier.classes);
        let tensors = self
            .doors
            .map_or(0, |doors| doors.source.len().max(doors.result.len()));
        logits.max(tensors)
    }

    /// Every parameter, in the order of the slab.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Every normalisation's running statistics.
    pub fn statistics(&self) -> &[Statistics] {
        &self.statistics
    }

    /// f32 in the slab of parameters.
    pub fn slab_len(&self) -> usize {
        self.slab_len
    }

    /// f32 in the slab of running statistics.
    pub fn statistics_len(&self) -> usize {
        self.statistics_len
    }

    /// Bytes of activations and gradients kept during a step, as f32.
    pub fn arena_bytes(&self) -> u64 {
        4 * self.training.len as u64
    }

    /// Bytes of activations kept during a forward pass in eval mode, as f32.
    pub fn inference_arena_bytes(&self) -> u64 {
        4 * self.inference.len as u64
    }

    /// Bytes that every thread needs for itself: scratch, sums, coefficients, its share of the weight gradients.
    pub fn thread_bytes(&self) -> u64 {
        let scratch = 2 * self.scratch.tile + 3 * self.scratch.image + 4 * self.scratch.chunk;
        4 * (scratch + self.vectors_len + self.slab_len) as u64 + 8 * self.sums_len as u64
    }

    /// Bytes that all threads share beside the arena: parameters, statistics and transposed kernels.
    pub fn shared_bytes(&self) -> u64 {
        4 * (self.slab_len + self.statistics_len + self.transposed_len) as u64
    }

    /// Multiply-accumulates of a forward pass over one image in training, convolutions and classifiers.
    pub fn macs_per_image(&self) -> u64 {
        self.macs
    }

    /// How many op weights a step takes.
    pub fn op_weights(&self) -> usize {
        self.op_weights
    }

    /// Images that the buffers are made for.
    pub fn batch(&self) -> usize {
        self.batch
    }
}

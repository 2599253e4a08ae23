//! The static plan of a step: which buffers there are and which task follows which.
//!
//! A [`Plan`] is made once per topology by [`crate::PlanBuilder`] and only read afterwards. All sizes are per image
//! unless they say otherwise; all channel counts are padded.

mod auxiliary;
mod ends;

use crate::depthwise::Taps;
use crate::layout::ParameterKind;
use crate::pool::PoolKind;
pub(crate) use auxiliary::{AUXILIARY_POOL, AUXILIARY_ROWS, Auxiliary, AuxiliaryTask, Stage};
pub(crate) use ends::{Classifier, Door, Doors, Head, Stem};

/// A parameter by name, and where it lies in the slab.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name, unique in the plan.
    pub name: String,
    /// Shape and layout.
    pub kind: ParameterKind,
    /// First value in the slab.
    pub offset: usize,
}

/// Running statistics of a batch normalisation by name.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Name of the normalisation; its two vectors are `NAME.mean` and `NAME.variance`.
    pub name: String,
    /// Channels, without padding.
    pub channels: usize,
    /// First mean in the slab of statistics; the variances follow the padded means.
    pub offset: usize,
}

/// An image's tensor within a buffer: `pixel` f32 from pixel to pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) buffer: usize,
    /// First value of the first image.
    pub(crate) at: usize,
    pub(crate) pixel: usize,
}

/// A buffer in the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferAt {
    /// First value of the first image.
    pub(crate) offset: usize,
    /// f32 from image to image.
    pub(crate) image: usize,
}

/// All buffers in the arena.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrangement {
    pub(crate) buffers: Vec<BufferAt>,
    /// f32 that the buffers take.
    pub(crate) len: usize,
}

/// A tensor that tasks read: `a y + b` if a normalisation stands in between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) place: Place,
    pub(crate) norm: Option<usize>,
}

/// A batch normalisation. Numbers named `*_vector` are places in a thread's own vectors.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    pub(crate) channels: usize,
    /// Pixels of an image.
    pub(crate) pixels: usize,
    /// `sum y`, `sum y^2`, `2 channels` f64.
    pub(crate) moments: usize,
    pub(crate) a_vector: usize,
    pub(crate) b_vector: usize,
    pub(crate) mean_vector: usize,
    pub(crate) deviation_vector: usize,
    /// Coefficients of the backward pass: `B` and `D`.
    pub(crate) back_y_vector: usize,
    pub(crate) back_shift_vector: usize,
    /// Scale and shift in the slab of parameters.
    pub(crate) affine: Option<[usize; 2]>,
    pub(crate) statistics: usize,
}

/// Where an operation's output goes: into a node, times an op weight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) node: usize,
    /// Index of the term within the node.
    pub(crate) term: usize,
}

/// Depthwise then pointwise, `y = pw(dw(relu(x)))`, normalised afterwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    pub(crate) taps: Taps,
    pub(crate) depthwise: usize,
    pub(crate) pointwise: usize,
    /// `[outputs, inputs]` copy of the pointwise kernel, in the slab of transposes.
    pub(crate) transposed: usize,
    pub(crate) norm: usize,
    pub(crate) y: Place,
}

/// One chain (dilated) or two (separable).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Convolution {
    pub(crate) first: Chain,
    pub(crate) second: Option<Chain>,
    /// Sums `[g, g y]` of the normalisation between the two chains.
    pub(crate) inner_sums: usize,
    pub(crate) target: Target,
}

/// A pool of the source, shared by all edges that use it.
#[derive(Clone, Debug)]
pub(crate) struct SharedPool {
    pub(crate) kind: PoolKind,
    pub(crate) y: View,
    pub(crate) targets: Vec<Target>,
}

/// Two 1x1 convolutions with stride 2 on inputs one pixel apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reduce {
    pub(crate) kernels: [usize; 2],
    pub(crate) transposed: [usize; 2],
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) norm: usize,
    pub(crate) y: Place,
}

/// Height, width and padded channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Size {
    pub(crate) fn pixels(self) -> usize {
        self.height * self.width
    }
    pub(crate) fn len(self) -> usize {
        self.pixels() * self.channels
    }
    pub(crate) fn strided(self, stride: usize) -> Self {
        Self {
            height: self.height.div_ceil(stride),
            width: self.width.div_ceil(stride),
            ..self
        }
    }
}

/// Everything that leaves one source node.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    pub(crate) source: View,
    pub(crate) size: Size,
    pub(crate) stride: usize,
    /// Zeros around the tile.
    pub(crate) halo: usize,
    pub(crate) convolutions: Vec<Convolution>,
    pub(crate) pools: Vec<SharedPool>,
    pub(crate) reduces: Vec<(Reduce, Target)>,
    pub(crate) skips: Vec<Target>,
    /// Gradient of the source.
    pub(crate) gradient: Place,
    /// Whether another task has written to `gradient` before.
    pub(crate) gradient_add: bool,
    /// Sums `[g, g y]` that the source's own normalisation needs.
    pub(crate) source_sums: Option<usize>,
}

impl Bank {
    /// Without operations; the first to write to `gradient`.
    pub(crate) fn new(source: View, size: Size, stride: usize, gradient: Place) -> Self {
        Self {
            source,
            size,
            stride,
            halo: 1,
            convolutions: Vec::new(),
            pools: Vec::new(),
            reduces: Vec::new(),
            skips: Vec::new(),
            gradient,
            gradient_add: false,
            source_sums: None,
        }
    }
}

/// What drop-path needs to know of a term.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DropPath {
    pub(crate) cell: usize,
    /// `sum g` over the images that keep the term.
    pub(crate) sum: usize,
}

/// One term of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeTerm {
    pub(crate) y: View,
    /// Index into the op weights of a step.
    pub(crate) weight: usize,
    /// `weight * a`.
    pub(crate) scale_vector: usize,
    /// `A`, the coefficient of this node's gradient in the gradient of `y`.
    pub(crate) back_vector: usize,
    /// `sum g y`.
    pub(crate) products: usize,
    /// Whether a normalisation lies between `y` and the node, so that sums are needed for more than op weights.
    pub(crate) normalised: bool,
    /// Whether that normalisation serves other nodes too.
    pub(crate) shared: bool,
    /// `None` for what no image ever loses.
    pub(crate) drop_path: Option<DropPath>,
}

/// An intermediate node: the weighted sum of operations.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) terms: Vec<NodeTerm>,
    pub(crate) size: Size,
    pub(crate) value: Place,
    pub(crate) shift_vector: usize,
    pub(crate) gradient: Place,
    /// `sum g`.
    pub(crate) sum: usize,
}

/// ReLU-1x1-BN, or a factorised reduce, in front of a cell.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) source: View,
    /// Size of the source.
    pub(crate) size: Size,
    pub(crate) kernel: InputKernel,
    pub(crate) norm: usize,
    pub(crate) y: Place,
    pub(crate) out: Size,
    /// Gradient of the normalised output, and its sums.
    pub(crate) gradient: Place,
    pub(crate) sums: usize,
    pub(crate) source_gradient: Place,
    pub(crate) source_gradient_add: bool,
}

impl Input {
    pub(crate) fn coefficients(&self) -> Task {
        let Self { norm, sums, .. } = *self;
        Task::SourceCoefficients { norm, sums }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum InputKernel {
    Pointwise {
        kernel: usize,
        transposed: usize,
    },
    Reduce(Reduce),
    /// 3x3 with stride 2.
    Dense {
        kernel: usize,
        transposed: usize,
    },
}

/// What every thread does next, on its own images unless said otherwise.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Wait for all threads.
    Barrier,
    /// Forward coefficients of normalisations, from all threads' moments.
    Coefficients(Vec<usize>),
    Stem,
    Input(usize),
    BankFirst(usize),
    /// Pools of a bank once more, for the backward pass: they are cheap and their memory has served others since.
    Pools(usize),
    BankSecond(usize),
    Node(usize),
    Head,
    Auxiliary(AuxiliaryTask),
    /// Fills a gradient nobody wrote with zeros.
    Clear(Place, Size),
    NodeSums(usize),
    /// Backward coefficients of what ends in a node, op weight gradients.
    NodeCoefficients(usize),
    /// Backward coefficients of a bank's pools, which may end in several nodes.
    PoolCoefficients(usize),
    BankSecondBack(usize),
    /// Backward coefficients of the inner normalisations of a bank.
    InnerCoefficients(usize),
    /// Backward coefficients of a normalisation with one consumer, from sums `[g, g y]`.
    SourceCoefficients {
        norm: usize,
        sums: usize,
    },
    BankFirstBack(usize),
    InputBack(usize),
    /// Sums `[g, g y]` of an input whose output has several readers.
    InputSums(usize),
    StemSums,
    StemBack,
    /// From what is given to the source.
    Source,
    /// From the result to what is handed back.
    Result,
    /// From what is given to the gradient of the result.
    ResultGradient,
    /// From the gradient of the source to what is handed back.
    SourceGradient,
}

/// A matrix to be transposed before the backward pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transpose {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

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

/// f32 of every scratch area of a thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scratch {
    /// A padded tile, and as many for the gradient's.
    pub(crate) tile: usize,
    /// An image without padding: the raw source, its gradient through ReLU, its gradient around ReLU.
    pub(crate) image: usize,
    /// Rows of pixels on their way through a product, four of them.
    pub(crate) chunk: usize,
}

/// f32 of a chunk of rows: two of them fit the first-level cache beside the tile's rows.
pub(crate) const CHUNK: usize = 2048;

/// Rows of `width` pixels of `channels` that make up a chunk; at least one.
pub(crate) fn chunk_rows(width: usize, channels: usize) -> usize {
    (CHUNK / (width * channels)).max(1)
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

    /// Bytes of activations and gradients kept during a step.
    pub fn arena_bytes(&self) -> u64 {
        4 * self.training.len as u64
    }

    /// Bytes of activations kept during a forward pass in eval mode.
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

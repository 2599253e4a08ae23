//! What kernels on a device are handed: the structures of `kernels/abi.cuh`, field by field. Addresses are the device's.

/// Threads of every block.
pub const THREADS: u32 = 256;

/// Added to the stride of a tensor's pixels if its values are bf16.
pub const HALF: u32 = 1 << 31;

/// A term that drop-path never loses.
pub const NEVER_LOST: u32 = u32::MAX;

/// Pixels that a thread of `mix` is in charge of.
pub const MIXED: u32 = 4;

/// Outputs that a thread of `pool_forward` is in charge of, side by side in a row.
pub const POOLED: u32 = 4;

/// A structure that kernels read: `repr(C)`, without padding between fields.
///
/// # Safety
/// Every byte of a value is initialised.
pub unsafe trait Plain: Copy + 'static {}

/// The bytes of a table.
pub fn bytes<T: Plain>(table: &[T]) -> &[u8] {
    // SAFETY: no byte of a `Plain` value is padding.
    unsafe { std::slice::from_raw_parts(table.as_ptr().cast(), size_of_val(table)) }
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[expect(missing_docs, reason = "kernels/abi.cuh documents the fields")]
        pub struct $name { $(pub $field: $type),* }
        const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())*, "padding");
        // SAFETY: the sizes of the fields add up, so there is no padding.
        unsafe impl Plain for $name {}
    )*};
}

// SAFETY: numbers have no padding.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}

plain! {
    /// A tensor, channels last.
    Tensor { at: u64, image: u32, pixel: u32 }
    /// A tensor as tasks read it.
    View { y: Tensor, a: u64, b: u64 }
    /// Partial sums.
    Sums { at: u64, splits: u32, stride: u32 }
    /// One summand of a mix.
    Term { y: Tensor, scale: u64, shift: u64, factor: u64, cell: u32, weight: u32 }
    /// A batch normalisation.
    Norm {
        a: u64, b: u64, mean: u64, deviation: u64, back_y: u64, back_shift: u64, scale: u64, shift: u64,
        scale_gradient: u64, shift_gradient: u64, running_mean: u64, running_variance: u64,
        channels: u32, pixels: u32,
    }
    /// How a batch out of a set of images is varied.
    Variation { seed: u64, purpose: u64, pass: u64, first: u64, padding: u32, flip: u32, cutout: u32, reserved: u32 }
    /// All that may change between two steps.
    Step {
        images: u32, train: u32, want_weights: u32, want_op_weights: u32, label_smoothing: f32, auxiliary_weight: f32,
        drop_path: f32, kept_scale: f32, seed: u64, learning_rate: f32, momentum: f32, weight_decay: f32, clip: f32,
        nesterov: u32, share: f32, temperature: f64, alpha_rate: f64, alpha_decay: f64, mean_kept: f64, square_kept: f64,
        square_scale: f64, variation: Variation,
    }
    /// A chain, there.
    ChainForward {
        source: View, depthwise: u64, pointwise: u64, y: Tensor, moments: u64,
        kernel: u32, dilation: u32, stride: u32, height: u32, width: u32, channels: u32,
    }
    /// A chain, back to the depthwise output.
    ChainBackward {
        source: View, depthwise: u64, pointwise: u64, upstream: u64, z: Tensor, partials: u64,
        kernel: u32, dilation: u32, stride: u32, height: u32, width: u32, channels: u32, chunk: u32, reserved: u32,
    }
    /// One depthwise convolution on the way back.
    Depthwise { weights: u64, z: Tensor, kernel: u32, dilation: u32 }
    /// Depthwise convolutions, back to their source.
    DepthwiseGradient {
        source: View, convolutions: u64, extra: Tensor, out: Tensor, sums: u64, count: u32, add: u32, stride: u32,
        height: u32, width: u32, channels: u32,
    }
    /// A convolution as a product over gathered pixels.
    Convolution {
        kernel: u64, tap_stride: i64, taps: u32, window: u32, stride: u32, begin: i32, height: u32, width: u32,
        channels: u32, out_height: u32, out_width: u32, outputs: u32,
    }
    /// A product, there.
    ProductForward { convolution: Convolution, source: View, y: Tensor, moments: u64, relu: u32, reserved: u32 }
    /// A convolution with the terms of its output's gradient.
    Upstream { convolution: Convolution, terms: u64, count: u32, reserved: u32 }
    /// Products, back to their source.
    ProductInputGradient { products: u64, mask: View, out: Tensor, count: u32, add: u32 }
    /// A product, back to its kernel.
    ProductWeightGradient { product: Upstream, source: View, partials: u64, relu: u32, reserved: u32 }
    /// A weighted sum.
    Mix { terms: u64, out: Tensor, count: u32, add: u32, pixels: u32, channels: u32 }
    /// Sums of a gradient and its products with terms.
    Products { terms: u64, g: Tensor, sums: u64, count: u32, pixels: u32, channels: u32, reserved: u32 }
    /// Sums of values and their squares.
    Moments { y: Tensor, sums: u64, pixels: u32, channels: u32 }
    /// A normalisation, there.
    NormForward { norm: Norm, moments: Sums }
    /// What a node hands back to a normalisation.
    Contribution { sum: Sums, kept: Sums, product: Sums, op_weight: u64, back: u64, op_weight_gradient: u64 }
    /// A normalisation, back.
    NormBackward { norm: Norm, contributions: u64, count: u32, channels: u32 }
    /// A 3x3 pool, there.
    PoolForward {
        source: View, y: Tensor, kind: u32, stride: u32, height: u32, width: u32, channels: u32, reserved: u32,
    }
    /// A 3x3 pool on the way back.
    PoolGradient { y: Tensor, dy: Tensor, kind: u32, reserved: u32 }
    /// Pools and skips, back to their source.
    PoolsGradient {
        source: View, pools: u64, terms: u64, out: Tensor, pools_count: u32, terms_count: u32, add: u32, stride: u32,
        height: u32, width: u32, channels: u32, reserved: u32,
    }
    /// The auxiliary head's pool, there.
    WindowPool {
        source: View, y: Tensor, window: u32, stride: u32, height: u32, width: u32, channels: u32, reserved: u32,
    }
    /// The auxiliary head's pool, back.
    WindowPoolGradient { pool: WindowPool, out: Tensor, add: u32, reserved: u32 }
    /// A classifier and its loss.
    Head {
        source: View, weight: u64, bias: u64, labels: u64, features: u64, logits: u64, logit_gradients: u64,
        results: u64, gradient: Tensor, pixels: u32, channels: u32, classes: u32, auxiliary: u32,
    }
    /// Gradients of a classifier's parameters.
    ClassifierGradient {
        features: u64, logit_gradients: u64, weight: u64, bias: u64, channels: u32, classes: u32,
    }
    /// Loss and correct answers of a batch.
    Outcome { results: u64, auxiliary: u64, outcome: u64 }
    /// Sums of partial gradients.
    Reduce { partials: u64, out: u64, len: u32, splits: u32, stride: u32, columns: u32, first: u32, kept: u32 }
    /// Sums of squares.
    Squares { gradients: u64, partials: u64, len: u64 }
    /// A step of SGD.
    Descend {
        weights: u64, gradients: u64, velocity: u64, partials: u64, outcome: u64, len: u64, splits: u32, reserved: u32,
    }
    /// An average, and what it follows.
    Follow { values: u64, average: u64, len: u64 }
    /// What lies side by side: the alphas of an edge, or the edges of a node.
    Group { first: u32, count: u32 }
    /// A step of Adam.
    Alphas {
        parameters: u64, mean: u64, square: u64, gradient: u64, phi: u64, weight: u64, slope: u64, op_weight_gradients: u64,
        op_weights: u64, outcome: u64, edges: u64, nodes: u64, alphas: u32, edges_count: u32, nodes_count: u32, logits: u32,
    }
    /// An image of a batch.
    Showing { index: u32, label: u32 }
    /// A batch out of a set of images.
    Images {
        set: u64, normalised: u64, showings: u64, pixels: u64, labels: u64, height: u32, width: u32, channels: u32,
        reserved: u32,
    }
}

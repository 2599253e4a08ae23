// What the host hands to kernels. `src/device/abi.rs` has the same structures; a test holds their sizes together.
//
// Tensors are f32 or bf16, channels last, channels padded to a multiple of 8. A kernel takes a table of jobs and the step: all that
// changes from step to step lies in `Step`, so that a captured graph of launches serves every step of a plan.
#pragma once

#ifdef __CUDACC__
extern __shared__ __align__(16) unsigned char shared_memory[];
#define SHARED_MEMORY shared_memory
#else
#define SHARED_MEMORY asap_dynamic_shared()
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// Threads of every block.
constexpr u32 THREADS = 256;

// Value (image, pixel, channel) lies at `at[image * image_stride + pixel * pixel_stride + channel]`. The values are bf16, and `at`
// points to such, if the stride of pixels has HALF added.
struct Tensor {
    float *at;
    u32 image;
    u32 pixel;
};
constexpr u32 HALF = 0x80000000u;

// A tensor as tasks read it: `a y + b` if a normalisation stands in between, else as it is (`a` null).
struct View {
    Tensor y;
    const float *a;
    const float *b;
};

// Partial sums in f64: the sum of a value is that of `splits` numbers, `stride` apart.
struct Sums {
    const double *at;
    u32 splits;
    u32 stride;
};

// One summand of a mix: `factor (scale y + shift)`, scale and shift per channel; null stands for 1, 1 and 0. `weight` is the op weight's
// index if drop-path may lose the term (then of `cell`, and the factor of those that are left is larger), else NEVER_LOST.
struct Term {
    Tensor y;
    const float *scale;
    const float *shift;
    const float *factor;
    u32 cell;
    u32 weight;
};
constexpr u32 NEVER_LOST = 0xffffffffu;

// A batch normalisation's vectors, each of `channels` values; `scale` and `shift` null where it has none.
struct Norm {
    float *a;
    float *b;
    float *mean;
    float *deviation; // 1 / sqrt(variance + epsilon)
    float *back_y;
    float *back_shift;
    const float *scale;
    const float *shift;
    float *scale_gradient;
    float *shift_gradient;
    float *running_mean;
    float *running_variance;
    u32 channels;
    u32 pixels;
};

// How a batch out of a set of images is varied: what image `i` draws is that of ChaCha8 keyed by `seed`, `purpose`, `pass` and `first + i`,
// asap-data's draws in its order.
struct Variation {
    u64 seed;
    u64 purpose;
    u64 pass;
    u64 first;
    u32 padding; // width of the black frame that the window moves in
    u32 flip;    // whether every other image, by chance, is mirrored
    u32 cutout;  // side of the square that becomes 0; 0: none
    u32 reserved;
};

// All that may change between two steps.
struct Step {
    u32 images;
    u32 train;
    u32 want_weights;
    u32 want_op_weights;
    float label_smoothing;
    float auxiliary_weight;
    float drop_path;
    float kept_scale;
    u64 seed;
    float learning_rate;
    float momentum;
    float weight_decay;
    float clip;
    u32 nesterov;
    float share; // of the way that an average goes towards what it follows
    // Of the alphas; their clip is `clip`, too.
    double temperature;
    double alpha_rate;   // learning rate over the bias of the mean
    double alpha_decay;  // L2
    double mean_kept;    // Adam's first beta
    double square_kept;  // and the second
    double square_scale; // root of the bias of the squares
    Variation variation;
};

// --- chain.cu -------------------------------------------------------------------------------------------------------------

// `y = pw(dw(relu(source)))`, and `[split][2][channels]` sums of y and its squares if `moments` is not null.
struct chain_forward_job {
    View source;
    const float *depthwise; // [kernel kernel][channels]
    const float *pointwise; // [channels][channels], inputs first
    Tensor y;
    double *moments;
    u32 kernel;
    u32 dilation;
    u32 stride;
    u32 height; // of the source
    u32 width;
    u32 channels;
};

// `z = dy pw^T` with `dy` the sum of two upstream terms, and, if `partials` is not null, the gradients of the kernels:
// `[split][kernel kernel channels + channels channels]`, depthwise first.
struct chain_backward_job {
    View source;
    const float *depthwise;
    const float *pointwise;
    const Term *upstream;
    Tensor z;
    float *partials;
    u32 kernel;
    u32 dilation;
    u32 stride;
    u32 height;
    u32 width;
    u32 channels;
    u32 chunk; // channels of a block, at most 32
    u32 reserved;
};

// One depthwise convolution on the way back.
struct Depthwise {
    const float *weights;
    Tensor z;
    u32 kernel;
    u32 dilation;
};

// `out (+)= [source > 0] (sum of depthwise^T z + extra)`, and `[split][2][channels]` sums of `out` and of `out` times what lies at
// `source`; `extra.at` and `sums` may be null. All `z` have the same strides; convolutions that reach as far as one another had better
// follow one another.
struct depthwise_gradient_job {
    View source;
    const Depthwise *convolutions;
    Tensor extra;
    Tensor out;
    double *sums;
    u32 count;
    u32 add;
    u32 stride;
    u32 height;
    u32 width;
    u32 channels;
};

// --- pointwise.cu ---------------------------------------------------------------------------------------------------------

// A convolution as a product over gathered pixels. Tap t of output (y, x) reads source pixel
// `(y stride + begin + t / window, x stride + begin + t % window)`, for window 0 `(y stride + t, x stride + t)`; what lies
// outside is 0. Row `t channels + c` of the kernel begins at `kernel + t tap_stride + c outputs`.
struct Convolution {
    const float *kernel;
    long long tap_stride;
    u32 taps;
    u32 window;
    u32 stride;
    int begin;
    u32 height; // of the source
    u32 width;
    u32 channels;
    u32 out_height;
    u32 out_width;
    u32 outputs;
};

struct product_forward_job {
    Convolution convolution;
    View source;
    Tensor y;
    double *moments; // [split][2][outputs], or null
    u32 relu;
    u32 reserved;
};

// A convolution with the terms of its output's gradient.
struct Upstream {
    Convolution convolution;
    const Term *terms;
    u32 count;
    u32 reserved;
};

// `out (+)= sum over products of convolution^T dy`, where `mask > 0` if `mask.y.at` is not null.
struct product_input_gradient_job {
    const Upstream *products;
    View mask;
    Tensor out;
    u32 count;
    u32 add;
};

// `partials[split][taps channels][outputs]`: the gradient of the kernel.
struct product_weight_gradient_job {
    Upstream product;
    View source;
    float *partials;
    u32 relu;
    u32 reserved;
};

// --- elementwise.cu -------------------------------------------------------------------------------------------------------

// Pixels of a thread.
constexpr u32 MIXED = 4;

// `out (+)= sum of terms`.
struct mix_job {
    const Term *terms;
    Tensor out;
    u32 count;
    u32 add;
    u32 pixels;
    u32 channels;
};

// `sums[split][1 + 2 count][channels]`: sum g; then for every term `sum g` over the images that keep it and `sum g y`.
struct products_job {
    const Term *terms; // scale, shift and factor are not read
    Tensor g;
    double *sums;
    u32 count;
    u32 pixels;
    u32 channels;
    u32 reserved;
};

// `sums[split][2][channels]`: sum y, sum y^2.
struct moments_job {
    Tensor y;
    double *sums;
    u32 pixels;
    u32 channels;
};

// --- coefficients.cu ------------------------------------------------------------------------------------------------------

// `a`, `b`, `mean`, `deviation` of a normalisation: in training from `[2][channels]` moments, moving the running statistics
// if weights are wanted; else from those.
struct norm_forward_job {
    Norm norm;
    Sums moments;
};

// What a node hands back to a normalisation.
struct Contribution {
    Sums sum;     // sum g of the node
    Sums kept;    // the same over the images that keep the term; `at` null where nothing is ever lost
    Sums product; // sum g y
    const float *op_weight; // null: 1
    float *back;            // A, `w a` (`w` without normalisation); or null
    double *op_weight_gradient; // added to; or null
};

// Backward coefficients of a normalisation (`norm.a` null: there is none; `norm.back_y` null: they are another job's), of the terms
// behind it, and the gradients of scale, shift and op weights.
struct norm_backward_job {
    Norm norm;
    const Contribution *contributions;
    u32 count;
    u32 channels;
};

// --- pool.cu --------------------------------------------------------------------------------------------------------------

// Outputs of a thread, side by side in a row.
constexpr u32 POOLED = 4;

// 3x3 with padding 1 and a stride of 1 or 2; kind 0: maximum, 1: average without the padding.
struct pool_forward_job {
    View source;
    Tensor y;
    u32 kind;
    u32 stride;
    u32 height;
    u32 width;
    u32 channels;
    u32 reserved;
};

struct PoolGradient {
    Tensor y;  // what the pool put out
    Tensor dy; // its gradient
    u32 kind;
    u32 reserved;
};

// `out (+)= sum of pools^T dy + sum of terms`.
struct pool_gradient_job {
    View source;
    const PoolGradient *pools;
    const Term *terms;
    Tensor out;
    u32 pools_count;
    u32 terms_count;
    u32 add;
    u32 stride;
    u32 height;
    u32 width;
    u32 channels;
    u32 reserved;
};

// `y = average over window x window of relu(source)`, no padding.
struct window_pool_job {
    View source;
    Tensor y;
    u32 window;
    u32 stride;
    u32 height;
    u32 width;
    u32 channels;
    u32 reserved;
};

// `out (+)= [source > 0] pool^T dy`; `y` of the pool is its gradient here.
struct window_pool_gradient_job {
    window_pool_job pool;
    Tensor out;
    u32 add;
    u32 reserved;
};

// --- head.cu --------------------------------------------------------------------------------------------------------------

// Mean over pixels, linear layer, softmax, cross-entropy: one image a block. In training also the gradient of the source.
struct head_job {
    View source;
    const float *weight; // [classes][channels]
    const float *bias;
    const u32 *labels;
    float *features;       // [images][channels]
    float *logits;         // [images][classes]
    float *logit_gradients; // [images][classes]
    double *results;       // [images][2]: loss times its share, 1 where the first largest logit is the label's
    Tensor gradient;
    u32 pixels;
    u32 channels;
    u32 classes;
    u32 auxiliary; // 1: ReLU before the mean, its mask on the way back, loss times `auxiliary_weight`, nothing counted as correct
};

// `weight[class][channel] = sum over images`, `bias[class]`.
struct classifier_gradient_job {
    const float *features;
    const float *logit_gradients;
    float *weight;
    float *bias;
    u32 channels;
    u32 classes;
};

// Sum over images of `results`: `outcome = [loss sum / images, correct]`, the auxiliary head's loss with it (null: none).
struct outcome_job {
    const double *results;
    const double *auxiliary;
    double *outcome;
};

// --- sgd.cu ---------------------------------------------------------------------------------------------------------------

// `out[i] = sum over splits of partials[split stride + i]`, in order. In rows of `columns`, columns outside `first..first + kept` become 0
// (columns 0: all stay).
struct reduce_job {
    const float *partials;
    float *out;
    u32 len;
    u32 splits;
    u32 stride;
    u32 columns;
    u32 first;
    u32 kept;
};

// `partials[split] = sum g^2`, one split a block.
struct squares_job {
    const float *gradients;
    double *partials;
    u64 len;
};

// SGD as `asap_train::Sgd` has it. Weights and velocity stay as they are when the loss in `outcome[0]` or the norm is no number;
// `outcome[2]` takes the norm.
struct descend_job {
    float *weights;
    const float *gradients;
    float *velocity;
    const double *partials;
    double *outcome;
    u64 len;
    u32 splits;
    u32 reserved;
};

// `average += share (values - average)`; `len` is a multiple of 4.
struct follow_job {
    const float *values;
    float *average;
    u64 len;
};

// --- alphas.cu ------------------------------------------------------------------------------------------------------------

// What lies side by side: the alphas of an edge, or the edges of a node.
struct Group {
    u32 first;
    u32 count;
};

// A step of Adam against the gradient of the loss in `parameters`, and the op weights of where it ends, both at the step's temperature.
// An alpha lies where its op weight lies; the logits of edges, if there are any, follow. Nothing moves when the loss in `outcome[0]` or
// the norm of the gradient, which `outcome[2]` takes, is no number.
struct alphas_job {
    double *parameters; // [alphas], or [alphas + edges]
    double *mean;       // of gradients, as long
    double *square;     // of their squares
    double *gradient;
    double *phi;        // [alphas]: what an operation weighs on its edge
    double *weight;     // [edges]: what an edge weighs
    double *slope;      // [edges]: gradient in that
    const double *op_weight_gradients;
    float *op_weights;
    double *outcome;
    const Group *edges;
    const Group *nodes;
    u32 alphas;
    u32 edges_count;
    u32 nodes_count;
    u32 logits; // whether there are any
};

// --- images.cu ------------------------------------------------------------------------------------------------------------

// An image of a batch: `index` in the set.
struct Showing {
    u32 index;
    u32 label;
};

// `pixels[image] = normalised window of set[index]`, varied as the step says, and `labels[image]`. What of the window is beyond the edge is
// byte 0. Shared memory: a `Placement` for each image that a block has pixels of.
struct images_job {
    const u8 *set;          // [images][height][width][channels]
    const float *normalised; // [channels][256]
    const Showing *showings; // [batch]
    float *pixels;
    u32 *labels;
    u32 height;
    u32 width;
    u32 channels;
    u32 reserved;
};

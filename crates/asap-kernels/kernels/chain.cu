// One chain of a bank: ReLU, depthwise, pointwise, statistics in one pass over a tile in shared memory; and back to the
// depthwise output, with the gradients of both kernels. A table of jobs holds all chains that leave a node.
//
// A block computes squares of 8 x 8 output pixels one after another: its share of all squares of all images. What lies beyond the
// image counts as 0 everywhere. Channels go through 32 at a time.
#include "matrix.cuh"

constexpr u32 SIDE = 8;
constexpr u32 SQUARE = SIDE * SIDE;
constexpr u32 CHUNK = 32;
constexpr u32 OUTPUTS = 64;

// Where a square of outputs lies.
struct Square {
    u32 image;
    u32 top;
    u32 left;
    u32 height; // of all outputs
    u32 width;

    __device__ __forceinline__ Square(u32 index, u32 out_height, u32 out_width) : height(out_height), width(out_width) {
        const u32 across = (out_width + SIDE - 1) / SIDE, down = (out_height + SIDE - 1) / SIDE;
        image = index / (across * down);
        const u32 rest = index % (across * down);
        top = rest / across * SIDE;
        left = rest % across * SIDE;
    }
    __device__ __forceinline__ bool holds(u32 pixel) const {
        return top + pixel / SIDE < height && left + pixel % SIDE < width;
    }
    __device__ __forceinline__ u32 place(u32 pixel) const { return (top + pixel / SIDE) * width + left + pixel % SIDE; }
};

__device__ __forceinline__ u32 squares(u32 images, u32 out_height, u32 out_width) {
    return images * ((out_height + SIDE - 1) / SIDE) * ((out_width + SIDE - 1) / SIDE);
}

// The geometry of a chain.
struct ChainShape {
    u32 kernel;
    u32 dilation;
    u32 stride;
    u32 height;
    u32 width;
    u32 channels;

    __device__ __forceinline__ u32 out_height() const { return (height + stride - 1) / stride; }
    __device__ __forceinline__ u32 out_width() const { return (width + stride - 1) / stride; }
    // Pixels along a side of what a square reads.
    __device__ __forceinline__ u32 span() const { return (SIDE - 1) * stride + (kernel - 1) * dilation + 1; }
    __device__ __forceinline__ int padding() const { return (int)((kernel - 1) / 2 * dilation); }
};

template <class Job> __device__ __forceinline__ ChainShape shape_of(const Job &job) {
    return {job.kernel, job.dilation, job.stride, job.height, job.width, job.channels};
}

// `relu(source)` around a square into `tile[span][span][count]`, channels `first..first + count`.
__device__ void load_tile(float *tile, const View &source, const ChainShape &shape, const Square &square, u32 first, u32 count) {
    const u32 span = shape.span(), quads = count / 4;
    const int top = (int)(square.top * shape.stride) - shape.padding();
    const int left = (int)(square.left * shape.stride) - shape.padding();
    for (u32 i = threadIdx.x; i < span * span * quads; i += THREADS) {
        const u32 quad = i % quads, pixel = i / quads;
        const int y = top + (int)(pixel / span), x = left + (int)(pixel % span);
        float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (y >= 0 && x >= 0 && y < (int)shape.height && x < (int)shape.width)
            v = relu4(value4(source, square.image, (u32)y * shape.width + (u32)x, first + 4 * quad));
        store4(tile + (size_t)pixel * count + 4 * quad, v);
    }
}

template <u32 KERNEL>
__device__ __forceinline__ void depthwise_of(float *out, u32 out_step, const float *tile, const float *weights,
                                             const ChainShape &shape, const Square &square, u32 count) {
    const u32 span = shape.span(), quads = count / 4, row = span * count * shape.dilation, column = count * shape.dilation;
    for (u32 i = threadIdx.x; i < SQUARE * quads; i += THREADS) {
        const u32 quad = i % quads, pixel = i / quads;
        float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (square.holds(pixel)) {
            const float *x =
                tile + (size_t)(pixel / SIDE * shape.stride * span + pixel % SIDE * shape.stride) * count + 4 * quad;
            const float *w = weights + 4 * quad;
#pragma unroll
            for (u32 ky = 0; ky < KERNEL; ++ky) {
#pragma unroll
                for (u32 kx = 0; kx < KERNEL; ++kx)
                    sum = fma4(load4(w + (size_t)(ky * KERNEL + kx) * shape.channels), load4(x + ky * row + kx * column), sum);
            }
        }
        store4(out + pixel * out_step + 4 * quad, sum);
    }
}

// The depthwise convolution of a tile: `out[64][out_step]`, `count` channels; 0 where there is no pixel.
__device__ void depthwise(float *out, u32 out_step, const float *tile, const float *weights, const ChainShape &shape,
                          const Square &square, u32 count) {
    if (shape.kernel == 3) {
        depthwise_of<3>(out, out_step, tile, weights, shape, square, count);
    } else {
        depthwise_of<5>(out, out_step, tile, weights, shape, square, count);
    }
}

__device__ __forceinline__ u32 least(u32 a, u32 b) { return a < b ? a : b; }

// Shared memory: tile[span span][chunk], depthwise[64][chunk + 4], kernel[chunk][outputs + 8]; at least 4096 bytes.
// Grid: splits, groups of 64 outputs, jobs.
template <Precision P> __device__ void chain_forward(const chain_forward_job &job, const Step *step) {
    const ChainShape shape = shape_of(job);
    const u32 channels = job.channels, chunk = least(CHUNK, channels), span = shape.span();
    const u32 first_output = blockIdx.y * OUTPUTS;
    if (first_output >= channels) return;
    const u32 outputs = least(OUTPUTS, channels - first_output);
    const u32 a_step = chunk + 4, b_step = least(OUTPUTS, channels) + 8;
    float *tile = reinterpret_cast<float *>(SHARED_MEMORY);
    float *a = tile + (size_t)span * span * chunk;
    float *b = a + SQUARE * a_step;
    const Lane lane(4);
    Accumulator<4> acc;
    MomentSums<4> moments;
    moments.clear();
    const Share share = share_of(squares(step->images, shape.out_height(), shape.out_width()), blockIdx.x, gridDim.x);
    for (u32 index = share.first; index < share.last; ++index) {
        const Square square(index, shape.out_height(), shape.out_width());
        acc.clear();
        for (u32 first = 0; first < channels; first += chunk) {
            const u32 count = least(chunk, channels - first);
            load_tile(tile, job.source, shape, square, first, count);
            // One chunk: the kernel stays.
            if (channels > chunk || index == share.first) {
                const u32 quads = outputs / 4;
                for (u32 i = threadIdx.x; i < count * quads; i += THREADS)
                    store4(b + i / quads * b_step + i % quads * 4,
                           load4(job.pointwise + (size_t)(first + i / quads) * channels + first_output + i % quads * 4));
            }
            __syncthreads();
            depthwise(a, a_step, tile, job.depthwise + first, shape, square, count);
            __syncthreads();
            multiply<P>(acc, 4, Factor{a, a_step, 1}, Factor{b, b_step, 1}, outputs, count);
            __syncthreads();
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const u32 column = lane.column + j * lane.column_step;
            if (column >= outputs) break;
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const u32 pixel = lane.row + 8 * half;
                if (square.holds(pixel)) {
                    float *to = address(job.y, square.image, square.place(pixel)) + first_output + column;
                    *reinterpret_cast<float2 *>(to) = make_float2(acc.c[j][2 * half], acc.c[j][2 * half + 1]);
                }
            }
        }
        if (job.moments) moments.add(acc);
    }
    if (!job.moments) return;
    double *out = job.moments + (size_t)blockIdx.x * 2 * channels + first_output;
    moments.write(reinterpret_cast<double *>(SHARED_MEMORY), out, outputs, channels);
}

// Shared memory: dy[64][channels + 4], kernel[chunk][channels + 4], depthwise or z[64][chunk + 4] and 16 floats, tile[span span][chunk];
// at least 4096 bytes behind `kernel`. Grid: splits, groups of 32 inputs, jobs. At most 256 channels.
template <Precision P> __device__ void chain_backward(const chain_backward_job &job, const Step *step) {
    const ChainShape shape = shape_of(job);
    const u32 channels = job.channels, chunk = least(CHUNK, channels), first = blockIdx.y * chunk;
    if (first >= channels) return;
    const u32 count = least(chunk, channels - first), quads = count / 4, all_quads = channels / 4;
    const u32 d_step = channels + 4, a_step = chunk + 4, taps = shape.kernel * shape.kernel, span = shape.span();
    float *d = reinterpret_cast<float *>(SHARED_MEMORY);
    float *w = d + SQUARE * d_step;
    float *a = w + chunk * d_step;
    float *tile = a + SQUARE * a_step + 16;
    for (u32 i = threadIdx.x; i < count * all_quads; i += THREADS)
        store4(w + i / all_quads * d_step + i % all_quads * 4,
               load4(job.pointwise + (size_t)(first + i / all_quads) * channels + i % all_quads * 4));

    const bool weights = job.partials != nullptr;
    const u32 w_rows = count > 16 ? 2 : 1;
    Accumulator<8> pointwise;
    pointwise.clear();
    // The depthwise gradient: a thread has one tap, four channels, and every `groups`th row of a square.
    const u32 combinations = taps * quads, groups = least(SIDE, THREADS / combinations);
    const u32 group = threadIdx.x / combinations, combination = threadIdx.x % combinations;
    const u32 tap = combination / quads, quad = combination % quads;
    float4 depthwise_sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);

    const Lane lane(4);
    const Share share = share_of(squares(step->images, shape.out_height(), shape.out_width()), blockIdx.x, gridDim.x);
    for (u32 index = share.first; index < share.last; ++index) {
        const Square square(index, shape.out_height(), shape.out_width());
        for (u32 i = threadIdx.x; i < SQUARE * all_quads; i += THREADS) {
            const u32 pixel = i / all_quads, channel = i % all_quads * 4;
            float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (square.holds(pixel))
                v = sum_terms4(job.upstream, job.upstream_count, step, square.image, square.place(pixel), channel);
            store4(d + pixel * d_step + channel, v);
        }
        if (weights) {
            load_tile(tile, job.source, shape, square, first, count);
            __syncthreads();
            depthwise(a, a_step, tile, job.depthwise + first, shape, square, count);
        }
        __syncthreads();
        if (weights)
            multiply<P>(pointwise, w_rows, Factor{a, 1, a_step}, Factor{d, d_step, 1}, channels, SQUARE);
        Accumulator<2> z;
        z.clear();
        multiply<P>(z, 4, Factor{d, d_step, 1}, Factor{w, 1, d_step}, count, channels);
        __syncthreads();
#pragma unroll
        for (int j = 0; j < 2; ++j) {
            const u32 column = lane.column + j * lane.column_step;
            if (column >= count) break;
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const u32 pixel = lane.row + 8 * half;
                const float2 v = make_float2(z.c[j][2 * half], z.c[j][2 * half + 1]);
                if (square.holds(pixel)) {
                    float *to = address(job.z, square.image, square.place(pixel)) + first + column;
                    *reinterpret_cast<float2 *>(to) = v;
                }
                if (weights) *reinterpret_cast<float2 *>(a + pixel * a_step + column) = v;
            }
        }
        if (!weights) continue;
        __syncthreads();
        if (group < groups) {
            const float *x = tile + (size_t)(tap / shape.kernel * shape.dilation * span + tap % shape.kernel * shape.dilation) * count;
            for (u32 row = group; row < SIDE; row += groups) {
#pragma unroll
                for (u32 column = 0; column < SIDE; ++column) {
                    const float4 gradient = load4(a + (row * SIDE + column) * a_step + 4 * quad);
                    const float4 value = load4(x + (size_t)(row * span + column) * shape.stride * count + 4 * quad);
                    depthwise_sum = fma4(gradient, value, depthwise_sum);
                }
            }
        }
        __syncthreads();
    }
    if (!weights) return;
    float *out = job.partials + (size_t)blockIdx.x * (taps * channels + (size_t)channels * channels);
    __syncthreads();
    if (group < groups) store4(a + (size_t)(group * combinations + combination) * 4, depthwise_sum);
    __syncthreads();
    if (threadIdx.x < combinations) {
        float4 sum = load4(a + (size_t)combination * 4);
        for (u32 g = 1; g < groups; ++g) sum = add4(sum, load4(a + (size_t)(g * combinations + combination) * 4));
        store4(out + (size_t)tap * channels + first + 4 * quad, sum);
    }
    out += (size_t)taps * channels;
    const Lane place(w_rows);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
        const u32 column = place.column + j * place.column_step;
        if (column >= channels) break;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const u32 row = place.row + 8 * half;
            if (row < count)
                *reinterpret_cast<float2 *>(out + (size_t)(first + row) * channels + column) =
                    make_float2(pointwise.c[j][2 * half], pointwise.c[j][2 * half + 1]);
        }
    }
}

#define CHAIN(NAME, PRECISION)                                                                                                 \
    extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) chain_forward_##NAME(const chain_forward_job *jobs,        \
                                                                               const Step *step) {                             \
        chain_forward<PRECISION>(jobs[blockIdx.z], step);                                                                      \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) chain_backward_##NAME(const chain_backward_job *jobs,      \
                                                                               const Step *step) {                             \
        chain_backward<PRECISION>(jobs[blockIdx.z], step);                                                                     \
    }
CHAIN(f32, F32)
CHAIN(tf32, TF32)
CHAIN(bf16, BF16)
#undef CHAIN

// Convolutions as products over gathered pixels: the 1x1 in front of a cell, factorised reduces, the stem, the auxiliary head.
//
// The depth of the product runs over taps and, within a tap, over channels. Pixels are counted over the whole batch and go
// through 64 at a time, the depth 32 at a time, outputs 64 to a block.
#include "matrix.cuh"

constexpr u32 ROWS = 64;
constexpr u32 DEPTH = 32;
constexpr u32 COLUMNS = 64;
constexpr u32 DEPTH_STEP = DEPTH + 4;
constexpr u32 COLUMN_STEP = COLUMNS + 8;

// Which pixel a row of a product stands for.
struct Row {
    u32 image; // none: ~0
    int y;
    int x;
};
constexpr u32 NO_IMAGE = 0xffffffffu;

// The rows from pixel `first` on of a batch of `images` with these sizes.
__device__ __forceinline__ void rows_of(Row *rows, u32 first, u32 images, u32 height, u32 width) {
    if (threadIdx.x < ROWS) {
        const u32 pixel = first + threadIdx.x, image = pixel / (height * width), rest = pixel % (height * width);
        rows[threadIdx.x] = image < images ? Row{image, (int)(rest / width), (int)(rest % width)} : Row{NO_IMAGE, 0, 0};
    }
}

// How far a tap lies from where the window begins.
__device__ __forceinline__ int tap_y(const Convolution &c, u32 tap) { return (int)(c.window ? tap / c.window : tap); }
__device__ __forceinline__ int tap_x(const Convolution &c, u32 tap) { return (int)(c.window ? tap % c.window : tap); }

// What tap `tap` reads for an output: the source pixel's place, or -1 outside.
__device__ __forceinline__ int tapped(const Convolution &c, const Row &row, u32 tap) {
    const int y = row.y * (int)c.stride + c.begin + tap_y(c, tap), x = row.x * (int)c.stride + c.begin + tap_x(c, tap);
    return row.image != NO_IMAGE && y >= 0 && x >= 0 && y < (int)c.height && x < (int)c.width ? y * (int)c.width + x : -1;
}

// The output that reads a source pixel through tap `tap`: its place, or -1.
__device__ __forceinline__ int reader(const Convolution &c, const Row &row, u32 tap) {
    const int y = row.y - c.begin - tap_y(c, tap), x = row.x - c.begin - tap_x(c, tap), stride = (int)c.stride;
    if (row.image == NO_IMAGE || y < 0 || x < 0 || y % stride || x % stride) return -1;
    return y / stride < (int)c.out_height && x / stride < (int)c.out_width ? y / stride * (int)c.out_width + x / stride : -1;
}

// `depth` of the product `first..first + 32` of the left factor for 64 rows; 0 beyond it and outside the source.
template <Precision P>
__device__ void gather(float *a, const Row *rows, const Convolution &c, const View &source, bool relu, u32 first) {
    const u32 depth = c.taps * c.channels;
    if (c.channels % 4 == 0) {
        for (u32 i = threadIdx.x; i < ROWS * DEPTH / 4; i += THREADS) {
            const u32 r = i / (DEPTH / 4), k = i % (DEPTH / 4) * 4, at = first + k;
            float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (at < depth) {
                const int place = tapped(c, rows[r], at / c.channels);
                if (place >= 0) v = value4(source, rows[r].image, (u32)place, at % c.channels);
            }
            store4(a + r * DEPTH_STEP + k, rounded4<P>(relu ? relu4(v) : v));
        }
    } else {
        for (u32 i = threadIdx.x; i < ROWS * DEPTH; i += THREADS) {
            const u32 r = i / DEPTH, k = i % DEPTH, at = first + k;
            float v = 0.0f;
            if (at < depth) {
                const int place = tapped(c, rows[r], at / c.channels);
                if (place >= 0) v = value(source, rows[r].image, (u32)place, at % c.channels);
            }
            a[r * DEPTH_STEP + k] = rounded<P>(relu ? fmaxf(v, 0.0f) : v);
        }
    }
}

__device__ __forceinline__ const float *kernel_row(const Convolution &c, u32 at) {
    return global(c.kernel) + (long long)(at / c.channels) * c.tap_stride + (size_t)(at % c.channels) * c.outputs;
}

// Shared memory: a[64][36], b[32][72], rows. Grid: splits, groups of 64 outputs, jobs.
template <Precision P> __device__ void product_forward(const product_forward_job &job, const Step *step) {
    const Convolution &c = job.convolution;
    const u32 first_output = blockIdx.y * COLUMNS;
    if (first_output >= c.outputs) return;
    const u32 outputs = c.outputs - first_output < COLUMNS ? c.outputs - first_output : COLUMNS, quads = outputs / 4;
    float *a = reinterpret_cast<float *>(SHARED_MEMORY);
    float *b = a + ROWS * DEPTH_STEP;
    Row *rows = reinterpret_cast<Row *>(b + DEPTH * COLUMN_STEP);
    const u32 depth = c.taps * c.channels, out_pixels = c.out_height * c.out_width, pixels = step->images * out_pixels;
    const Lane lane(Warps(4));
    Accumulator<4> acc;
    MomentSums<4> moments;
    moments.clear();
    const Share share = share_of((pixels + ROWS - 1) / ROWS, blockIdx.x, gridDim.x);
    for (u32 index = share.first; index < share.last; ++index) {
        rows_of(rows, index * ROWS, step->images, c.out_height, c.out_width);
        __syncthreads();
        acc.clear();
        for (u32 first = 0; first < depth; first += DEPTH) {
            gather<P>(a, rows, c, job.source, job.relu, first);
            if (depth > DEPTH || index == share.first) {
                for (u32 i = threadIdx.x; i < DEPTH * quads; i += THREADS) {
                    const u32 k = i / quads, column = i % quads * 4;
                    const float4 zero = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
                    store4(b + k * COLUMN_STEP + column,
                           first + k < depth ? rounded4<P>(load4(kernel_row(c, first + k) + first_output + column)) : zero);
                }
            }
            __syncthreads();
            const u32 rest = (depth - first + 7) / 8 * 8;
            multiply<P>(acc, Warps(4), Factor{a, DEPTH_STEP, 1}, Factor{b, COLUMN_STEP, 1}, outputs, rest < DEPTH ? rest : DEPTH);
            __syncthreads();
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const u32 column = lane.column + j * lane.column_step;
            if (column >= outputs) break;
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const u32 pixel = index * ROWS + lane.row + 8 * half;
                if (pixel < pixels) {
                    float *to = address(job.y, pixel / out_pixels, pixel % out_pixels) + first_output + column;
                    *reinterpret_cast<float2 *>(to) = make_float2(acc.c[j][2 * half], acc.c[j][2 * half + 1]);
                }
            }
        }
        if (job.moments) moments.add(acc);
    }
    if (!job.moments) return;
    double *out = job.moments + (size_t)blockIdx.x * 2 * c.outputs + first_output;
    moments.write(reinterpret_cast<double *>(SHARED_MEMORY), out, outputs, c.outputs);
}

// Shared memory: dy[64][36], kernel[64][36], rows. Grid: groups of 64 source pixels of the batch, groups of 64 channels, jobs.
template <Precision P> __device__ void product_input_gradient(const product_input_gradient_job &job, const Step *step) {
    // All products of a job read the same source.
    const Convolution &source = job.products[0].convolution;
    const u32 first_channel = blockIdx.y * COLUMNS, all = source.height * source.width, pixels = step->images * all;
    if (first_channel >= source.channels || blockIdx.x * ROWS >= pixels) return;
    const u32 channels = source.channels - first_channel < COLUMNS ? source.channels - first_channel : COLUMNS;
    float *d = reinterpret_cast<float *>(SHARED_MEMORY);
    float *w = d + ROWS * DEPTH_STEP;
    Row *rows = reinterpret_cast<Row *>(w + COLUMNS * DEPTH_STEP);
    rows_of(rows, blockIdx.x * ROWS, step->images, source.height, source.width);
    __syncthreads();
    Accumulator<4> acc;
    acc.clear();
    for (u32 n = 0; n < job.count; ++n) {
        const Upstream &product = job.products[n];
        const Convolution &c = product.convolution;
        for (u32 tap = 0; tap < c.taps; ++tap) {
            for (u32 first = 0; first < c.outputs; first += DEPTH) {
                const u32 count = c.outputs - first < DEPTH ? c.outputs - first : DEPTH, quads = count / 4;
                for (u32 i = threadIdx.x; i < ROWS * quads; i += THREADS) {
                    const u32 r = i / quads, k = i % quads * 4;
                    const int place = reader(c, rows[r], tap);
                    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
                    if (place >= 0) v = sum_terms4(product.terms, product.count, step, rows[r].image, (u32)place, first + k);
                    store4(d + r * DEPTH_STEP + k, rounded4<P>(v));
                }
                for (u32 i = threadIdx.x; i < channels * quads; i += THREADS) {
                    const u32 r = i / quads, k = i % quads * 4;
                    store4(w + r * DEPTH_STEP + k, rounded4<P>(load4(kernel_row(c, tap * c.channels + first_channel + r) + first + k)));
                }
                __syncthreads();
                multiply<P>(acc, Warps(4), Factor{d, DEPTH_STEP, 1}, Factor{w, 1, DEPTH_STEP}, channels, count);
                __syncthreads();
            }
        }
    }
    const Lane lane(Warps(4));
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        const u32 column = lane.column + j * lane.column_step;
        if (column >= channels) break;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const u32 pixel = blockIdx.x * ROWS + lane.row + 8 * half;
            if (pixel >= pixels) continue;
            const u32 image = pixel / all, place = pixel % all, channel = first_channel + column;
            float2 v = make_float2(acc.c[j][2 * half], acc.c[j][2 * half + 1]);
            if (job.mask.y.at) {
                v.x = value(job.mask, image, place, channel) > 0.0f ? v.x : 0.0f;
                v.y = value(job.mask, image, place, channel + 1) > 0.0f ? v.y : 0.0f;
            }
            float2 *out = reinterpret_cast<float2 *>(address(job.out, image, place) + channel);
            if (job.add) v = make_float2(out->x + v.x, out->y + v.y);
            *out = v;
        }
    }
}

// Shared memory: a[64][36] and 16 floats, dy[64][72], rows. Grid: splits, (groups of 32 of the depth) x (groups of 64 outputs), jobs.
template <Precision P> __device__ void product_weight_gradient(const product_weight_gradient_job &job, const Step *step) {
    const Convolution &c = job.product.convolution;
    const u32 depth = c.taps * c.channels, depth_groups = (depth + DEPTH - 1) / DEPTH;
    const u32 first = blockIdx.y % depth_groups * DEPTH, first_output = blockIdx.y / depth_groups * COLUMNS;
    if (first_output >= c.outputs) return;
    const u32 outputs = c.outputs - first_output < COLUMNS ? c.outputs - first_output : COLUMNS, quads = outputs / 4;
    float *a = reinterpret_cast<float *>(SHARED_MEMORY);
    float *d = a + ROWS * DEPTH_STEP + 16;
    Row *rows = reinterpret_cast<Row *>(d + ROWS * COLUMN_STEP);
    const u32 out_pixels = c.out_height * c.out_width, pixels = step->images * out_pixels;
    Accumulator<2> acc;
    acc.clear();
    const Share share = share_of((pixels + ROWS - 1) / ROWS, blockIdx.x, gridDim.x);
    for (u32 index = share.first; index < share.last; ++index) {
        rows_of(rows, index * ROWS, step->images, c.out_height, c.out_width);
        __syncthreads();
        gather<P>(a, rows, c, job.source, job.relu, first);
        for (u32 i = threadIdx.x; i < ROWS * quads; i += THREADS) {
            const u32 r = i / quads, column = i % quads * 4;
            float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (rows[r].image != NO_IMAGE)
                v = sum_terms4(job.product.terms, job.product.count, step, rows[r].image,
                               (u32)rows[r].y * c.out_width + (u32)rows[r].x, first_output + column);
            store4(d + r * COLUMN_STEP + column, rounded4<P>(v));
        }
        __syncthreads();
        multiply<P>(acc, Warps(2), Factor{a, 1, DEPTH_STEP}, Factor{d, COLUMN_STEP, 1}, outputs, ROWS);
        __syncthreads();
    }
    float *out = global(job.partials) + (size_t)blockIdx.x * depth * c.outputs;
    const Lane lane(Warps(2));
#pragma unroll
    for (int j = 0; j < 2; ++j) {
        const u32 column = lane.column + j * lane.column_step;
        if (column >= outputs) break;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const u32 row = first + lane.row + 8 * half;
            if (row < depth)
                *reinterpret_cast<float2 *>(out + (size_t)row * c.outputs + first_output + column) =
                    make_float2(acc.c[j][2 * half], acc.c[j][2 * half + 1]);
        }
    }
}

#define PRODUCT(NAME, PRECISION)                                                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) product_forward_##NAME(const product_forward_job *jobs,    \
                                                                                const Step *step) {                            \
        product_forward<PRECISION>(jobs[blockIdx.z], step);                                                                    \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) product_input_gradient_##NAME(                             \
        const product_input_gradient_job *jobs, const Step *step) {                                                            \
        product_input_gradient<PRECISION>(jobs[blockIdx.z], step);                                                             \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) product_weight_gradient_##NAME(                            \
        const product_weight_gradient_job *jobs, const Step *step) {                                                           \
        product_weight_gradient<PRECISION>(jobs[blockIdx.z], step);                                                            \
    }
PRODUCT(f32, F32)
PRODUCT(tf32, TF32)
PRODUCT(bf16, BF16)
#undef PRODUCT

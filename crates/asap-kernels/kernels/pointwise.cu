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

// What lies at place `at` of the depth of a product: a channel of a tap, and how far the tap is from where the window begins.
struct Depth {
    u32 tap;
    u32 channel;
    int y;
    int x;

    __device__ __forceinline__ Depth(const Convolution &c, u32 at) : tap(0), channel(at), y(0), x(0) {
        if (c.taps == 1) return;
        tap = at / c.channels;
        channel = at - tap * c.channels;
        move(c);
    }
    __device__ __forceinline__ Depth(const Convolution &c, u32 tap, u32 channel) : tap(tap), channel(channel), y(0), x(0) {
        if (c.taps > 1) move(c);
    }
    __device__ __forceinline__ void move(const Convolution &c) {
        y = (int)(c.window ? tap / c.window : tap);
        x = (int)(c.window ? tap - (u32)y * c.window : tap);
    }
};

// What a tap reads for an output: the source pixel's place, or -1 outside.
__device__ __forceinline__ int tapped(const Convolution &c, const Row &row, const Depth &tap) {
    const int y = row.y * (int)c.stride + c.begin + tap.y, x = row.x * (int)c.stride + c.begin + tap.x;
    return row.image != NO_IMAGE && y >= 0 && x >= 0 && y < (int)c.height && x < (int)c.width ? y * (int)c.width + x : -1;
}

// The output that reads a source pixel through a tap: its place, or -1.
__device__ __forceinline__ int reader(const Convolution &c, const Row &row, const Depth &tap) {
    int y = row.y - c.begin - tap.y, x = row.x - c.begin - tap.x;
    if (row.image == NO_IMAGE || y < 0 || x < 0) return -1;
    if (c.stride > 1) {
        const u32 whole_y = (u32)y / c.stride, whole_x = (u32)x / c.stride;
        if (whole_y * c.stride != (u32)y || whole_x * c.stride != (u32)x) return -1;
        y = (int)whole_y;
        x = (int)whole_x;
    }
    return y < (int)c.out_height && x < (int)c.out_width ? y * (int)c.out_width + x : -1;
}

// `depth` of the product `first..first + 32` of the left factor for 64 rows; 0 beyond it and outside the source.
template <Precision P>
__device__ void gather(float *a, const Row *rows, const Convolution &c, const View &source, bool relu, u32 first) {
    const u32 depth = c.taps * c.channels;
    if (c.channels % 4 == 0) {
        // The same four channels of a tap for all of the thread's rows.
        const u32 k = threadIdx.x % (DEPTH / 4) * 4;
        const bool inside = first + k < depth;
        const Depth from(c, inside ? first + k : 0);
        float4 scale = make_float4(1.0f, 1.0f, 1.0f, 1.0f), shift = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (source.a) {
            scale = load4(global(source.a) + from.channel);
            shift = load4(global(source.b) + from.channel);
        }
        // All of them are asked for before the first is looked at.
        constexpr u32 STEP = THREADS / (DEPTH / 4), OWN = ROWS / STEP;
        const u32 row = threadIdx.x / (DEPTH / 4);
        float4 v[OWN];
        bool holds[OWN];
#pragma unroll
        for (u32 i = 0; i < OWN; ++i) {
            const Row at = rows[row + i * STEP];
            const int place = inside ? tapped(c, at, from) : -1;
            holds[i] = place >= 0;
            v[i] = holds[i] ? load4(address(source.y, at.image, (u32)place) + from.channel) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        }
#pragma unroll
        for (u32 i = 0; i < OWN; ++i) {
            if (holds[i] && source.a) v[i] = fma4(scale, v[i], shift);
            store4(a + (row + i * STEP) * DEPTH_STEP + k, rounded4<P>(relu ? relu4(v[i]) : v[i]));
        }
    } else {
        for (u32 i = threadIdx.x; i < ROWS * DEPTH; i += THREADS) {
            const u32 r = i / DEPTH, k = i % DEPTH, at = first + k;
            float v = 0.0f;
            if (at < depth) {
                const Depth from(c, at);
                const int place = tapped(c, rows[r], from);
                if (place >= 0) v = value(source, rows[r].image, (u32)place, from.channel);
            }
            a[r * DEPTH_STEP + k] = rounded<P>(relu ? fmaxf(v, 0.0f) : v);
        }
    }
}

__device__ __forceinline__ const float *kernel_row(const Convolution &c, const Depth &at) {
    return global(c.kernel) + (long long)at.tap * c.tap_stride + (size_t)at.channel * c.outputs;
}

// A thread's part of rows of `quads` times four numbers.
struct Part {
    u32 row; // its first one; those left over have none
    u32 rows; // to the next
    u32 column;

    __device__ __forceinline__ explicit Part(u32 quads) : row(threadIdx.x / quads), rows(THREADS / quads), column((threadIdx.x - row * quads) * 4) {
        if (row >= rows) row = NO_IMAGE;
    }
};

// Rows of a factor whose terms a thread asks for together.
constexpr u32 AT_ONCE = 2;

// Rows `first`, `first + apart` and so on of a factor, of ROWS, `step` floats apart.
template <Precision P> __device__ __forceinline__ void put_rows(float *to, u32 step, const float4 (&values)[AT_ONCE], u32 first, u32 apart) {
#pragma unroll
    for (u32 i = 0; i < AT_ONCE; ++i) {
        const u32 row = first + i * apart;
        if (row < ROWS) store4(to + row * step, rounded4<P>(values[i]));
    }
}

// Shared memory: a[64][36], b[32][72], rows. Grid: splits, groups of 64 outputs, jobs.
template <Precision P> __device__ void product_forward(const product_forward_job &job, const Step *step) {
    // Read once: for all the compiler knows, what is written may lie in the job.
    const Convolution c = job.convolution;
    const View source = job.source;
    const bool relu = job.relu, summed = job.moments;
    const u32 first_output = blockIdx.y * COLUMNS;
    if (first_output >= c.outputs) return;
    const u32 outputs = c.outputs - first_output < COLUMNS ? c.outputs - first_output : COLUMNS;
    const Part part(outputs / 4);
    float *a = reinterpret_cast<float *>(SHARED_MEMORY);
    float *b = a + ROWS * DEPTH_STEP;
    Row *rows = reinterpret_cast<Row *>(b + DEPTH * COLUMN_STEP);
    const u32 depth = c.taps * c.channels, out_pixels = c.out_height * c.out_width, pixels = step->images * out_pixels;
    const Lane lane(Warps(4));
    const Tensor y_tensor = job.y;
    Accumulator<4> acc;
    MomentSums<4> moments;
    moments.clear();
    const Share share = share_of((pixels + ROWS - 1) / ROWS, blockIdx.x, gridDim.x);
    for (u32 index = share.first; index < share.last; ++index) {
        rows_of(rows, index * ROWS, step->images, c.out_height, c.out_width);
        __syncthreads();
        acc.clear();
        for (u32 first = 0; first < depth; first += DEPTH) {
            gather<P>(a, rows, c, source, relu, first);
            if (depth > DEPTH || index == share.first) {
                for (u32 k = part.row; k < DEPTH; k += part.rows) {
                    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
                    if (first + k < depth) v = rounded4<P>(load4(kernel_row(c, Depth(c, first + k)) + first_output + part.column));
                    store4(b + k * COLUMN_STEP + part.column, v);
                }
            }
            __syncthreads();
            const u32 rest = (depth - first + 7) / 8 * 8;
            multiply<P>(acc, Warps(4), Factor{a, DEPTH_STEP, 1}, Factor{b, COLUMN_STEP, 1}, outputs, rest < DEPTH ? rest : DEPTH);
            __syncthreads();
        }
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const Row row = rows[lane.row + 8 * half];
            if (row.image == NO_IMAGE) continue;
            float *to = address(y_tensor, row.image, (u32)row.y * c.out_width + (u32)row.x) + first_output + lane.column;
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                if (lane.column + j * lane.column_step >= outputs) break;
                *reinterpret_cast<float2 *>(to + j * lane.column_step) = make_float2(acc.c[j][2 * half], acc.c[j][2 * half + 1]);
            }
        }
        // The rows are still read.
        __syncthreads();
        if (summed) moments.add(acc);
    }
    if (!summed) return;
    double *out = job.moments + (size_t)blockIdx.x * 2 * c.outputs + first_output;
    moments.write(reinterpret_cast<double *>(SHARED_MEMORY), out, outputs, c.outputs, Warps(4));
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
        const Upstream product = job.products[n];
        const Convolution &c = product.convolution;
        for (u32 tap = 0; tap < c.taps; ++tap) {
            for (u32 first = 0; first < c.outputs; first += DEPTH) {
                const u32 count = c.outputs - first < DEPTH ? c.outputs - first : DEPTH;
                const Part part(count / 4);
                for (u32 r = part.row; r < ROWS; r += AT_ONCE * part.rows) {
                    Pixels<AT_ONCE, AT_ONCE> at;
                    float4 sums[AT_ONCE];
#pragma unroll
                    for (u32 i = 0; i < AT_ONCE; ++i) {
                        const Row row = r + i * part.rows < ROWS ? rows[r + i * part.rows] : Row{NO_IMAGE, 0, 0};
                        const int place = reader(c, row, Depth(c, tap, 0));
                        at.image[i] = row.image;
                        at.pixel[i] = (u32)place;
                        at.holds[i] = place >= 0;
                    }
                    sum_terms4(sums, product.terms, product.count, step, at, first + part.column);
                    put_rows<P>(d + part.column, DEPTH_STEP, sums, r, part.rows);
                }
                for (u32 r = part.row; r < channels; r += part.rows) {
                    const float *row = kernel_row(c, Depth(c, tap, first_channel + r));
                    store4(w + r * DEPTH_STEP + part.column, rounded4<P>(load4(row + first + part.column)));
                }
                __syncthreads();
                multiply<P>(acc, Warps(4), Factor{d, DEPTH_STEP, 1}, Factor{w, 1, DEPTH_STEP}, channels, count);
                __syncthreads();
            }
        }
    }
    const Lane lane(Warps(4));
    const Tensor out_tensor = job.out;
    const bool masked = job.mask.y.at, add = job.add;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const Row row = rows[lane.row + 8 * half];
        if (row.image == NO_IMAGE) continue;
        const u32 place = (u32)row.y * source.width + (u32)row.x;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const u32 column = lane.column + j * lane.column_step, channel = first_channel + column;
            if (column >= channels) break;
            float2 v = make_float2(acc.c[j][2 * half], acc.c[j][2 * half + 1]);
            if (masked) {
                v.x = value(job.mask, row.image, place, channel) > 0.0f ? v.x : 0.0f;
                v.y = value(job.mask, row.image, place, channel + 1) > 0.0f ? v.y : 0.0f;
            }
            float2 *out = reinterpret_cast<float2 *>(address(out_tensor, row.image, place) + channel);
            if (add) v = make_float2(out->x + v.x, out->y + v.y);
            *out = v;
        }
    }
}

// Shared memory: a[64][36] and 16 floats, dy[64][72], rows. Grid: splits, (groups of 32 of the depth) x (groups of 64 outputs), jobs.
template <Precision P> __device__ void product_weight_gradient(const product_weight_gradient_job &job, const Step *step) {
    // Read once, as above.
    const Convolution c = job.product.convolution;
    const View source = job.source;
    const bool relu = job.relu;
    const u32 depth = c.taps * c.channels, depth_groups = (depth + DEPTH - 1) / DEPTH;
    const u32 first = blockIdx.y % depth_groups * DEPTH, first_output = blockIdx.y / depth_groups * COLUMNS;
    if (first_output >= c.outputs) return;
    const u32 outputs = c.outputs - first_output < COLUMNS ? c.outputs - first_output : COLUMNS;
    const Part part(outputs / 4);
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
        gather<P>(a, rows, c, source, relu, first);
        for (u32 r = part.row; r < ROWS; r += AT_ONCE * part.rows) {
            Pixels<AT_ONCE, AT_ONCE> at;
            float4 sums[AT_ONCE];
#pragma unroll
            for (u32 i = 0; i < AT_ONCE; ++i) {
                const Row row = r + i * part.rows < ROWS ? rows[r + i * part.rows] : Row{NO_IMAGE, 0, 0};
                at.image[i] = row.image;
                at.pixel[i] = (u32)row.y * c.out_width + (u32)row.x;
                at.holds[i] = row.image != NO_IMAGE;
            }
            sum_terms4(sums, job.product.terms, job.product.count, step, at, first_output + part.column);
            put_rows<P>(d + part.column, COLUMN_STEP, sums, r, part.rows);
        }
        __syncthreads();
        multiply<P>(acc, Warps(2), Factor{a, 1, DEPTH_STEP}, Factor{d, COLUMN_STEP, 1}, outputs, ROWS);
        __syncthreads();
    }
    float *out = global(job.partials) + ((size_t)blockIdx.x * depth + first) * c.outputs + first_output;
    acc.put(out, c.outputs, Lane(Warps(2)), depth - first, outputs);
}

#define PRODUCT(NAME, PRECISION)                                                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) product_forward_##NAME(const product_forward_job *jobs,    \
                                                                                const Step *step) {                            \
        product_forward<PRECISION>(jobs[blockIdx.z], step);                                                                    \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS, 3) product_input_gradient_##NAME(                                    \
        const product_input_gradient_job *jobs, const Step *step) {                                                            \
        product_input_gradient<PRECISION>(jobs[blockIdx.z], step);                                                             \
    }                                                                                                                          \
    /* Four blocks of it are launched for each multiprocessor. */                                                              \
    extern "C" __global__ void __launch_bounds__(THREADS, 4) product_weight_gradient_##NAME(                                   \
        const product_weight_gradient_job *jobs, const Step *step) {                                                           \
        product_weight_gradient<PRECISION>(jobs[blockIdx.z], step);                                                            \
    }
PRODUCT(f32, F32)
PRODUCT(tf32, TF32)
PRODUCT(bf16, BF16)
#undef PRODUCT

// 3x3 pools with padding 1, and pools over a window without padding, forward and back.
//
// The average does not count the padding. The first of several equal maxima, in rows and then columns, gets the gradient.
#include "quad.cuh"

enum PoolKind { MAXIMUM, AVERAGE };

// Four channels of a view, its coefficients read once.
struct Source {
    Tensor y;
    float4 a;
    float4 b;
    u32 image;
    u32 channel;
    bool normalised;

    __device__ __forceinline__ Source(const View &view, u32 image, u32 channel)
        : y(view.y), a(zero4()), b(zero4()), image(image), channel(channel), normalised(view.a) {
        if (!normalised) return;
        a = load4(view.a + channel);
        b = load4(view.b + channel);
    }

    __device__ __forceinline__ float4 at(u32 pixel) const {
        const float4 v = load4(address(y, image, pixel) + channel);
        return normalised ? fma4(a, v, b) : v;
    }
};

__device__ __forceinline__ float4 max4(float4 v, float4 w) {
    return make_float4(fmaxf(v.x, w.x), fmaxf(v.y, w.y), fmaxf(v.z, w.z), fmaxf(v.w, w.w));
}

// Outputs along an axis at a stride of 1 or 2.
__device__ __forceinline__ u32 outputs_along(u32 size, u32 stride) { return (size + stride - 1) >> (stride - 1); }

// Pixels of a 3x3 window along one axis.
__device__ __forceinline__ u32 window_size(u32 middle, u32 size) {
    return 3 - (middle == 0) - (middle + 1 == size);
}

// POOLED outputs of a row, side by side: what their windows share is read and gone through once, first along the columns of inputs.
template <PoolKind KIND, u32 STRIDE>
__device__ __forceinline__ void pool_strip(const pool_forward_job &job, const Source &source, u32 out_row, u32 first) {
    constexpr u32 COLUMNS = (POOLED - 1) * STRIDE + 3;
    const u32 out_width = outputs_along(job.width, STRIDE), row = out_row * STRIDE;
    const bool above = row > 0, below = row + 1 < job.height;
    // For a row or column that lies outside stands the nearest one once more, which changes no maximum, and is not added.
    const u32 middle = row * job.width, upper = above ? middle - job.width : middle, lower = below ? middle + job.width : middle;
    float4 columns[COLUMNS];
#pragma unroll
    for (u32 i = 0; i < COLUMNS; ++i) {
        const int column = (int)(first * STRIDE + i) - 1;
        const u32 x = (u32)min(max(column, 0), (int)job.width - 1);
        const float4 values[3] = {source.at(upper + x), source.at(middle + x), source.at(lower + x)};
        if (KIND == MAXIMUM) {
            columns[i] = max4(max4(values[0], values[1]), values[2]);
        } else {
            float4 sum = values[1];
            if (above) sum = add4(values[0], sum);
            if (below) sum = add4(sum, values[2]);
            columns[i] = (u32)column < job.width ? sum : zero4();
        }
    }
    const Tensor y = job.y;
    const u32 channel = source.channel, place = out_row * out_width + first, rows = window_size(row, job.height);
#pragma unroll
    for (u32 i = 0; i < POOLED; ++i) {
        if (first + i >= out_width) return;
        const float4 *window = columns + i * STRIDE;
        const float share = 1.0f / (float)(rows * window_size((first + i) * STRIDE, job.width));
        const float4 result = KIND == MAXIMUM ? max4(max4(window[0], window[1]), window[2])
                                              : times4(add4(add4(window[0], window[1]), window[2]), share);
        store4(address(y, source.image, place + i) + channel, result);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) pool_forward(const pool_forward_job *jobs, const Step *step) {
    const pool_forward_job &job = jobs[blockIdx.z];
    const u32 across = (outputs_along(job.width, job.stride) + POOLED - 1) / POOLED;
    const Quad at(outputs_along(job.height, job.stride) * across, job.channels);
    if (at.image >= step->images) return;
    const Source source(job.source, at.image, at.channel);
    const u32 row = at.pixel / across, first = (at.pixel - row * across) * POOLED;
    switch (job.kind * 2 + job.stride) {
    case MAXIMUM * 2 + 1: pool_strip<MAXIMUM, 1>(job, source, row, first); break;
    case MAXIMUM * 2 + 2: pool_strip<MAXIMUM, 2>(job, source, row, first); break;
    case AVERAGE * 2 + 1: pool_strip<AVERAGE, 1>(job, source, row, first); break;
    default: pool_strip<AVERAGE, 2>(job, source, row, first);
    }
}

// The outputs whose window's middle lies before, at and behind an input along one axis; NONE where there is none.
struct Middles {
    static constexpr u32 NONE = 0xffffffffu;
    u32 out[3];

    __device__ __forceinline__ Middles(u32 at, u32 stride, u32 size) {
        const u32 whole = at >> (stride - 1), rest = at & (stride - 1);
        out[0] = at > 0 && rest == (stride > 1) ? whole - (stride == 1) : NONE;
        out[1] = rest == 0 ? whole : NONE;
        out[2] = at + 1 < size && rest + 1 == stride ? whole + 1 : NONE;
    }
};

// Where four channels have met a window's maximum.
struct Met {
    bool x, y, z, w;

    __device__ __forceinline__ void look(float4 v, float4 maximum) {
        x |= v.x == maximum.x;
        y |= v.y == maximum.y;
        z |= v.z == maximum.z;
        w |= v.w == maximum.w;
    }
};

// The gradient of one input through a maximum: from every window in which it is the first to equal the maximum.
__device__ __forceinline__ float4 maximum_gradient(const PoolGradient &pool, const Source &source, const pool_gradient_job &job,
                                                   u32 row, u32 column, const Middles &rows, const Middles &columns) {
    const u32 out_width = outputs_along(job.width, job.stride);
    const Tensor y = pool.y, dy = pool.dy;
    // All inputs that may come before this one in a window: two rows above and two pixels to the left, this one last. What lies
    // outside is no number and equals nothing.
    const float4 nothing = make_float4(NAN, NAN, NAN, NAN);
    float4 before[3][5];
#pragma unroll
    for (u32 i = 0; i < 13; ++i) {
        const u32 above = row + i / 5 - 2, left = column + i % 5 - 2;
        before[i / 5][i % 5] = above < job.height && left < job.width ? source.at(above * job.width + left) : nothing;
    }
    float4 sum = zero4();
#pragma unroll
    for (u32 r = 0; r < 3; ++r) {
        if (rows.out[r] == Middles::NONE) continue;
        // The windows of a row are asked for before the first is looked at.
        float4 maxima[3], g[3];
#pragma unroll
        for (u32 c = 0; c < 3; ++c) {
            const bool holds = columns.out[c] != Middles::NONE;
            const u32 out = rows.out[r] * out_width + columns.out[c];
            maxima[c] = holds ? load4(address(y, source.image, out) + source.channel) : nothing;
            g[c] = holds ? load4(address(dy, source.image, out) + source.channel) : zero4();
        }
#pragma unroll
        for (u32 c = 0; c < 3; ++c) {
            // The window begins in row r and column c of `before`.
            Met earlier = {false, false, false, false}, now = earlier;
#pragma unroll
            for (u32 j = 0; j < (2 - r) * 3 + 2 - c; ++j) earlier.look(before[r + j / 3][c + j % 3], maxima[c]);
            now.look(before[2][2], maxima[c]);
            sum.x += now.x && !earlier.x ? g[c].x : 0.0f;
            sum.y += now.y && !earlier.y ? g[c].y : 0.0f;
            sum.z += now.z && !earlier.z ? g[c].z : 0.0f;
            sum.w += now.w && !earlier.w ? g[c].w : 0.0f;
        }
    }
    return sum;
}

// The gradient of one input through an average.
__device__ __forceinline__ float4 average_gradient(const PoolGradient &pool, const Source &source, const pool_gradient_job &job,
                                                   u32 row, u32 column, const Middles &rows, const Middles &columns) {
    const u32 out_width = outputs_along(job.width, job.stride);
    const Tensor dy = pool.dy;
    float4 sum = zero4();
#pragma unroll
    for (u32 r = 0; r < 3; ++r) {
        if (rows.out[r] == Middles::NONE) continue;
        const u32 height = window_size(row + r - 1, job.height), out = rows.out[r] * out_width;
        float4 g[3];
#pragma unroll
        for (u32 c = 0; c < 3; ++c)
            g[c] = columns.out[c] == Middles::NONE ? zero4() : load4(address(dy, source.image, out + columns.out[c]) + source.channel);
#pragma unroll
        for (u32 c = 0; c < 3; ++c) {
            const u32 count = height * window_size(column + c - 1, job.width);
            sum = add4(sum, times4(g[c], 1.0f / (float)count));
        }
    }
    return sum;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) pool_gradient(const pool_gradient_job *jobs, const Step *step) {
    const pool_gradient_job &job = jobs[blockIdx.z];
    const Quad at(job.height * job.width, job.channels);
    if (at.image >= step->images) return;
    float *out = address(job.out, at.image, at.pixel) + at.channel;
    float4 sum = job.add ? load4(out) : zero4();
    const Source source(job.source, at.image, at.channel);
    const u32 row = at.pixel / job.width, column = at.pixel % job.width;
    const Middles rows(row, job.stride, job.height), columns(column, job.stride, job.width);
    for (u32 k = 0; k < job.pools_count; ++k) {
        const PoolGradient &pool = job.pools[k];
        sum = add4(sum, pool.kind == MAXIMUM ? maximum_gradient(pool, source, job, row, column, rows, columns)
                                             : average_gradient(pool, source, job, row, column, rows, columns));
    }
    float4 sums[1];
    sum_terms4(sums, job.terms, job.terms_count, step, Pixels<1, 1>{{at.image}, {at.pixel}, {true}}, at.channel);
    store4(out, add4(sum, sums[0]));
}

// Outputs of a window along one axis.
__device__ __forceinline__ u32 window_outputs(u32 size, const window_pool_job &pool) {
    return (size - pool.window) / pool.stride + 1;
}

__device__ __forceinline__ float window_share(const window_pool_job &pool) { return 1.0f / (float)(pool.window * pool.window); }

extern "C" __global__ void __launch_bounds__(THREADS) window_pool(const window_pool_job *jobs, const Step *step) {
    const window_pool_job &job = jobs[blockIdx.z];
    const u32 out_width = window_outputs(job.width, job);
    const Quad at(window_outputs(job.height, job) * out_width, job.channels);
    if (at.image >= step->images) return;
    const Source source(job.source, at.image, at.channel);
    u32 pixel = at.pixel / out_width * job.stride * job.width + at.pixel % out_width * job.stride;
    float4 sum = zero4();
    for (u32 y = 0; y < job.window; ++y, pixel += job.width) {
#pragma unroll 5
        for (u32 x = 0; x < job.window; ++x) sum = add4(sum, relu4(source.at(pixel + x)));
    }
    store4(address(job.y, at.image, at.pixel) + at.channel, times4(sum, window_share(job)));
}

// First and one past the last output whose window holds an input, along one axis.
__device__ __forceinline__ Share windows_around(u32 at, u32 size, const window_pool_job &pool) {
    const u32 first = at < pool.window ? 0 : (at - pool.window) / pool.stride + 1;
    return {first, min(at / pool.stride + 1, window_outputs(size, pool))};
}

extern "C" __global__ void __launch_bounds__(THREADS) window_pool_gradient(const window_pool_gradient_job *jobs,
                                                                           const Step *step) {
    const window_pool_gradient_job &job = jobs[blockIdx.z];
    const window_pool_job &pool = job.pool;
    const Quad at(pool.height * pool.width, pool.channels);
    if (at.image >= step->images) return;
    float *out = address(job.out, at.image, at.pixel) + at.channel;
    const float4 before = job.add ? load4(out) : zero4();
    const float4 sign = Source(pool.source, at.image, at.channel).at(at.pixel);
    const u32 out_width = window_outputs(pool.width, pool);
    const Share rows = windows_around(at.pixel / pool.width, pool.height, pool);
    const Share columns = windows_around(at.pixel % pool.width, pool.width, pool);
    float4 sum = zero4();
    for (u32 y = rows.first; y < rows.last; ++y) {
        for (u32 x = columns.first; x < columns.last; ++x) {
            sum = add4(sum, load4(address(pool.y, at.image, y * out_width + x) + at.channel));
        }
    }
    store4(out, add4(before, where_positive4(sign, times4(sum, window_share(pool)))));
}

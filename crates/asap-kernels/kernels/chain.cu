// One chain of a bank: ReLU, depthwise, pointwise, statistics in one pass over a tile in shared memory; and back to the
// depthwise output, with the gradients of both kernels. A table of jobs holds all chains that leave a node, or nodes
// that are ready at a time.
//
// A block computes patches of 8 x 8 output pixels one after another, or of 16 x 8 where the compiler knows that there are 16 channels: its share of
// all patches of all images.
#include "matrix.cuh"
#include "patch.cuh"

constexpr u32 OUTPUTS = 64;

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
    __device__ __forceinline__ u32 taps() const { return kernel * kernel; }
    // Pixels from one that is read to the next: where both are 2, none of those between is, and the tile leaves them out.
    __device__ __forceinline__ u32 step() const { return stride == 2 && dilation == 2 ? 2 : 1; }
    // In pixels of the tile.
    __device__ __forceinline__ u32 tile_stride() const { return stride / step(); }
    __device__ __forceinline__ u32 tile_dilation() const { return dilation / step(); }
    // Pixels of the tile that so many outputs in a row, or one below the other, read.
    __device__ __forceinline__ u32 span(u32 outputs) const { return (outputs - 1) * tile_stride() + (kernel - 1) * tile_dilation() + 1; }
    __device__ __forceinline__ u32 tile_pixels(u32 rows) const { return span(rows) * pitch_of(span(SIDE)); }

    // What the depthwise convolution reads for a patch.
    template <Precision P, u32 ROWS> __device__ __forceinline__ Window window(const View &source, const Patch<ROWS> &patch) const {
        const int padding = (int)((kernel - 1) / 2 * dilation);
        const int top = (int)(patch.top * stride) - padding, left = (int)(patch.left * stride) - padding;
        return {{known<P>(source.y), source.a, source.b}, patch.image, top, left, step(), height, width};
    }
};

// What the compiler knows of a chain, so that hardly any of its arithmetic is left: kernel, dilation and channels, of stride 1; or nothing.
template <u32 K, u32 D, u32 C> struct Fixed {
    static constexpr bool KNOWN = true;
    // Of a patch. Every thread has one to convolve.
    static constexpr u32 ROWS = C == 16 ? 2 * SIDE : SIDE;
    static_assert(THREADS % (C / 4) == 0 && ROWS * SIDE % (2 * THREADS / (C / 4)) == 0, "`load_upstream` is exact");
    template <class Job> __device__ static __forceinline__ ChainShape shape(const Job &job) { return {K, D, 1, job.height, job.width, C}; }
};
struct Free {
    static constexpr bool KNOWN = false;
    static constexpr u32 ROWS = SIDE;
    template <class Job> __device__ static __forceinline__ ChainShape shape(const Job &job) {
        return {job.kernel, job.dilation, job.stride, job.height, job.width, job.channels};
    }
};

// Calls `run` with what the compiler then knows: of the numbers of channels C, where `usual`, and where there are others, nothing; nor of
// f32, which is there to compare with.
template <Precision P, u32 C, u32... MORE, class Job, class Run>
__device__ __forceinline__ void with_fixed(const Job &job, bool usual, const Run &run) {
    if (P == F32 || !usual || job.stride != 1 || job.channels != C) {
        if constexpr (P != F32 && sizeof...(MORE) > 0) {
            with_fixed<P, MORE...>(job, usual, run);
        } else {
            run(Free());
        }
        return;
    }
    if constexpr (P != F32) {
        switch (job.kernel * 2 + job.dilation) {
        case 3 * 2 + 1: run(Fixed<3, 1, C>()); break;
        case 3 * 2 + 2: run(Fixed<3, 2, C>()); break;
        case 5 * 2 + 1: run(Fixed<5, 1, C>()); break;
        default: run(Fixed<5, 2, C>());
        }
    }
}

// A row of depthwise outputs as a factor of a product: 0 from `columns` on.
template <Precision P> __device__ __forceinline__ void put_row(float *to, u32 step, float (&outputs)[SIDE], u32 columns) {
    if (columns < SIDE) {
#pragma unroll
        for (u32 i = 0; i < SIDE; ++i)
            if (i >= columns) outputs[i] = 0.0f;
    }
#pragma unroll
    for (u32 i = 0; i < SIDE; ++i) to[i * step] = rounded<P>(outputs[i]);
}

// The depthwise convolution of a tile: `out[pixels][out_step]`; 0 where there is no pixel.
template <Precision P, u32 ROWS, class Taps>
__device__ __forceinline__ void depthwise(float *out, u32 out_step, const float *tile, const Taps &w, const ChainShape &shape,
                                          const Patch<ROWS> &patch, const Line<ROWS> &line) {
    const u32 row = pitch_of(shape.span(SIDE)) * line.count;
    const float *x = tile + line.row * shape.tile_stride() * row + line.channel;
    float sums[SIDE] = {};
    with_known(shape.kernel, shape.tile_dilation(), shape.tile_stride(), line.count,
               [&](auto known) { convolve<false>(known, sums, x, row, w); });
    put_row<P>(out + line.row * SIDE * out_step + line.channel, out_step, sums, patch.columns(line.row));
}

__device__ __forceinline__ u32 least(u32 a, u32 b) { return a < b ? a : b; }

// From row to row of a pointwise kernel in shared memory: rows that a warp reads at once begin in different banks.
__device__ __forceinline__ u32 pointwise_step(u32 outputs) { return outputs + (outputs % 16 == 8 ? 16 : 8); }

// Shared memory: tile[rows][pitch][chunk], depthwise[pixels][chunk + 4], pointwise[chunk][outputs + 8 or 16], taps[kernel kernel][chunk]; at least
// 4096 bytes, and twice that for patches of 16 rows, of which the tile alone takes more. Grid: splits, groups of 64 outputs, jobs.
// `NARROW` takes up to 32 channels, all at once, and its taps stay in registers.
template <Precision P, bool NARROW, class Fixed> __device__ CALLED void chain_forward(const chain_forward_job &given, const Step *step) {
    know_threads();
    const chain_forward_job &job = *global(&given);
    step = global(step);
    constexpr int TILES = NARROW ? 2 : 4;
    constexpr u32 ROWS = Fixed::ROWS, PIXELS = ROWS * SIDE;
    const ChainShape shape = Fixed::shape(job);
    const u32 channels = shape.channels, chunk = NARROW ? channels : CHUNK, rows = shape.span(ROWS), columns = shape.span(SIDE);
    if (blockIdx.y * OUTPUTS >= channels) return;
    const u32 first_output = Fixed::KNOWN ? 0 : blockIdx.y * OUTPUTS;
    const u32 outputs = least(OUTPUTS, channels - first_output);
    const u32 a_step = chunk + 4, b_step = pointwise_step(least(OUTPUTS, channels));
    float *tile = reinterpret_cast<float *>(SHARED_MEMORY);
    float *a = tile + shape.tile_pixels(ROWS) * chunk;
    float *b = a + PIXELS * a_step;
    float *taps = b + chunk * b_step;
    // Read once: for all the compiler knows, what is written may lie in the job.
    const Tensor y_tensor = known<P>(job.y);
    const View source = job.source;
    const bool summed = job.moments;
    const Warps warps(PIXELS / 16);
    const Lane lane(warps);
    Accumulator<TILES> acc;
    MomentSums<TILES> moments;
    moments.clear();
    const Share share = share_of(patches<ROWS>(step->images, shape.out_height(), shape.out_width()), blockIdx.x, gridDim.x);
    // The next tile is on its way while one is computed with.
    Walk walk(rows, columns, Quads(chunk));
    Line<ROWS> line(chunk);
    Patch<ROWS> patch(share.first, shape.out_height(), shape.out_width());
    Batch batch;
    HeldTaps held;
    Around<true> around(shape.window<P>(source, patch), walk, 0);
    if (share.first < share.last) batch.load(around);
    for (u32 index = share.first; index < share.last; ++index) {
        Patch<ROWS> next = patch;
        next.advance();
        acc.clear();
        u32 first = 0;
        do {
            const u32 count = Fixed::KNOWN ? chunk : walk.count;
            // One chunk: the kernels stay.
            if (!NARROW) __syncthreads();
            if (!NARROW || index == share.first) {
                const u32 quads = outputs / 4;
                for (u32 i = threadIdx.x; i < count * quads; i += THREADS)
                    store4(b + i / quads * b_step + i % quads * 4,
                           rounded4<P>(load4(global(job.pointwise) + (size_t)(first + i / quads) * channels + first_output + i % quads * 4)));
                load_taps(taps, job.depthwise, shape.taps(), channels, first, Quads(count));
            }
            finish_tile(tile, batch, walk, around);
            __syncthreads();
            const bool last = NARROW || first + chunk >= channels;
            const u32 ahead = last ? 0 : first + chunk;
            if (!NARROW && !Fixed::KNOWN && least(chunk, channels - ahead) != walk.count) walk = Walk(rows, columns, Quads(least(chunk, channels - ahead)));
            around = Around<true>(shape.window<P>(source, last ? next : patch), walk, ahead);
            if (!last || index + 1 < share.last) batch.load(around);
            if (!NARROW && !Fixed::KNOWN && count != line.count) line = Line<ROWS>(count);
            if (line.works()) {
                if constexpr (NARROW) {
                    if (index == share.first) held.load(taps + line.channel, shape.taps(), count);
                    depthwise<P>(a, a_step, tile, held, shape, patch, line);
                } else {
                    depthwise<P>(a, a_step, tile, SharedTaps{taps + line.channel}, shape, patch, line);
                }
            }
            __syncthreads();
            multiply<P>(acc, warps, Factor{a, a_step, 1}, Factor{b, b_step, 1}, outputs, count);
            first += chunk;
        } while (!NARROW && first < channels);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const u32 pixel = lane.row + 8 * half;
            const bool holds = patch.holds(pixel);
#pragma unroll
            for (int j = 0; j < TILES; ++j) {
                const u32 column = lane.column + j * lane.column_step;
                if (column >= outputs) break;
                float *v = acc.c[j] + 2 * half;
                if (holds) write2(y_tensor, patch.image, patch.place(pixel), first_output + column, make_float2(v[0], v[1]));
                // Sums are over what is read later.
                v[0] = kept_by(y_tensor, v[0]);
                v[1] = kept_by(y_tensor, v[1]);
            }
        }
        if (summed) moments.add(acc);
        patch = next;
    }
    if (!summed) return;
    double *out = job.moments + (size_t)blockIdx.x * 2 * channels + first_output;
    __syncthreads();
    moments.write(reinterpret_cast<double *>(SHARED_MEMORY), out, outputs, channels, warps);
}

// `summands[2][2][channels]`: what the terms of a job's upstream do to all channels.
__device__ __forceinline__ void load_summands(float *summands, const Term *terms, const Step *step, u32 channels) {
    const u32 quads = channels / 4;
    for (u32 i = threadIdx.x; i < 2 * quads; i += THREADS) {
        const u32 term = i / quads, channel = (i - term * quads) * 4;
        const Summand summand(terms[term], step, channel);
        store4(summands + 2 * term * channels + channel, summand.scale);
        store4(summands + (2 * term + 1) * channels + channel, summand.shift);
    }
}

// The two terms of a job's upstream, read once.
struct TwoTerms {
    Tensor y[2];
    u32 cell[2];
    u32 weight[2];

    template <Precision P> __device__ static __forceinline__ TwoTerms of(const Term *terms) {
        return {{known<P>(terms[0].y), known<P>(terms[1].y)}, {terms[0].cell, terms[1].cell}, {terms[0].weight, terms[1].weight}};
    }
};

// `d[pixels][step]`: the sum of the two terms of a patch, all channels; 0 where there is no pixel. EXACT if no thread is left
// over and there are so many pixels that all have as many.
template <Precision P, bool EXACT, u32 ROWS>
__device__ __forceinline__ void load_upstream(float *d, u32 d_step, const Quads &quads, const float *summands, const TwoTerms &terms,
                                              const Step *step, bool may_lose, const Patch<ROWS> &patch) {
    constexpr u32 PIXELS = 2, ALL = ROWS * SIDE;
    const u32 stride = quads.threads, channel = quads.channel;
    const bool kept[2] = {!may_lose || keeps(step, patch.image, terms.cell[0], terms.weight[0]),
                          !may_lose || keeps(step, patch.image, terms.cell[1], terms.weight[1])};
    // Threads left over have no pixel.
    for (u32 first = 0; first < ALL; first += PIXELS * stride) {
        const u32 pixel = EXACT || quads.thread < stride ? first + quads.thread : ALL;
        float4 y[2][PIXELS], sums[PIXELS];
        bool holds[PIXELS];
#pragma unroll
        for (u32 i = 0; i < PIXELS; ++i) {
            const u32 own = pixel + i * stride;
            holds[i] = (EXACT || own < ALL) && patch.holds(own);
            sums[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll
            for (u32 t = 0; t < 2; ++t)
                if (holds[i] && kept[t]) y[t][i] = stored4(terms.y[t], patch.image, patch.place(own), channel);
        }
#pragma unroll
        for (u32 t = 0; t < 2; ++t) {
            const float *own = summands + 2 * t * quads.count + channel;
            const Summand summand(load4(own), load4(own + quads.count));
#pragma unroll
            for (u32 i = 0; i < PIXELS; ++i)
                if (holds[i] && kept[t]) sums[i] = summand.add(numbers4(y[t][i], is_half(terms.y[t])), sums[i]);
        }
#pragma unroll
        for (u32 i = 0; i < PIXELS; ++i) {
            const u32 own = pixel + i * stride;
            if (EXACT || own < ALL) store4(d + own * d_step + channel, rounded4<P>(sums[i]));
        }
    }
}

// Parts that the pixels of a patch are divided into for the gradient of the pointwise kernel: so many that every warp has a tile.
__device__ __forceinline__ u32 parts_of(u32 channels) { return channels <= 8 ? 8 : channels <= 16 ? 4 : 1; }

// Shared memory: dy[pixels][channels + 4], pointwise[chunk][channels + 4], z or depthwise[pixels][chunk + 4] and 16 floats,
// summands[2][2][channels], tile[rows][pitch][chunk], taps[kernel kernel][chunk]. Grid: splits, groups of `chunk` inputs, jobs. At most
// `32 TILES` channels. Only for the gradients of kernels (WEIGHTS) is the source read.
template <Precision P, int TILES, bool WEIGHTS, class Fixed>
__device__ CALLED void chain_backward(const chain_backward_job &given, const Step *step) {
    know_threads();
    const chain_backward_job &job = *global(&given);
    step = global(step);
    constexpr u32 ROWS = Fixed::ROWS, PIXELS = ROWS * SIDE;
    const ChainShape shape = Fixed::shape(job);
    const u32 channels = shape.channels, chunk = Fixed::KNOWN ? least(channels, CHUNK) : job.chunk;
    if (blockIdx.y * chunk >= channels) return;
    const u32 first = Fixed::KNOWN && channels <= CHUNK ? 0 : blockIdx.y * chunk;
    // A number of channels that is known is one of whole chunks.
    const u32 count = Fixed::KNOWN ? chunk : least(chunk, channels - first), all_quads = channels / 4;
    const u32 d_step = channels + 4, a_step = chunk + 4;
    float *d = reinterpret_cast<float *>(SHARED_MEMORY);
    float *w = d + PIXELS * d_step;
    float *a = w + chunk * d_step;
    float *summands = a + PIXELS * a_step + 16;
    float *tile = summands + 4 * channels;
    float *taps = tile + shape.tile_pixels(ROWS) * chunk;
    const Term *upstream = global(job.upstream);
    load_summands(summands, upstream, step, channels);
    for (u32 i = threadIdx.x; i < count * all_quads; i += THREADS)
        store4(w + i / all_quads * d_step + i % all_quads * 4,
               rounded4<P>(load4(global(job.pointwise) + (size_t)(first + i / all_quads) * channels + i % all_quads * 4)));
    if (WEIGHTS) load_taps(taps, job.depthwise, shape.taps(), channels, first, Quads(count));

    // The pointwise gradient: warps share out its tiles, and the pixels of a patch if there are few.
    const u32 parts = parts_of(channels), part_warps = WARPS / parts, part = threadIdx.x / 32 / part_warps;
    const Warps own_warps(count > 16 ? 2 : 1, threadIdx.x / 32 % part_warps, part_warps);
    const u32 part_pixels = PIXELS / parts;
    Accumulator<TILES> pointwise;
    pointwise.clear();
    // The depthwise gradient, of the thread's own row and channel.
    const Line<ROWS> line(count);
    float tap_sums[25] = {};

    const Warps warps(PIXELS / 16);
    const Lane lane(warps);
    const Walk walk(shape.span(ROWS), shape.span(SIDE), Quads(count));
    const Quads all(channels);
    const u32 tile_row = pitch_of(shape.span(SIDE)) * count;
    // Read once: for all the compiler knows, what is written may lie in the job.
    const Tensor z_tensor = known<P>(job.z);
    const View source = job.source;
    const TwoTerms terms = TwoTerms::of<P>(upstream);
    const Share share = share_of(patches<ROWS>(step->images, shape.out_height(), shape.out_width()), blockIdx.x, gridDim.x);
    Patch<ROWS> patch(share.first, shape.out_height(), shape.out_width());
    const bool may_lose = step->drop_path > 0.0f;
    __syncthreads();
    for (u32 index = share.first; index < share.last; ++index, patch.advance()) {
        Batch batch;
        Around<true> around;
        if (WEIGHTS) {
            around = Around<true>(shape.window<P>(source, patch), walk, first);
            batch.load(around);
        }
        load_upstream<P, Fixed::KNOWN>(d, d_step, all, summands, terms, step, may_lose, patch);
        if (WEIGHTS) finish_tile(tile, batch, walk, around);
        __syncthreads();
        Accumulator<2> z;
        z.clear();
        multiply<P>(z, warps, Factor{d, d_step, 1}, Factor{w, 1, d_step}, count, channels);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const u32 pixel = lane.row + 8 * half;
            const bool holds = patch.holds(pixel);
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                const u32 column = lane.column + j * lane.column_step;
                if (column >= count) break;
                const float2 v = make_float2(z.c[j][2 * half], z.c[j][2 * half + 1]);
                if (holds) write2(z_tensor, patch.image, patch.place(pixel), first + column, v);
            }
        }
        if (WEIGHTS) {
            z.put(a, a_step, lane, PIXELS, count);
            __syncthreads();
            if (line.works()) {
                // The row's depthwise outputs take the place of their gradients.
                float *own = a + line.row * SIDE * a_step + line.channel;
                float g[SIDE], out[SIDE] = {};
#pragma unroll
                for (u32 i = 0; i < SIDE; ++i) g[i] = own[i * a_step];
                const float *x = tile + line.row * shape.tile_stride() * tile_row + line.channel;
                with_channels<ANY>(shape.kernel, shape.tile_dilation(), shape.tile_stride(), count, [&](auto known) {
                    convolve_and_correlate(known, out, tap_sums, g, x, tile_row, taps + line.channel);
                });
                put_row<P>(own, a_step, out, patch.columns(line.row));
            }
            __syncthreads();
            const Factor left = {a + part * part_pixels * a_step, 1, a_step}, right = {d + part * part_pixels * d_step, d_step, 1};
            multiply<P>(pointwise, own_warps, left, right, channels, part_pixels);
        }
        __syncthreads();
    }
    if (!WEIGHTS) return;
    float *out = global(job.partials) + (size_t)blockIdx.x * (shape.taps() * channels + (size_t)channels * channels);
    // Nobody needs what lies behind `pointwise` any more: `room[row][tap][channel]`.
    float *room = a;
    if (line.works()) {
#pragma unroll
        for (u32 tap = 0; tap < 25; ++tap)
            if (tap < shape.taps()) room[(line.row * shape.taps() + tap) * count + line.channel] = tap_sums[tap];
    }
    __syncthreads();
    for (u32 i = threadIdx.x; i < shape.taps() * count; i += THREADS) {
        float sum = room[i];
        for (u32 row = 1; row < ROWS; ++row) sum += room[row * shape.taps() * count + i];
        out[(size_t)(i / count) * channels + first + i % count] = sum;
    }
    out += (size_t)shape.taps() * channels + (size_t)first * channels;
    // With several parts `room[part][input][output]`.
    if (parts > 1) __syncthreads();
    float *to = parts > 1 ? room + part * count * channels : out;
    pointwise.put(to, channels, Lane(own_warps), count, channels);
    if (parts == 1) return;
    __syncthreads();
    for (u32 i = threadIdx.x; i < count * channels; i += THREADS) {
        float sum = room[i];
        for (u32 p = 1; p < parts; ++p) sum += room[p * count * channels + i];
        out[i] = sum;
    }
}

// With what the compiler may know.
template <Precision P> __device__ __forceinline__ void chain_backward_narrow(const chain_backward_job &job, const Step *step) {
    const bool usual = job.chunk == least(job.channels, CHUNK);
    if (job.partials) {
        with_fixed<P, 16, 32, 64>(job, usual, [&](auto fixed) { chain_backward<P, 2, true, decltype(fixed)>(job, step); });
    } else if (P != F32 && usual && job.stride == 1 && job.channels == 16) {
        // No kernel is looked at.
        chain_backward<P, 2, false, Fixed<1, 1, 16>>(job, step);
    } else if (P != F32 && usual && job.stride == 1 && job.channels == 32) {
        chain_backward<P, 2, false, Fixed<1, 1, 32>>(job, step);
    } else if (P != F32 && usual && job.stride == 1 && job.channels == 64) {
        chain_backward<P, 2, false, Fixed<1, 1, 64>>(job, step);
    } else {
        chain_backward<P, 2, false, Free>(job, step);
    }
}
template <Precision P> __device__ __forceinline__ void chain_backward_wide(const chain_backward_job &job, const Step *step) {
    if (job.partials) {
        chain_backward<P, 8, true, Free>(job, step);
    } else {
        chain_backward<P, 8, false, Free>(job, step);
    }
}

// `wide` ones are for more than 32 channels forward, and more than 64, up to 256, backward: the others need fewer registers.
#define CHAIN(NAME, PRECISION)                                                                                                 \
    extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) chain_forward_##NAME(const chain_forward_job *jobs,        \
                                                                               const Step *step) {                             \
        const chain_forward_job &job = jobs[blockIdx.z];                                                                       \
        with_fixed<PRECISION, 16, 32>(job, true, [&](auto fixed) { chain_forward<PRECISION, true, decltype(fixed)>(job, step); }); \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) chain_forward_wide_##NAME(const chain_forward_job *jobs,   \
                                                                               const Step *step) {                             \
        const chain_forward_job &job = jobs[blockIdx.z];                                                                       \
        with_fixed<PRECISION, 64>(job, true, [&](auto fixed) { chain_forward<PRECISION, false, decltype(fixed)>(job, step); }); \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) chain_backward_##NAME(const chain_backward_job *jobs,      \
                                                                               const Step *step) {                             \
        chain_backward_narrow<PRECISION>(jobs[blockIdx.z], step);                                                              \
    }                                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS) chain_backward_wide_##NAME(const chain_backward_job *jobs,           \
                                                                               const Step *step) {                             \
        chain_backward_wide<PRECISION>(jobs[blockIdx.z], step);                                                                \
    }
CHAIN(f32, F32)
CHAIN(tf32, TF32)
CHAIN(bf16, BF16)
#undef CHAIN

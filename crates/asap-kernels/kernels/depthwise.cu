// The gradient of a bank's source through its depthwise convolutions, all of them gathered into one sum, and through ReLU; with the sums
// that the normalisation before it needs.
//
// A block computes patches of the source one after another, up to 32 channels of them: for each convolution it loads what depends on these
// pixels into shared memory and adds every tap's share. Patches are of 8 x 8 pixels, of 16 channels 16 x 8, so that every thread has a row.
#include "fold.cuh"
#include "patch.cuh"

// What is left of `n` at this stride, which is 1 or 2.
__device__ __forceinline__ u32 strided(u32 n, u32 stride) { return n >> (stride - 1); }

// Calls `run` with every column of a row that has so many.
template <class Run> __device__ __forceinline__ void each_column(u32 columns, const Run &run) {
    if (columns == SIDE) {
#pragma unroll
        for (u32 i = 0; i < SIDE; ++i) run(i);
    } else if (columns > 0) {
#pragma unroll
        for (u32 i = 0; i < SIDE; ++i)
            if (i < columns) run(i);
    }
}

// The values of one channel in a row of pixels, from `pixel` on, as they are stored: `make_numbers` makes numbers of them.
__device__ __forceinline__ void read_row(float (&v)[SIDE], const Tensor &t, u32 image, u32 pixel, u32 channel, u32 columns) {
    if (is_half(t)) {
        const u16 *from = half_address(t, image, pixel) + channel;
        each_column(columns, [&](u32 i) { v[i] = __uint_as_float(from[i * (t.pixel & ~HALF)]); });
    } else {
        const float *from = address(t, image, pixel) + channel;
        each_column(columns, [&](u32 i) { v[i] = from[i * t.pixel]; });
    }
}

__device__ __forceinline__ void make_numbers(float (&stored)[SIDE], const Tensor &t) {
    if (!is_half(t)) return;
#pragma unroll
    for (u32 i = 0; i < SIDE; ++i) stored[i] = low_of(__float_as_uint(stored[i]));
}

// A row, written; and `v` is what is left of it there.
__device__ __forceinline__ void write_row(float (&v)[SIDE], const Tensor &t, u32 image, u32 pixel, u32 channel, u32 columns) {
    if (is_half(t)) {
        u16 *to = half_address(t, image, pixel) + channel;
        each_column(columns, [&](u32 i) {
            v[i] = kept_by(t, v[i]);
            to[i * (t.pixel & ~HALF)] = (u16)bf16_pair(v[i], 0.0f);
        });
    } else {
        float *to = address(t, image, pixel) + channel;
        each_column(columns, [&](u32 i) { to[i * t.pixel] = v[i]; });
    }
}

// The outputs of a convolution that read the pixels of so high a patch: how many along each axis, and where the first lies from the output at
// the patch's first pixel.
struct Reach {
    u32 rows;
    u32 columns;
    int first;

    __device__ __forceinline__ Reach(const Depthwise &convolution, u32 stride, u32 height) {
        const u32 padding = (convolution.kernel - 1) / 2 * convolution.dilation;
        rows = stride == 1 ? height + 2 * padding : (height - 1 + 2 * padding) / 2 + 2;
        columns = stride == 1 ? SIDE + 2 * padding : (SIDE - 1 + 2 * padding) / 2 + 2;
        first = stride == 1 ? -(int)padding : -(int)padding >> 1;
    }
};

// What a convolution of stride 2 hands back to row `row` of a patch. A patch begins at even pixels, so it is known of each tap which
// columns it reaches.
template <class Known>
__device__ __forceinline__ void hand_back(const Known &known, float (&out)[SIDE], const float *z, u32 line, const float *w, u32 row) {
    constexpr u32 KERNEL = Known::KERNEL, DILATION = Known::DILATION;
    const u32 count = known.count();
    constexpr int PADDING = (KERNEL - 1) / 2 * DILATION, FIRST = (-PADDING) >> 1;
    constexpr u32 READS = (SIDE - 1 + 2 * PADDING) / 2 + 2;
#pragma unroll 1
    for (u32 ky = 0; ky < KERNEL; ++ky) {
        const int y = (int)row + PADDING - (int)(ky * DILATION);
        if (y & 1) continue;
        const float *x = z + (size_t)(u32)((y >> 1) - FIRST) * line;
        float reads[READS];
#pragma unroll
        for (u32 i = 0; i < READS; ++i) reads[i] = x[i * count];
#pragma unroll
        for (u32 kx = 0; kx < KERNEL; ++kx) {
            const float tap = w[(ky * KERNEL + kx) * count];
#pragma unroll
            for (u32 i = 0; i < SIDE; ++i) {
                const int column = (int)i + PADDING - (int)(kx * DILATION);
                if (column % 2 == 0) out[i] = fmaf(tap, reads[(column >> 1) - FIRST], out[i]);
            }
        }
    }
}

// Of `count` channels from `first` on; COUNT, if the compiler knows their number.
template <u32 COUNT> __device__ CALLED void gradient_of(const depthwise_gradient_job &given, const Step *step, u32 first, u32 channels) {
    know_threads();
    const depthwise_gradient_job &job = *global(&given);
    step = global(step);
    constexpr u32 ROWS = COUNT == 16 ? 2 * SIDE : SIDE;
    const u32 stride = job.stride, count = COUNT == ANY ? channels : COUNT;
    const Quads quads(count);
    float *taps = reinterpret_cast<float *>(SHARED_MEMORY), *tile = taps + 25 * count;
    Line<ROWS> line(count);
    // At stride 2 a row has every other row of taps: lanes of a warp that has two rows go the same way.
    if (stride == 2 && line.works()) line.row = line.row % (ROWS / 2) * 2 + line.row / (ROWS / 2);
    const u32 channel = first + line.channel;
    // Read once: for all the compiler knows, what is written may lie in the job.
    const Tensor source = job.source.y, out_tensor = job.out;
    const bool normalised = job.source.a, add = job.add, summed = job.sums;
    const float a = normalised ? job.source.a[channel] : 1.0f, b = normalised ? job.source.b[channel] : 0.0f;
    double sums[2] = {0.0, 0.0};
    const Share share = share_of(patches<ROWS>(step->images, job.height, job.width), blockIdx.x, gridDim.x);
    // The next tile is on its way while one is computed with.
    Patch<ROWS> patch(share.first, job.height, job.width);
    Batch batch;
    Walk walk(ROWS, SIDE, quads);
    Around<false> around;
    const auto ask = [&](const Patch<ROWS> &of, const Depthwise &convolution) {
        const Reach reach(convolution, stride, ROWS);
        if (reach.columns != walk.columns) walk = Walk(reach.rows, reach.columns, quads);
        const int top = (int)strided(of.top, stride) + reach.first, left = (int)strided(of.left, stride) + reach.first;
        const u32 height = strided(of.height + stride - 1, stride), width = strided(of.width + stride - 1, stride);
        around = Around<false>({{convolution.z, nullptr, nullptr}, of.image, top, left, 1, height, width}, walk, first);
        batch.load(around);
    };
    // The same of the convolution that comes after one that was asked for: of many, there is little to do if it reaches as far.
    const auto ask_next = [&](const Depthwise *convolution) {
        if (Reach(convolution[1], stride, ROWS).columns != walk.columns) return ask(patch, convolution[1]);
        around.at += reinterpret_cast<const u8 *>(convolution[1].z.at) - reinterpret_cast<const u8 *>(convolution[0].z.at);
        batch.load(around);
    };
    if (share.first < share.last && job.count > 0) ask(patch, job.convolutions[0]);
    for (u32 index = share.first; index < share.last; ++index) {
        Patch<ROWS> next = patch;
        next.advance();
        float out[SIDE] = {}, y[SIDE] = {};
        // The row's pixels lie side by side.
        const u32 columns = line.works() ? patch.columns(line.row) : 0, place = patch.place(line.row, 0);
        read_row(y, source, patch.image, place, channel, columns);
        for (u32 c = 0; c < job.count; ++c) {
            const Depthwise &convolution = job.convolutions[c];
            const u32 row = pitch_of(walk.columns) * count;
            // The tile before is still read.
            __syncthreads();
            load_taps(taps, convolution.weights, convolution.kernel * convolution.kernel, job.channels, first, quads);
            finish_tile(tile, batch, walk, around);
            __syncthreads();
            if (c + 1 < job.count) {
                ask_next(&convolution);
            } else if (index + 1 < share.last) {
                ask(next, job.convolutions[0]);
            }
            if (!line.works()) continue;
            const float *z = tile + line.channel, *w = taps + line.channel, *own = z + line.row * row;
            with_channels<COUNT>(convolution.kernel, convolution.dilation, stride, count, [&](auto known) {
                if constexpr (decltype(known)::STRIDE == 1) {
                    convolve<true>(known, out, own, row, SharedTaps{w});
                } else {
                    hand_back(known, out, z, row, w, line.row);
                }
            });
        }
        float extra[SIDE] = {}, before[SIDE] = {};
        if (job.extra.at) read_row(extra, job.extra, patch.image, place, channel, columns);
        if (add) read_row(before, out_tensor, patch.image, place, channel, columns);
        make_numbers(extra, job.extra);
        make_numbers(before, out_tensor);
        make_numbers(y, source);
#pragma unroll
        for (u32 i = 0; i < SIDE; ++i) {
            const float value = normalised ? fmaf(a, y[i], b) : y[i];
            out[i] = before[i] + (value > 0.0f ? out[i] + extra[i] : 0.0f);
        }
        write_row(out, out_tensor, patch.image, place, channel, columns);
        if (summed) {
            // A row in f32, then on in f64.
            float row[2] = {0.0f, 0.0f};
#pragma unroll
            for (u32 i = 0; i < SIDE; ++i) {
                if (i >= columns) break;
                row[0] += out[i];
                row[1] = fmaf(out[i], y[i], row[1]);
            }
            sums[0] += (double)row[0];
            sums[1] += (double)row[1];
        }
        patch = next;
    }
    if (!summed) return;
    // What is folded lies where the tiles were.
    __syncthreads();
    fold(sums, Lanes(count));
    if (threadIdx.x >= count) return;
    double *to = job.sums + (size_t)blockIdx.x * 2 * job.channels + channel;
    to[0] = sums[0];
    to[job.channels] = sums[1];
}

// Shared memory: taps[25][chunk], z[rows][pitch][chunk] of the largest reach; at least 4096 bytes. Grid: splits, groups of 32 channels,
// jobs.
extern "C" __global__ void __launch_bounds__(THREADS, 3) depthwise_gradient(const depthwise_gradient_job *jobs, const Step *step) {
    const depthwise_gradient_job &job = jobs[blockIdx.z];
    const u32 first = blockIdx.y * CHUNK;
    if (first >= job.channels) return;
    const u32 count = job.channels - first < CHUNK ? job.channels - first : CHUNK;
    switch (count) {
    case 16: gradient_of<16>(job, step, first, count); break;
    case 32: gradient_of<32>(job, step, first, count); break;
    default: gradient_of<ANY>(job, step, first, count);
    }
}

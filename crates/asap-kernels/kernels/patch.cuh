// Patches of a few rows of eight pixels, what lies around them as a tile in shared memory, and depthwise convolutions over tiles.
//
// A thread loads four channels of a column of a tile, in every so many rows; it convolves one channel of one row: eight outputs, so
// that an input is read once for all of them. What lies beyond the image counts as 0 everywhere. Channels go through up to 32 at a time.
#pragma once
#include "tensor.cuh"

constexpr u32 SIDE = 8;
constexpr u32 CHUNK = 32;

// Where ROWS rows of eight pixels lie.
template <u32 ROWS> struct Patch {
    u32 image;
    u32 top;
    u32 left;
    u32 height; // of all pixels
    u32 width;

    __device__ __forceinline__ Patch(u32 index, u32 height, u32 width) : height(height), width(width) {
        const u32 across = (width + SIDE - 1) / SIDE, down = (height + ROWS - 1) / ROWS;
        image = index / (across * down);
        const u32 rest = index - image * across * down, row = rest / across;
        top = row * ROWS;
        left = (rest - row * across) * SIDE;
    }
    // The next one.
    __device__ __forceinline__ void advance() {
        left += SIDE;
        if (left < width) return;
        left = 0;
        top += ROWS;
        if (top < height) return;
        top = 0;
        ++image;
    }
    // Pixels of a row.
    __device__ __forceinline__ u32 columns(u32 row) const {
        const u32 rest = width - left;
        return top + row >= height ? 0 : rest < SIDE ? rest : SIDE;
    }
    __device__ __forceinline__ bool holds(u32 row, u32 column) const { return top + row < height && left + column < width; }
    __device__ __forceinline__ bool holds(u32 pixel) const { return holds(pixel / SIDE, pixel % SIDE); }
    __device__ __forceinline__ u32 place(u32 row, u32 column) const { return (top + row) * width + left + column; }
    __device__ __forceinline__ u32 place(u32 pixel) const { return place(pixel / SIDE, pixel % SIDE); }
};

template <u32 ROWS> __device__ __forceinline__ u32 patches(u32 images, u32 height, u32 width) {
    return images * ((height + ROWS - 1) / ROWS) * ((width + SIDE - 1) / SIDE);
}

// Pixels from a row of a tile to the next: an odd number, so that rows of few channels begin in different banks.
__device__ __forceinline__ u32 pitch_of(u32 side) { return side | 1; }

// Four channels of `count` that a thread loads of everything.
struct Quads {
    u32 count;
    u32 threads; // for each four channels
    u32 thread;  // this one, of these; those left over are beyond
    u32 channel;

    __device__ __forceinline__ explicit Quads(u32 count) : count(count), threads(THREADS / (count / 4)) {
        thread = threadIdx.x / (count / 4);
        channel = (threadIdx.x - thread * (count / 4)) * 4;
    }
};

// A thread's part of a tile of `rows` x `columns` pixels: a column, in every so many rows. No tile's row is longer than there are threads.
struct Walk {
    u32 rows;
    u32 columns;
    u32 count;
    u32 channel; // first of four
    u32 column;
    u32 row; // of its first pixel
    u32 down; // rows to the next

    __device__ __forceinline__ Walk(u32 rows, u32 columns, const Quads &quads)
        : rows(rows), columns(columns), count(quads.count), channel(quads.channel) {
        // Exact for what is no more than the threads of a block.
        const u32 inverse = 65536u / columns + 1;
        down = quads.threads * inverse >> 16;
        row = quads.thread * inverse >> 16;
        column = quads.thread - row * columns;
        // Threads left over have no pixel.
        if (row >= down) row = rows;
    }
};

// What a tile shows: a view from (`top`, `left`) on, every `step`th pixel of every `step`th row.
struct Window {
    View source;
    u32 image;
    int top;
    int left;
    u32 step;
    u32 height; // of the whole image
    u32 width;
};

// A thread's part of a window.
template <bool RELU> struct Around {
    const u8 *at; // of its first pixel, which need not exist
    const float *a;
    const float *b;
    bool half;
    size_t apart; // bytes from pixel to pixel
    u32 row;      // of the image, of its first pixel
    u32 down;     // rows of the image from pixel to pixel
    u32 last;     // there is no pixel from this row on, nor above row 0

    __device__ __forceinline__ Around() {}
    __device__ __forceinline__ Around(const Window &window, const Walk &walk, u32 first_channel) {
        const View &source = window.source;
        const u32 channel = first_channel + walk.channel, pixel = source.y.pixel & ~HALF;
        const int y = window.top + (int)(walk.row * window.step), x = window.left + (int)(walk.column * window.step);
        half = is_half(source.y);
        const u32 size = half ? 2 : 4;
        const long long place = (long long)(y * (int)window.width + x) * (int)pixel + (long long)window.image * source.y.image + channel;
        at = reinterpret_cast<const u8 *>(global(source.y.at)) + place * (int)size;
        a = source.a ? source.a + channel : nullptr;
        b = source.b + channel;
        down = walk.down * window.step;
        apart = (size_t)(down * window.width * pixel * size);
        row = (u32)y;
        const u32 end = (u32)(window.top + (int)(walk.rows * window.step));
        last = (u32)x >= window.width ? 0 : end < window.height ? end : window.height;
    }
};

// What a thread has of a tile on its way from the device's memory to the shared one: all of it in most tiles, and the first pixels in large ones.
struct Batch {
    static constexpr u32 PIXELS = 4;
    float4 v[PIXELS]; // as they are stored

    // Asks for the next pixels.
    template <bool RELU> __device__ __forceinline__ void load(const Around<RELU> &around) {
#pragma unroll
        for (u32 i = 0; i < PIXELS; ++i) v[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (around.half) {
#pragma unroll
            for (u32 i = 0; i < PIXELS; ++i)
                if (around.row + i * around.down < around.last) v[i] = stored4(around.at + i * around.apart, true);
        } else {
#pragma unroll
            for (u32 i = 0; i < PIXELS; ++i)
                if (around.row + i * around.down < around.last) v[i] = stored4(around.at + i * around.apart, false);
        }
    }
    // Puts them where they belong, normalised: from `row` on, at `to`, so many floats apart. `around` is where they are from.
    template <bool RELU>
    __device__ __forceinline__ void store(float *to, u32 apart, u32 row, const Walk &walk, const Around<RELU> &around) {
#pragma unroll
        for (u32 i = 0; i < PIXELS; ++i) v[i] = numbers4(v[i], around.half);
        if (around.a) {
            const float4 a = load4(global(around.a)), b = load4(global(around.b));
#pragma unroll
            for (u32 i = 0; i < PIXELS; ++i)
                if (around.row + i * around.down < around.last) v[i] = fma4(a, v[i], b);
        }
#pragma unroll
        for (u32 i = 0; i < PIXELS; ++i)
            if (row + i * walk.down < walk.rows) store4(to + i * apart, RELU ? relu4(v[i]) : v[i]);
    }
};

// A whole tile, of which `batch` holds the thread's first pixels already.
template <bool RELU> __device__ __forceinline__ void finish_tile(float *tile, Batch &batch, const Walk &walk, Around<RELU> around) {
    const u32 line = pitch_of(walk.columns) * walk.count, apart = walk.down * line;
    float *to = tile + walk.row * line + walk.column * walk.count + walk.channel;
    batch.store(to, apart, walk.row, walk, around);
    for (u32 row = walk.row + Batch::PIXELS * walk.down; row < walk.rows; row += Batch::PIXELS * walk.down) {
        to += Batch::PIXELS * apart;
        around.at += Batch::PIXELS * around.apart;
        around.row += Batch::PIXELS * around.down;
        batch.load(around);
        batch.store(to, apart, row, walk, around);
    }
}

// The row and channel of a patch that a thread convolves; beyond the patch there is nothing to do.
template <u32 ROWS> struct Line {
    u32 count; // channels
    u32 row;
    u32 channel;

    __device__ __forceinline__ explicit Line(u32 count) : count(count), row(threadIdx.x / count), channel(threadIdx.x - row * count) {}
    __device__ __forceinline__ bool works() const { return row < ROWS; }
};

// `to[taps][count]`: the kernel of the channels `first..first + count`. There are threads enough: no kernel has more than 25 taps, no
// chunk more than 8 times four channels.
__device__ __forceinline__ void load_taps(float *to, const float *kernel, u32 taps, u32 channels, u32 first, const Quads &quads) {
    const u32 tap = quads.thread;
    if (tap >= taps) return;
    store4(to + tap * quads.count + quads.channel, load4(global(kernel) + (tap * channels + first + quads.channel)));
}

// Numbers of a convolution over a tile that the compiler knows: kernel, dilation, stride, and channels of the tile, so that it knows
// distances too, or ANY.
constexpr u32 ANY = 0;
template <u32 K, u32 D, u32 S, u32 C> struct Known {
    static constexpr u32 KERNEL = K, DILATION = D, STRIDE = S;
    u32 channels;

    __device__ __forceinline__ u32 count() const { return C == ANY ? channels : C; }
};

template <u32 C, class Run>
__device__ __forceinline__ void with_channels(u32 kernel, u32 dilation, u32 stride, u32 count, const Run &run) {
    switch (kernel * 4 + dilation * 2 + stride) {
    case 3 * 4 + 1 * 2 + 1: run(Known<3, 1, 1, C>{count}); break;
    case 3 * 4 + 1 * 2 + 2: run(Known<3, 1, 2, C>{count}); break;
    case 3 * 4 + 2 * 2 + 1: run(Known<3, 2, 1, C>{count}); break;
    case 3 * 4 + 2 * 2 + 2: run(Known<3, 2, 2, C>{count}); break;
    case 5 * 4 + 1 * 2 + 1: run(Known<5, 1, 1, C>{count}); break;
    case 5 * 4 + 1 * 2 + 2: run(Known<5, 1, 2, C>{count}); break;
    case 5 * 4 + 2 * 2 + 1: run(Known<5, 2, 1, C>{count}); break;
    default: run(Known<5, 2, 2, C>{count});
    }
}

// Calls `run` with what the compiler then knows.
template <class Run>
__device__ __forceinline__ void with_known(u32 kernel, u32 dilation, u32 stride, u32 count, const Run &run) {
    switch (count) {
    case 16: with_channels<16>(kernel, dilation, stride, count, run); break;
    case 32: with_channels<32>(kernel, dilation, stride, count, run); break;
    default: with_channels<ANY>(kernel, dilation, stride, count, run);
    }
}

// Inputs that a row of outputs reads.
template <class Known> struct Reads {
    static constexpr u32 COUNT = (SIDE - 1) * Known::STRIDE + (Known::KERNEL - 1) * Known::DILATION + 1;
    float v[COUNT];

    __device__ __forceinline__ Reads(const float *x, u32 count) {
#pragma unroll
        for (u32 i = 0; i < COUNT; ++i) v[i] = x[i * count];
    }
    __device__ __forceinline__ float of(u32 output, u32 tap) const {
        return v[output * Known::STRIDE + tap * Known::DILATION];
    }
};

// Taps of one channel of a kernel: in shared memory as far apart as there are channels, or in registers.
struct SharedTaps {
    static constexpr bool HELD = false;
    const float *at;
    __device__ __forceinline__ float of(u32 tap, u32 count) const { return at[tap * count]; }
};
struct HeldTaps {
    static constexpr bool HELD = true;
    float v[25];
    __device__ __forceinline__ void load(const float *at, u32 taps, u32 count) {
#pragma unroll
        for (u32 tap = 0; tap < 25; ++tap)
            if (tap < taps) v[tap] = at[tap * count];
    }
    __device__ __forceinline__ float of(u32 tap, u32) const { return v[tap]; }
};

// `out += x * w`, or, `TURNED` by 180 degrees, what a convolution of stride 1 hands back. `x` is the first input, rows `row` floats and
// pixels as many as there are channels apart.
template <bool TURNED, class Known, class Taps>
__device__ __forceinline__ void convolve(const Known &known, float (&out)[SIDE], const float *x, u32 row, const Taps &w) {
    constexpr u32 KERNEL = Known::KERNEL, ROWS = Taps::HELD ? KERNEL : 1;
    const u32 count = known.count();
#pragma unroll ROWS
    for (u32 ky = 0; ky < KERNEL; ++ky) {
        const Reads<Known> reads(x + (size_t)ky * Known::DILATION * row, count);
#pragma unroll
        for (u32 kx = 0; kx < KERNEL; ++kx) {
            const float tap = w.of(TURNED ? KERNEL * KERNEL - 1 - (ky * KERNEL + kx) : ky * KERNEL + kx, count);
#pragma unroll
            for (u32 i = 0; i < SIDE; ++i) out[i] = fmaf(tap, reads.of(i, kx), out[i]);
        }
    }
}

// As `convolve`, and with the gradient `g` of the row of outputs `sums[tap] += g x`, which reads the same inputs.
template <class Known>
__device__ __forceinline__ void convolve_and_correlate(const Known &known, float (&out)[SIDE], float (&sums)[25], const float (&g)[SIDE],
                                                       const float *x, u32 row, const float *w) {
    constexpr u32 KERNEL = Known::KERNEL;
    const u32 count = known.count();
#pragma unroll
    for (u32 ky = 0; ky < KERNEL; ++ky) {
        const Reads<Known> reads(x + (size_t)ky * Known::DILATION * row, count);
#pragma unroll
        for (u32 kx = 0; kx < KERNEL; ++kx) {
            const float tap = w[(ky * KERNEL + kx) * count];
#pragma unroll
            for (u32 i = 0; i < SIDE; ++i) {
                const float input = reads.of(i, kx);
                out[i] = fmaf(tap, input, out[i]);
                sums[ky * KERNEL + kx] = fmaf(g[i], input, sums[ky * KERNEL + kx]);
            }
        }
    }
}

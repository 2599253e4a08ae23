// Squares of 8 x 8 pixels, what lies around them as a tile in shared memory, and depthwise convolutions over tiles.
//
// A thread loads four channels of every so many pixels of a tile; it convolves one channel of one row of a square: eight outputs, so
// that an input is read once for all of them. What lies beyond the image counts as 0 everywhere. Channels go through up to 32 at a time.
#pragma once
#include "tensor.cuh"

constexpr u32 SIDE = 8;
constexpr u32 SQUARE = SIDE * SIDE;
constexpr u32 CHUNK = 32;

// Where a square of pixels lies.
struct Square {
    u32 image;
    u32 top;
    u32 left;
    u32 height; // of all pixels
    u32 width;

    __device__ __forceinline__ Square(u32 index, u32 height, u32 width) : height(height), width(width) {
        const u32 across = (width + SIDE - 1) / SIDE, down = (height + SIDE - 1) / SIDE;
        image = index / (across * down);
        const u32 rest = index - image * across * down, row = rest / across;
        top = row * SIDE;
        left = (rest - row * across) * SIDE;
    }
    __device__ __forceinline__ bool holds(u32 row, u32 column) const { return top + row < height && left + column < width; }
    __device__ __forceinline__ bool holds(u32 pixel) const { return holds(pixel / SIDE, pixel % SIDE); }
    __device__ __forceinline__ u32 place(u32 row, u32 column) const { return (top + row) * width + left + column; }
    __device__ __forceinline__ u32 place(u32 pixel) const { return place(pixel / SIDE, pixel % SIDE); }
};

__device__ __forceinline__ u32 squares(u32 images, u32 height, u32 width) {
    return images * ((height + SIDE - 1) / SIDE) * ((width + SIDE - 1) / SIDE);
}

// Pixels from a row of a tile to the next: an odd number, so that rows of few channels begin in different banks.
__device__ __forceinline__ u32 pitch_of(u32 side) { return side | 1; }

// A thread's part of a tile of `side` x `side` pixels of `count` channels.
struct Walk {
    u32 side;
    u32 count;
    u32 channel; // first of four
    u32 row;
    u32 column;
    u32 down; // to the next pixel
    u32 across;

    __device__ __forceinline__ Walk(u32 side, u32 count) : side(side), count(count) {
        const u32 quads = count / 4, step = THREADS / quads, first = threadIdx.x / quads;
        channel = (threadIdx.x - first * quads) * 4;
        // Threads left over have no pixel.
        row = first < step ? first / side : side;
        column = first % side;
        down = step / side;
        across = step - down * side;
    }
    __device__ __forceinline__ bool ended() const { return row >= side; }
    __device__ __forceinline__ void advance() {
        row += down;
        column += across;
        if (column >= side) {
            column -= side;
            ++row;
        }
    }
    __device__ __forceinline__ u32 place() const { return (row * pitch_of(side) + column) * count + channel; }
};

// Four channels of every `step`th pixel of a view from (`top`, `left`) on, which is the tile's first.
template <bool RELU> struct Around {
    const void *at; // of pixel 0 of the image
    bool half;
    const float *a;
    const float *b;
    u32 pixel;
    int top;
    int left;
    u32 step;
    u32 height;
    u32 width;

    __device__ __forceinline__ Around(const View &source, u32 image, u32 channel, int top, int left, u32 step, u32 height, u32 width)
        : at(is_half(source.y) ? (const void *)(half_address(source.y, image, 0) + channel) : address(source.y, image, 0) + channel),
          half(is_half(source.y)), a(source.a ? source.a + channel : nullptr), b(source.b + channel),
          pixel(source.y.pixel & ~HALF), top(top), left(left), step(step), height(height), width(width) {}

    __device__ __forceinline__ u32 row(const Walk &walk) const { return (u32)(top + (int)(walk.row * step)); }
    __device__ __forceinline__ u32 column(const Walk &walk) const { return (u32)(left + (int)(walk.column * step)); }
    __device__ __forceinline__ bool holds(const Walk &walk) const {
        return !walk.ended() && row(walk) < height && column(walk) < width;
    }
    // As it lies there.
    __device__ __forceinline__ float4 load(const Walk &walk) const {
        const size_t place = (size_t)(row(walk) * width + column(walk)) * pixel;
        return half ? half4((const u16 *)at + place) : load4((const float *)at + place);
    }
};

// What a thread has of a tile on its way from the device's memory to the shared one.
struct Batch {
    static constexpr u32 PIXELS = 4;
    float4 v[PIXELS];

    // Asks for the next pixels of a walk.
    template <bool RELU> __device__ __forceinline__ void load(Walk &walk, const Around<RELU> &around) {
#pragma unroll
        for (u32 i = 0; i < PIXELS; ++i) {
            v[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (around.holds(walk)) v[i] = around.load(walk);
            walk.advance();
        }
    }
    // Puts the same pixels where they belong, normalised.
    template <bool RELU> __device__ __forceinline__ void store(float *tile, Walk &walk, const Around<RELU> &around) const {
        float4 a = make_float4(1.0f, 1.0f, 1.0f, 1.0f), b = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (around.a) {
            a = load4(global(around.a));
            b = load4(global(around.b));
        }
#pragma unroll
        for (u32 i = 0; i < PIXELS; ++i) {
            float4 value = around.a ? fma4(a, v[i], b) : v[i];
            if (RELU) value = relu4(value);
            if (!around.holds(walk)) value = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (!walk.ended()) store4(tile + walk.place(), value);
            walk.advance();
        }
    }
};

// A whole tile, of which `batch` holds the first pixels of the walk already.
template <bool RELU>
__device__ __forceinline__ void finish_tile(float *tile, Batch &batch, Walk walk, const Around<RELU> &around) {
    batch.store(tile, walk, around);
    while (!walk.ended()) {
        Walk ahead = walk;
        batch.load(ahead, around);
        batch.store(tile, walk, around);
    }
}

// `to[taps][count]`: the kernel of the channels `first..first + count`.
__device__ __forceinline__ void load_taps(float *to, const float *kernel, u32 taps, u32 channels, u32 first, u32 count) {
    const u32 step = THREADS / count, own = threadIdx.x / count, channel = threadIdx.x % count;
    // Threads left over have none.
    for (u32 tap = own < step ? own : taps; tap < taps; tap += step)
        to[tap * count + channel] = global(kernel)[(size_t)tap * channels + first + channel];
}

// The row and channel of a square that a thread convolves; beyond the square there is nothing to do.
struct Line {
    u32 row;
    u32 channel;

    __device__ __forceinline__ explicit Line(u32 count) : row(threadIdx.x / count), channel(threadIdx.x % count) {}
    __device__ __forceinline__ bool works() const { return row < SIDE; }
};

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

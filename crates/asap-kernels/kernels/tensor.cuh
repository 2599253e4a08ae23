// How kernels read tensors: views through a normalisation, terms that drop-path may lose, four channels at a time.
#pragma once
#include "abi.cuh"

// Blocks of a multiprocessor that registers must suffice for. Without a number nvcc aims at more, and then spills.
constexpr u32 RESIDENT = 2;

// A function that kernels call instead of holding it: ptxas keeps what several bodies in one kernel have in common for all of them, far more
// than there are registers for. What it is given it has to be told is no shared memory (`global`).
#ifdef __CUDACC__
#define CALLED __noinline__
#else
#define CALLED
#endif

// A pointer out of a table of jobs, none of which points to shared memory: the compiler need not put reads of it after writes there.
template <class T> __device__ __forceinline__ T *global(T *at) {
#ifdef __CUDACC__
    __builtin_assume(__isGlobal(at));
#endif
    return at;
}

// Every block has THREADS threads: a kernel knows it from its bounds, a function that it calls has to be told.
__device__ __forceinline__ void know_threads() {
#ifdef __CUDACC__
    __builtin_assume(threadIdx.x < THREADS);
#endif
}

// Of f32.
__device__ __forceinline__ float *address(const Tensor &t, u32 image, u32 pixel) {
#ifndef __CUDACC__
    if (t.pixel & HALF) abort();
#endif
    return global(t.at) + (size_t)image * t.image + (size_t)pixel * t.pixel;
}

__device__ __forceinline__ float4 load4(const float *at) { return *reinterpret_cast<const float4 *>(at); }

__device__ __forceinline__ void store4(float *at, float4 v) { *reinterpret_cast<float4 *>(at) = v; }

// Two numbers with 7 bits of mantissa, the first in the low half.
__device__ __forceinline__ u32 bf16_pair(float low, float high) {
#ifdef __CUDACC__
    u32 bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
#else
    return (u32)asap_bf16(high) << 16 | asap_bf16(low);
#endif
}

__device__ __forceinline__ float low_of(u32 pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float high_of(u32 pair) { return __uint_as_float(pair & 0xffff0000u); }

// Tensors that may be bf16.
__device__ __forceinline__ bool is_half(const Tensor &t) { return t.pixel & HALF; }

__device__ __forceinline__ u16 *half_address(const Tensor &t, u32 image, u32 pixel) {
    return reinterpret_cast<u16 *>(global(t.at)) + (size_t)image * t.image + (size_t)pixel * (t.pixel & ~HALF);
}

// Four channels as they are stored: numbers, or two words of bf16. They are made numbers where they are needed, not where they are asked
// for: whatever is done to them waits for them, and what is asked for after that is on its way too late.
__device__ __forceinline__ float4 stored4(const void *at, bool half) {
    if (!half) return load4(reinterpret_cast<const float *>(at));
    const float2 words = *reinterpret_cast<const float2 *>(at);
    return make_float4(words.x, words.y, 0.0f, 0.0f);
}

__device__ __forceinline__ float4 stored4(const Tensor &t, u32 image, u32 pixel, u32 channel) {
    if (is_half(t)) return stored4(half_address(t, image, pixel) + channel, true);
    return stored4(address(t, image, pixel) + channel, false);
}

__device__ __forceinline__ float4 numbers4(float4 stored, bool half) {
    if (!half) return stored;
    const u32 first = __float_as_uint(stored.x), second = __float_as_uint(stored.y);
    return make_float4(low_of(first), high_of(first), low_of(second), high_of(second));
}

__device__ __forceinline__ void write2(const Tensor &t, u32 image, u32 pixel, u32 channel, float2 v) {
    if (is_half(t)) {
        *reinterpret_cast<u32 *>(half_address(t, image, pixel) + channel) = bf16_pair(v.x, v.y);
    } else {
        *reinterpret_cast<float2 *>(address(t, image, pixel) + channel) = v;
    }
}

// What is left of a number in such a tensor.
__device__ __forceinline__ float kept_by(const Tensor &t, float v) { return is_half(t) ? low_of(bf16_pair(v, 0.0f)) : v; }

__device__ __forceinline__ float4 add4(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

__device__ __forceinline__ float4 fma4(float4 a, float4 b, float4 c) {
    return make_float4(fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y), fmaf(a.z, b.z, c.z), fmaf(a.w, b.w, c.w));
}

__device__ __forceinline__ float4 times4(float4 v, float scale) {
    return make_float4(v.x * scale, v.y * scale, v.z * scale, v.w * scale);
}

__device__ __forceinline__ float4 relu4(float4 v) {
    return make_float4(fmaxf(v.x, 0.0f), fmaxf(v.y, 0.0f), fmaxf(v.z, 0.0f), fmaxf(v.w, 0.0f));
}

// `v` where `sign` is positive, else 0.
__device__ __forceinline__ float4 where_positive4(float4 sign, float4 v) {
    return make_float4(sign.x > 0.0f ? v.x : 0.0f, sign.y > 0.0f ? v.y : 0.0f, sign.z > 0.0f ? v.z : 0.0f,
                       sign.w > 0.0f ? v.w : 0.0f);
}

// One value of a view. The product is fused everywhere, so that a value is the same bits wherever it is read.
__device__ __forceinline__ float value(const View &view, u32 image, u32 pixel, u32 channel) {
    const float y = address(view.y, image, pixel)[channel];
    return view.a ? fmaf(global(view.a)[channel], y, global(view.b)[channel]) : y;
}

// Channels `channel..channel + 4` of a view.
__device__ __forceinline__ float4 value4(const View &view, u32 image, u32 pixel, u32 channel) {
    const float4 y = load4(address(view.y, image, pixel) + channel);
    return view.a ? fma4(load4(global(view.a) + channel), y, load4(global(view.b) + channel)) : y;
}

// SplitMix64 of a counter, as `src/regularisation.rs` has it.
__device__ __forceinline__ u64 mixed(u64 counter) {
    u64 bits = counter + 0x9e3779b97f4a7c15ull;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ull;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebull;
    return bits ^ (bits >> 31);
}

// Whether drop-path leaves a term to an image: the same choice as `Regularisation::path_scale`.
__device__ __forceinline__ bool keeps(const Step *step, u32 image, u32 cell, u32 weight) {
    if (weight == NEVER_LOST || step->drop_path <= 0.0f) return true;
    const u64 operation = (u64)cell << 32 | weight;
    const u64 bits = mixed(mixed(mixed(step->seed) ^ image) ^ operation);
    const float share = (float)(u32)(bits >> 40) / 16777216.0f;
    return !(share < step->drop_path);
}

// What a term does to four channels.
struct Summand {
    float4 scale;
    float4 shift;

    __device__ __forceinline__ Summand(float4 scale, float4 shift) : scale(scale), shift(shift) {}
    __device__ __forceinline__ Summand(const Term &term, const Step *step, u32 channel) {
        float factor = 1.0f;
        if (term.factor) {
            const bool may_be_lost = term.weight != NEVER_LOST && step->drop_path > 0.0f;
            factor = *global(term.factor) * (may_be_lost ? step->kept_scale : 1.0f);
        }
        scale = term.scale ? times4(load4(global(term.scale) + channel), factor) : make_float4(factor, factor, factor, factor);
        shift = term.shift ? times4(load4(global(term.shift) + channel), factor) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    __device__ __forceinline__ float4 add(float4 y, float4 sum) const { return add4(shift, fma4(scale, y, sum)); }
};

// N pixels that a thread is in charge of, of one image or of as many; those that do not hold are none.
template <u32 N, u32 IMAGES> struct Pixels {
    u32 image[IMAGES];
    u32 pixel[N];
    bool holds[N];
};

// The sums of terms at some pixels, channels `channel..channel + 4`; 0 where there is none. All that a term has for them is asked for before
// the first is added.
template <u32 N, u32 IMAGES>
__device__ __forceinline__ void sum_terms4(float4 (&sums)[N], const Term *terms, u32 count, const Step *step, const Pixels<N, IMAGES> &at,
                                           u32 channel) {
#pragma unroll
    for (u32 i = 0; i < N; ++i) sums[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    for (u32 t = 0; t < count; ++t) {
        const Term &term = terms[t];
        bool kept[IMAGES];
#pragma unroll
        for (u32 i = 0; i < IMAGES; ++i) kept[i] = keeps(step, at.image[i], term.cell, term.weight);
        if (IMAGES == 1 && !kept[0]) continue;
        float4 y[N];
#pragma unroll
        for (u32 i = 0; i < N; ++i)
            if (at.holds[i] && kept[i % IMAGES]) y[i] = stored4(term.y, at.image[i % IMAGES], at.pixel[i], channel);
        const Summand summand(term, step, channel);
#pragma unroll
        for (u32 i = 0; i < N; ++i)
            if (at.holds[i] && kept[i % IMAGES]) sums[i] = summand.add(numbers4(y[i], is_half(term.y)), sums[i]);
    }
}

// A sum over its splits, in order.
__device__ __forceinline__ double total(const Sums &sums, u32 channel) {
    double sum = 0.0;
    for (u32 split = 0; split < sums.splits; ++split) sum += sums.at[(size_t)split * sums.stride + channel];
    return sum;
}

// Items `first..last` of `count` that the `split`th of `splits` blocks takes.
struct Share {
    u32 first;
    u32 last;
};

__device__ __forceinline__ Share share_of(u32 count, u32 split, u32 splits) {
    return {(u32)((u64)count * split / splits), (u32)((u64)count * (split + 1) / splits)};
}

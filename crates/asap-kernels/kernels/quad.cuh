// Which four channels of which pixel a thread is in charge of, where every thread has one quad of its own.
#pragma once
#include "tensor.cuh"

struct Quad {
    u32 image;
    u32 pixel;
    u32 channel;

    // Consecutive threads take consecutive channels, then pixels, then images.
    __device__ __forceinline__ Quad(u32 pixels, u32 channels) {
        const u32 quads = channels / 4, at = blockIdx.x * THREADS + threadIdx.x;
        const u32 place = at / quads;
        channel = 4 * (at - place * quads);
        image = place / pixels;
        pixel = place - image * pixels;
    }
};

__device__ __forceinline__ float4 zero4() { return make_float4(0.0f, 0.0f, 0.0f, 0.0f); }

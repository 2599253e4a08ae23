// Sums over the threads of a block, in f64 and always in the same order. A fold of N sums takes `N * THREADS` doubles of shared
// memory.
#pragma once
#include "tensor.cuh"

// The threads of a block as `lanes` rows of `width` columns, side by side in a row. Threads left over lie in rows beyond.
struct Lanes {
    u32 width;
    u32 lanes;
    u32 column;
    u32 lane;

    __device__ __forceinline__ explicit Lanes(u32 columns)
        : width(columns), lanes(THREADS / columns), column(threadIdx.x % columns), lane(threadIdx.x / columns) {}
};

// Adds up `sums` over the lanes of every column, for lane 0 to have. All threads of the block take part, and the shared memory
// is free again when it returns.
template <u32 N> __device__ __forceinline__ void fold(double (&sums)[N], const Lanes &place) {
    double *own = reinterpret_cast<double *>(SHARED_MEMORY) + threadIdx.x;
#pragma unroll
    for (u32 i = 0; i < N; ++i) own[i * THREADS] = sums[i];
    __syncthreads();
    for (u32 lanes = place.lanes; lanes > 1;) {
        const u32 half = (lanes + 1) / 2;
        if (place.lane + half < lanes) {
#pragma unroll
            for (u32 i = 0; i < N; ++i) {
                sums[i] += own[i * THREADS + half * place.width];
                own[i * THREADS] = sums[i];
            }
        }
        __syncthreads();
        lanes = half;
    }
}

// Adds up `sums` over the whole block, for every thread to have.
template <u32 N> __device__ __forceinline__ void fold_all(double (&sums)[N]) {
    fold(sums, Lanes(1));
    const double *totals = reinterpret_cast<const double *>(SHARED_MEMORY);
#pragma unroll
    for (u32 i = 0; i < N; ++i) sums[i] = totals[i * THREADS];
    __syncthreads();
}

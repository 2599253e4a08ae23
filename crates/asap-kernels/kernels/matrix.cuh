// Products of a block: 8 warps, tiles of 16 x 8, eight deep, from factors in shared memory.
//
// A warp keeps to one row of tiles, so that it reads its part of the left factor once for all its columns. Lane l = 4 g + t of a
// warp holds of each tile the values (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1), whatever the precision: as the tensor
// cores have it.
#pragma once
#include "tensor.cuh"

constexpr u32 WARPS = THREADS / 32;

enum Precision { F32, TF32, BF16 };

// A tensor of a kernel of this precision: only those of BF16 have any in bf16.
template <Precision P> __device__ __forceinline__ Tensor known(Tensor t) {
    if (P == BF16) return t;
#ifndef __CUDACC__
    if (t.pixel & HALF) abort();
#endif
    t.pixel &= ~HALF;
    return t;
}

// A factor in shared memory: value (i, j) at `at[i * i_step + j * j_step]`, of what `rounded` gives.
struct Factor {
    const float *at;
    u32 i_step;
    u32 j_step;
};

// What a factor of a product has for a number: TF32 cuts off what lies behind 10 bits of mantissa, and is to have the nearest number, ties
// away from 0.
template <Precision P> __device__ __forceinline__ float rounded(float v) {
    if (P != TF32) return v;
    const u32 bits = __float_as_uint(v);
    return __uint_as_float(fabsf(v) < INFINITY ? bits + 0x1000u : bits);
}

template <Precision P> __device__ __forceinline__ float4 rounded4(float4 v) {
    return make_float4(rounded<P>(v.x), rounded<P>(v.y), rounded<P>(v.z), rounded<P>(v.w));
}

__device__ __forceinline__ void mma_tf32(float c[4], const u32 a[4], const u32 b[2]) {
#ifdef __CUDACC__
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    asap_mma_tf32(c, a, b);
#endif
}

__device__ __forceinline__ void mma_bf16(float c[4], const u32 a[2], const u32 b[1]) {
#ifdef __CUDACC__
    asm("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(b[0]));
#else
    asap_mma_bf16(c, a, b);
#endif
}

// The warps that share out the tiles of a product: `rows` (1, 2, 4 or 8) rows of tiles, each of which `count / rows` warps go along.
struct Warps {
    u32 rows;
    u32 warp;
    u32 count;

    __device__ __forceinline__ Warps(u32 rows, u32 warp, u32 count) : rows(rows), warp(warp), count(count) {}
    // All of the block.
    __device__ __forceinline__ explicit Warps(u32 rows) : rows(rows), warp(threadIdx.x / 32), count(WARPS) {}

    __device__ __forceinline__ u32 first_row() const { return warp % rows * 16; }
    __device__ __forceinline__ u32 first_column() const { return warp / rows * 8; }
    __device__ __forceinline__ u32 column_step() const { return count / rows * 8; }
};

// Where a thread's values lie in a product.
struct Lane {
    u32 row;         // first of its rows, the other is 8 below
    u32 column;      // first of its two columns in the first tile
    u32 column_step; // from tile to tile

    __device__ __forceinline__ explicit Lane(const Warps &warps) {
        const u32 lane = threadIdx.x % 32;
        row = warps.first_row() + lane / 4;
        column = warps.first_column() + lane % 4 * 2;
        column_step = warps.column_step();
    }
};

// Up to TILES tiles of a product, those that a warp is in charge of.
template <int TILES> struct Accumulator {
    float c[TILES][4];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int j = 0; j < TILES; ++j) c[j][0] = c[j][1] = c[j][2] = c[j][3] = 0.0f;
    }

    // Puts those within `rows` and `columns` to `to`, rows so many floats apart.
    __device__ __forceinline__ void put(float *to, u32 step, const Lane &place, u32 rows, u32 columns) const {
#pragma unroll
        for (int j = 0; j < TILES; ++j) {
            const u32 column = place.column + j * place.column_step;
            if (column >= columns) break;
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const u32 row = place.row + 8 * half;
                if (row < rows) *reinterpret_cast<float2 *>(to + row * step + column) = make_float2(c[j][2 * half], c[j][2 * half + 1]);
            }
        }
    }
};

// `acc += a b`: `a` is [rows, depth], `b` [depth, columns]; `columns` and `depth` are multiples of 8. Rows of `a` up to the next
// multiple of 16 are read, whatever they hold: they reach no other row.
template <Precision P, int TILES>
__device__ __forceinline__ void multiply(Accumulator<TILES> &acc, const Warps &warps, const Factor &a, const Factor &b,
                                         u32 columns, u32 depth) {
    const u32 lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const u32 first = warps.first_column(), step = warps.column_step();
    if (first >= columns) return;
    const u32 tiles = (columns - first + step - 1) / step;
    // From what eight of the depth need to what the next eight do.
    const u32 left_step = 8 * a.j_step, right_step = 8 * b.i_step;
    const float *upper = a.at + (warps.first_row() + g) * a.i_step;
    if (P == F32) {
        const float *right = b.at + (first + 2 * t) * b.j_step;
        for (u32 k = 0; k < depth; k += 8, upper += left_step, right += right_step) {
            const float *lower = upper + 8 * a.i_step;
            float u[8], l[8];
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                u[i] = upper[i * a.j_step];
                l[i] = lower[i * a.j_step];
            }
#pragma unroll
            for (int j = 0; j < TILES; ++j) {
                if ((u32)j >= tiles) break;
                const float *pair = right + j * step * b.j_step;
#pragma unroll
                for (int i = 0; i < 8; ++i) {
                    const float b0 = pair[i * b.i_step], b1 = pair[i * b.i_step + b.j_step];
                    acc.c[j][0] = fmaf(u[i], b0, acc.c[j][0]);
                    acc.c[j][1] = fmaf(u[i], b1, acc.c[j][1]);
                    acc.c[j][2] = fmaf(l[i], b0, acc.c[j][2]);
                    acc.c[j][3] = fmaf(l[i], b1, acc.c[j][3]);
                }
            }
        }
    } else if (P == TF32) {
        upper += t * a.j_step;
        const float *lower = upper + 8 * a.i_step;
        const float *right = b.at + (first + g) * b.j_step + t * b.i_step, *beyond = right + 4 * b.i_step;
        for (u32 k = 0; k < depth; k += 8) {
            const u32 left[4] = {__float_as_uint(upper[0]), __float_as_uint(lower[0]), __float_as_uint(upper[4 * a.j_step]),
                                 __float_as_uint(lower[4 * a.j_step])};
#pragma unroll
            for (int j = 0; j < TILES; ++j) {
                if ((u32)j >= tiles) break;
                const u32 at = j * step * b.j_step;
                const u32 pair[2] = {__float_as_uint(right[at]), __float_as_uint(beyond[at])};
                mma_tf32(acc.c[j], left, pair);
            }
            upper += left_step;
            lower += left_step;
            right += right_step;
            beyond += right_step;
        }
    } else {
        upper += 2 * t * a.j_step;
        const float *lower = upper + 8 * a.i_step;
        const float *right = b.at + (first + g) * b.j_step + 2 * t * b.i_step, *beyond = right + b.i_step;
        for (u32 k = 0; k < depth; k += 8) {
            const u32 left[2] = {bf16_pair(upper[0], upper[a.j_step]), bf16_pair(lower[0], lower[a.j_step])};
#pragma unroll
            for (int j = 0; j < TILES; ++j) {
                if ((u32)j >= tiles) break;
                const u32 at = j * step * b.j_step;
                const u32 pair[1] = {bf16_pair(right[at], beyond[at])};
                mma_bf16(acc.c[j], left, pair);
            }
            upper += left_step;
            lower += left_step;
            right += right_step;
            beyond += right_step;
        }
    }
}

// Sums of outputs and of their squares over all that a block computes, column by column.
template <int TILES> struct MomentSums {
    double sum[TILES][2];
    double square[TILES][2];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int j = 0; j < TILES; ++j) sum[j][0] = sum[j][1] = square[j][0] = square[j][1] = 0.0;
    }

    // Outputs of pixels that do not exist are 0 and add nothing.
    __device__ __forceinline__ void add(const Accumulator<TILES> &acc) {
#pragma unroll
        for (int j = 0; j < TILES; ++j) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const float upper = acc.c[j][i], lower = acc.c[j][i + 2];
                sum[j][i] += (double)upper + (double)lower;
                square[j][i] += (double)upper * upper + (double)lower * lower;
            }
        }
    }

    // Writes `[2][stride]` sums of `columns` columns, up to 64, of a product that all warps share out; all threads take part. `room` holds
    // two rows of 64 doubles for each row of tiles, and nobody uses it any more.
    __device__ __forceinline__ void write(double *room, double *out, u32 columns, u32 stride, const Warps &warps) {
        const u32 lane = threadIdx.x % 32, own = warps.warp % warps.rows * 2;
        const Lane place(warps);
#pragma unroll
        for (int j = 0; j < TILES; ++j) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                double s = sum[j][i], q = square[j][i];
#pragma unroll
                for (int mask = 4; mask < 32; mask *= 2) {
                    s += __shfl_xor_sync(0xffffffffu, s, mask);
                    q += __shfl_xor_sync(0xffffffffu, q, mask);
                }
                const u32 column = place.column + j * place.column_step + i;
                if (lane < 4 && column < columns) {
                    room[own * 64 + column] = s;
                    room[(own + 1) * 64 + column] = q;
                }
            }
        }
        __syncthreads();
        for (u32 i = threadIdx.x; i < 2 * columns; i += THREADS) {
            const u32 which = i / columns, column = i % columns;
            double total = 0.0;
            for (u32 row = 0; row < warps.rows; ++row) total += room[(2 * row + which) * 64 + column];
            out[(size_t)which * stride + column] = total;
        }
    }
};

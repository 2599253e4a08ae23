// What CUDA C++ has and C++ has not, for the host: included before every .cu file when the tests compile the kernels
// with an ordinary C++17 compiler. Declarations only where threads of a block meet (shim.cpp runs those); the rest is
// arithmetic, rounded as the device rounds it.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

// ---- Where a thread is. Set by the scheduler: the blocks of a grid may run on several threads of the host.

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
};

// Whatever runs on a thread of the host never leaves it, so the cheapest form of thread-local memory does.
#if defined(__linux__)
#define ASAP_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
#else
#define ASAP_THREAD_LOCAL __thread
#endif

extern ASAP_THREAD_LOCAL uint3 threadIdx, blockIdx;
extern ASAP_THREAD_LOCAL dim3 blockDim, gridDim;

// The block's shared memory: as many bytes as its launch asked for and at most those of an H100, NaNs at first.
unsigned char *asap_dynamic_shared();
#define ASAP_MOST_SHARED (227u << 10)

// ---- Where threads meet. Every call carries its place in the source, for messages and because all that meet must
// meet at the same place.

struct asap_place {
    const char *file;
    int line;
};

#define ASAP_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

enum asap_meeting { ASAP_SYNCWARP, ASAP_SHUFFLE, ASAP_BALLOT, ASAP_MMA_TF32, ASAP_MMA_BF16 };

// What a lane brings to a meeting of its warp.
struct asap_lane {
    uint64_t value;
    int source; // the lane it wants the value of
    const unsigned *a, *b;
    float *c;
};

// Ends the launch with an error that says where no device goes on.
[[noreturn]] void asap_refuse(asap_place place, const char *what);

void asap_meet_block(asap_place place);
uint64_t asap_meet_warp(asap_meeting meeting, unsigned mask, const asap_lane &lane, asap_place place);

inline void __syncthreads(ASAP_HERE) { asap_meet_block({file, line}); }

inline void __syncwarp(unsigned mask = 0xffffffffu, ASAP_HERE) {
    asap_meet_warp(ASAP_SYNCWARP, mask, {}, {file, line});
}

template <typename T>
inline T asap_shuffle(unsigned mask, T value, int source, asap_place place) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
    asap_lane lane = {};
    memcpy(&lane.value, &value, sizeof(T));
    lane.source = source;
    const uint64_t found = asap_meet_warp(ASAP_SHUFFLE, mask, lane, place);
    memcpy(&value, &found, sizeof(T));
    return value;
}

inline int asap_own_lane() { return static_cast<int>(threadIdx.x & 31u); }

template <typename T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, ASAP_HERE) {
    const int first = asap_own_lane() & ~(width - 1);
    return asap_shuffle(mask, value, first + (source & (width - 1)), {file, line});
}

template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, ASAP_HERE) {
    const int last = asap_own_lane() | (width - 1);
    const int source = asap_own_lane() ^ lanes;
    return asap_shuffle(mask, value, source > last ? asap_own_lane() : source, {file, line});
}

template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32, ASAP_HERE) {
    const int last = asap_own_lane() | (width - 1);
    const int source = asap_own_lane() + static_cast<int>(distance);
    return asap_shuffle(mask, value, source > last ? asap_own_lane() : source, {file, line});
}

inline unsigned __ballot_sync(unsigned mask, int predicate, ASAP_HERE) {
    asap_lane lane = {};
    lane.value = predicate != 0;
    return static_cast<unsigned>(asap_meet_warp(ASAP_BALLOT, mask, lane, {file, line}));
}

inline int __any_sync(unsigned mask, int predicate, ASAP_HERE) {
    return __ballot_sync(mask, predicate, file, line) != 0;
}

// The tensor cores' products, with the fragments of the PTX manual: c [16, 8] += a [16, 8] b [8, 8] over a warp.
// mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32: operands are f32 whose last 13 bits are not looked at.
inline void asap_mma_tf32(float c[4], const unsigned a[4], const unsigned b[2], ASAP_HERE) {
    asap_meet_warp(ASAP_MMA_TF32, 0xffffffffu, {0, 0, a, b, c}, {file, line});
}

// mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32: two operands in a register, the lower column in the lower half.
inline void asap_mma_bf16(float c[4], const unsigned a[2], const unsigned b[1], ASAP_HERE) {
    asap_meet_warp(ASAP_MMA_BF16, 0xffffffffu, {0, 0, a, b, c}, {file, line});
}

// ---- Memory.

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(16) int4 {
    int x, y, z, w;
};

inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }

template <typename T>
inline T __ldg(const T *address) {
    return *address;
}

// Atomics may meet without a barrier, so they are out of the sight of what looks for races.
unsigned atomicAdd(unsigned *address, unsigned value);
float atomicAdd(float *address, float value);
double atomicAdd(double *address, double value);

// ---- Arithmetic. The functions of <math.h> have the device's names already.

inline float asap_rsqrt(float x) { return 1.0f / sqrtf(x); }
// A macro, since newer C libraries have a function of that name.
#define rsqrtf asap_rsqrt

inline float __fdividef(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }

inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

inline unsigned __umulhi(unsigned x, unsigned y) {
    return static_cast<unsigned>((static_cast<uint64_t>(x) * y) >> 32);
}

#define ASAP_MIN_MAX(T)                                \
    inline T min(T x, T y) { return y < x ? y : x; }   \
    inline T max(T x, T y) { return x < y ? y : x; }
ASAP_MIN_MAX(int)
ASAP_MIN_MAX(unsigned)
ASAP_MIN_MAX(long)
ASAP_MIN_MAX(unsigned long)
ASAP_MIN_MAX(long long)
ASAP_MIN_MAX(unsigned long long)
#undef ASAP_MIN_MAX

// The nearest bf16, ties to even, NaN to the device's NaN: cvt.rn.bf16.f32.
inline unsigned short asap_bf16(float x) {
    const unsigned bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return 0x7fff;
    }
    return static_cast<unsigned short>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

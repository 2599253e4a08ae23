// What PTX instructions do, each a function named as the instruction is. Included before what `ptx.rs` makes of a module.
//
// Registers hold bits, and the instruction says what they are: whole numbers become those of a function's type, with or without signs,
// as they are handed over. Floats are not taken for whole numbers nor these for floats: the compiler is told to refuse that (`compile.rs`).
// Where the manual leaves a result open (a division by 0, which NaN comes out), it is one that devices give, or the host's.
#pragma once

#include "shim.cuh"

// So many instructions were issued.
extern "C" void asap_issued(uint32_t count);

#define ASAP_INLINE static inline __attribute__((always_inline))

template <typename To, typename From>
ASAP_INLINE To asap_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "as many bits");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
ASAP_INLINE float f32_of_bits(uint32_t bits) { return asap_bits<float>(bits); }
ASAP_INLINE double f64_of_bits(uint64_t bits) { return asap_bits<double>(bits); }

typedef uint8_t asap_u8;
typedef uint16_t asap_u16, asap_b16;
typedef uint32_t asap_u32, asap_b32;
typedef uint64_t asap_u64, asap_b64;
typedef int8_t asap_s8;
typedef int16_t asap_s16;
typedef int32_t asap_s32;
typedef int64_t asap_s64;
typedef float asap_f32;
typedef double asap_f64;
typedef bool asap_pred;

#define ASAP_EACH_WHOLE(MACRO) MACRO(u16) MACRO(u32) MACRO(u64) MACRO(s16) MACRO(s32) MACRO(s64)
#define ASAP_EACH_FLOAT(MACRO) MACRO(f32) MACRO(f64)
#define ASAP_EACH_BITS(MACRO) MACRO(b16) MACRO(b32) MACRO(b64)
#define ASAP_EACH(MACRO) ASAP_EACH_WHOLE(MACRO) ASAP_EACH_FLOAT(MACRO) ASAP_EACH_BITS(MACRO)

// Functions of operands of type T, x, y and z, with a result of type TO.
#define ASAP_UNARY(NAME, TO, T, RESULT) \
    ASAP_INLINE asap_##TO NAME(asap_##T x) { return static_cast<asap_##TO>(RESULT); }
#define ASAP_BINARY(NAME, TO, T, RESULT) \
    ASAP_INLINE asap_##TO NAME(asap_##T x, asap_##T y) { return static_cast<asap_##TO>(RESULT); }
#define ASAP_TERNARY(NAME, T, RESULT) \
    ASAP_INLINE asap_##T NAME(asap_##T x, asap_##T y, asap_##T z) { return static_cast<asap_##T>(RESULT); }

// ---- Whole numbers. Sums and products are taken without signs: their lower bits are the same, and to leave the range is no error.

#define ASAP_RING(T, U)                                                        \
    ASAP_BINARY(add_##T, U, U, x + y)                                          \
    ASAP_BINARY(sub_##T, U, U, x - y)                                          \
    ASAP_BINARY(mul_lo_##T, U, U, 1u * x * y)                                  \
    ASAP_TERNARY(mad_lo_##T, U, 1u * x * y + z)
ASAP_RING(s16, u16)
ASAP_RING(u16, u16)
ASAP_RING(s32, u32)
ASAP_RING(u32, u32)
ASAP_RING(s64, u64)
ASAP_RING(u64, u64)
ASAP_BINARY(mul_wide_u16, u32, u16, static_cast<uint32_t>(x) * y)
ASAP_BINARY(mul_wide_u32, u64, u32, static_cast<uint64_t>(x) * y)
ASAP_BINARY(mul_wide_s32, s64, s32, static_cast<int64_t>(x) * y)
ASAP_BINARY(mul_hi_u32, u32, u32, static_cast<uint64_t>(x) * y >> 32)
ASAP_UNARY(neg_s32, u32, u32, 0 - x)
ASAP_UNARY(neg_s64, u64, u64, 0 - x)

// A device does not stop where one divides by 0.
#define ASAP_DIVIDE_UNSIGNED(T)                                                \
    ASAP_BINARY(div_##T, T, T, y ? x / y : ~asap_##T{0})                       \
    ASAP_BINARY(rem_##T, T, T, y ? x % y : x)
ASAP_DIVIDE_UNSIGNED(u16)
ASAP_DIVIDE_UNSIGNED(u32)
ASAP_DIVIDE_UNSIGNED(u64)
// Nor where the quotient of the least number and -1 leaves the range.
#define ASAP_DIVIDE_SIGNED(T, U)                                                                          \
    ASAP_BINARY(div_##T, T, T, y == 0 ? ~asap_##U{0} : y == -1 ? asap_##U{0} - x : asap_##U(x / y))       \
    ASAP_BINARY(rem_##T, T, T, y == 0 ? x : y == -1 ? 0 : x % y)
ASAP_DIVIDE_SIGNED(s32, u32)
ASAP_DIVIDE_SIGNED(s64, u64)

#define ASAP_ORDER(T)                                                          \
    ASAP_BINARY(min_##T, T, T, x < y ? x : y)                                  \
    ASAP_BINARY(max_##T, T, T, x > y ? x : y)
ASAP_EACH_WHOLE(ASAP_ORDER)

// ---- Floats, rounded to the nearest as all of these are that name no other way; those below the normal range are kept.

#define ASAP_FLOAT(T)                                                          \
    ASAP_BINARY(add_##T, T, T, x + y)                                          \
    ASAP_BINARY(add_rn_##T, T, T, x + y)                                       \
    ASAP_BINARY(sub_##T, T, T, x - y)                                          \
    ASAP_BINARY(sub_rn_##T, T, T, x - y)                                       \
    ASAP_BINARY(mul_##T, T, T, x * y)                                          \
    ASAP_BINARY(mul_rn_##T, T, T, x * y)                                       \
    ASAP_BINARY(div_rn_##T, T, T, x / y)                                       \
    ASAP_UNARY(rcp_rn_##T, T, T, 1 / x)                                        \
    ASAP_UNARY(neg_##T, T, T, -x)                                              \
    ASAP_BINARY(min_##T, T, T, asap_least(x, y))                               \
    ASAP_BINARY(max_##T, T, T, asap_most(x, y))
// The one that is a number, if one is; -0 is less than +0.
template <typename T>
ASAP_INLINE T asap_least(T x, T y) {
    if (x == y) return signbit(x) ? x : y;
    return x < y || y != y ? x : y;
}
template <typename T>
ASAP_INLINE T asap_most(T x, T y) {
    if (x == y) return signbit(x) ? y : x;
    return x > y || y != y ? x : y;
}
ASAP_EACH_FLOAT(ASAP_FLOAT)
ASAP_TERNARY(fma_rn_f32, f32, fmaf(x, y, z))
ASAP_TERNARY(fma_rn_f64, f64, fma(x, y, z))
ASAP_UNARY(abs_f32, f32, f32, fabsf(x))
ASAP_UNARY(abs_f64, f64, f64, fabs(x))
ASAP_UNARY(sqrt_rn_f32, f32, f32, sqrtf(x))
ASAP_UNARY(sqrt_rn_f64, f64, f64, sqrt(x))
// The upper half of a reciprocal of the upper half; what is below the normal range is 0 before and after. Those who use it go on from
// there, and the manual names no bound: a device's last bits may be others.
ASAP_INLINE double asap_upper_half(double x) {
    const uint64_t bits = asap_bits<uint64_t>(x) & 0xffffffff00000000u;
    const uint64_t sign = bits & 0x8000000000000000u, exponent = bits & 0x7ff0000000000000u;
    return asap_bits<double>(exponent ? bits : sign);
}
ASAP_UNARY(rcp_approx_ftz_f64, f64, f64, asap_upper_half(1 / asap_upper_half(x)))

// ---- Bits.

#define ASAP_LOGIC(T)                                                          \
    ASAP_BINARY(and_##T, T, T, x & y)                                          \
    ASAP_BINARY(or_##T, T, T, x | y)                                           \
    ASAP_BINARY(xor_##T, T, T, x ^ y)
ASAP_EACH_BITS(ASAP_LOGIC)
ASAP_LOGIC(pred)
ASAP_UNARY(not_b16, b16, b16, ~x)
ASAP_UNARY(not_b32, b32, b32, ~x)
ASAP_UNARY(not_b64, b64, b64, ~x)
ASAP_UNARY(not_pred, pred, pred, !x)

// Whoever shifts further than a register is wide shifts all of it out.
#define ASAP_SHIFT(NAME, T, BEYOND, WITHIN)                                    \
    ASAP_INLINE asap_##T NAME(asap_##T x, uint32_t by) {                       \
        return static_cast<asap_##T>(by >= 8 * sizeof x ? BEYOND : WITHIN);    \
    }
#define ASAP_SHIFT_LEFT(T) ASAP_SHIFT(shl_##T, T, 0, x << by)
ASAP_EACH_BITS(ASAP_SHIFT_LEFT)
#define ASAP_SHIFT_RIGHT(T) ASAP_SHIFT(shr_##T, T, x < 0 ? -1 : 0, x >> by)
ASAP_EACH_WHOLE(ASAP_SHIFT_RIGHT)

// The upper half of two registers side by side, shifted by the lower 5 bits of a number.
ASAP_INLINE uint32_t shf_l_wrap_b32(uint32_t low, uint32_t high, uint32_t by) {
    return static_cast<uint32_t>((uint64_t{high} << 32 | low) << (by & 31) >> 32);
}

// The lower `count` bits of a field, put into a number from bit `begin` on.
#define ASAP_INSERT(T)                                                                            \
    ASAP_INLINE asap_##T bfi_##T(asap_##T field, asap_##T into, uint32_t begin, uint32_t count) { \
        begin &= 0xff, count &= 0xff;                                                             \
        const asap_##T ones = count >= 8 * sizeof ones ? ~asap_##T{0} : shl_##T(1, count) - 1;    \
        const asap_##T mask = shl_##T(ones, begin);                                               \
        return (into & ~mask) | (shl_##T(field, begin) & mask);                                   \
    }
ASAP_INSERT(b32)
ASAP_INSERT(b64)

// ---- Comparisons and choices.

// False where one of the two is a NaN.
#define ASAP_COMPARE(T)                                                        \
    ASAP_BINARY(setp_eq_##T, pred, T, x == y)                                  \
    ASAP_BINARY(setp_ne_##T, pred, T, x < y || x > y)                          \
    ASAP_BINARY(setp_lt_##T, pred, T, x < y)                                   \
    ASAP_BINARY(setp_le_##T, pred, T, x <= y)                                  \
    ASAP_BINARY(setp_gt_##T, pred, T, x > y)                                   \
    ASAP_BINARY(setp_ge_##T, pred, T, x >= y)
ASAP_EACH_WHOLE(ASAP_COMPARE)
ASAP_EACH_FLOAT(ASAP_COMPARE)
#define ASAP_COMPARE_BITS(T)                                                   \
    ASAP_BINARY(setp_eq_##T, pred, T, x == y)                                  \
    ASAP_BINARY(setp_ne_##T, pred, T, x != y)
ASAP_EACH_BITS(ASAP_COMPARE_BITS)
// True where one of the two is a NaN, but for `num`.
#define ASAP_COMPARE_UNORDERED(T)                                              \
    ASAP_BINARY(setp_equ_##T, pred, T, !(x < y || x > y))                      \
    ASAP_BINARY(setp_neu_##T, pred, T, !(x == y))                              \
    ASAP_BINARY(setp_ltu_##T, pred, T, !(x >= y))                              \
    ASAP_BINARY(setp_leu_##T, pred, T, !(x > y))                               \
    ASAP_BINARY(setp_gtu_##T, pred, T, !(x <= y))                              \
    ASAP_BINARY(setp_geu_##T, pred, T, !(x < y))                               \
    ASAP_BINARY(setp_nan_##T, pred, T, x != x || y != y)                       \
    ASAP_BINARY(setp_num_##T, pred, T, x == x && y == y)
ASAP_EACH_FLOAT(ASAP_COMPARE_UNORDERED)
#define ASAP_CHOOSE(T) \
    ASAP_INLINE asap_##T selp_##T(asap_##T x, asap_##T y, bool is_first) { return is_first ? x : y; }
ASAP_EACH(ASAP_CHOOSE)

// ---- Moves and conversions.

#define ASAP_MOVE(T) ASAP_UNARY(mov_##T, T, T, x)
ASAP_EACH_WHOLE(ASAP_MOVE)
ASAP_EACH_FLOAT(ASAP_MOVE)
ASAP_MOVE(b16)
ASAP_UNARY(mov_pred, pred, s32, x != 0)
// Between registers of all kinds.
template <typename Whole, typename Float>
struct asap_either {
    Whole bits;
    operator Whole() const { return bits; }
    operator Float() const { return asap_bits<Float>(bits); }
};
typedef asap_either<uint32_t, float> asap_any32;
typedef asap_either<uint64_t, double> asap_any64;
ASAP_INLINE asap_any32 mov_b32(uint32_t x) { return {x}; }
ASAP_INLINE asap_any32 mov_b32(int x) { return {static_cast<uint32_t>(x)}; }
ASAP_INLINE asap_any32 mov_b32(float x) { return {asap_bits<uint32_t>(x)}; }
ASAP_INLINE asap_any64 mov_b64(uint64_t x) { return {x}; }
ASAP_INLINE asap_any64 mov_b64(int x) { return {static_cast<uint64_t>(x)}; }
ASAP_INLINE asap_any64 mov_b64(double x) { return {asap_bits<uint64_t>(x)}; }
// In halves, the lower one first.
ASAP_INLINE asap_any64 mov_b64(uint32_t low, uint32_t high) { return {low | static_cast<uint64_t>(high) << 32}; }
ASAP_INLINE void mov_b64(uint32_t &low, uint32_t &high, uint64_t x) {
    low = static_cast<uint32_t>(x);
    high = static_cast<uint32_t>(x >> 32);
}
ASAP_INLINE void mov_b64(uint32_t &low, uint32_t &high, double x) { mov_b64(low, high, asap_bits<uint64_t>(x)); }

// Between whole numbers: cut off, or with the sign or 0 of what they come from before them.
#define ASAP_CONVERT(TO)                                                       \
    ASAP_UNARY(cvt_##TO##_u16, TO, u16, x)                                     \
    ASAP_UNARY(cvt_##TO##_s16, TO, s16, x)                                     \
    ASAP_UNARY(cvt_##TO##_u32, TO, u32, x)                                     \
    ASAP_UNARY(cvt_##TO##_s32, TO, s32, x)                                     \
    ASAP_UNARY(cvt_##TO##_u64, TO, u64, x)                                     \
    ASAP_UNARY(cvt_##TO##_s64, TO, s64, x)
ASAP_EACH_WHOLE(ASAP_CONVERT)
#define ASAP_CONVERT_TO_FLOAT(T)                                               \
    ASAP_UNARY(cvt_rn_f32_##T, f32, T, x)                                      \
    ASAP_UNARY(cvt_rn_f64_##T, f64, T, x)
ASAP_EACH_WHOLE(ASAP_CONVERT_TO_FLOAT)
ASAP_UNARY(cvt_rn_f32_f64, f32, f64, x)
ASAP_UNARY(cvt_f64_f32, f64, f32, x)
ASAP_BINARY(cvt_rn_bf16x2_f32, b32, f32, static_cast<uint32_t>(asap_bf16(x)) << 16 | asap_bf16(y))
// Ties away from 0. A NaN is one in the bits that a product looks at.
ASAP_INLINE uint32_t asap_tf32(uint32_t bits) {
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffffffu;
    return (bits + 0x1000u) & 0xffffe000u;
}
ASAP_UNARY(cvt_rna_tf32_f32, b32, f32, asap_tf32(__float_as_uint(x)))

// ---- Memory. Addresses without a space, and those of the global one, are the host's. Those of the shared one count from a number other
// than 0, so that an access to address 0 is one outside.

#define ASAP_SHARED_MEMORY 1024u
// Fibers do not leave their thread of the host, so it is asked for once.
unsigned char *asap_dynamic_shared() __attribute__((const));

ASAP_INLINE uint64_t cvta_to_global_u64(uint64_t at) { return at; }
ASAP_INLINE uint64_t cvta_shared_u64(uint64_t at) {
    return reinterpret_cast<uintptr_t>(asap_dynamic_shared()) + at - ASAP_SHARED_MEMORY;
}
ASAP_INLINE uint32_t ld_param_u32(uint32_t parameter) { return parameter; }
ASAP_INLINE uint64_t ld_param_u64(uint64_t parameter) { return parameter; }

// Where an access finds a T. No device has one that is not aligned, nor finds shared memory in the global space.
enum asap_space { asap_generic, asap_global, asap_shared };
template <typename T>
ASAP_INLINE T &asap_at(asap_space space, uint64_t at, asap_place place) {
    if (space == asap_shared) at = cvta_shared_u64(at);
    if (at % sizeof(T)) asap_refuse(place, "an access to what is not aligned");
    if (space == asap_global && at - cvta_shared_u64(ASAP_SHARED_MEMORY) < ASAP_MOST_SHARED) {
        asap_refuse(place, "a global access to shared memory");
    }
    return *reinterpret_cast<T *>(at);
}
template <typename T>
struct asap_v2 {
    T x, y;
};
template <typename T>
struct asap_v4 {
    T x, y, z, w;
};

// What is stored may be the lower bits of a wider register.
template <typename T>
struct asap_stored {
    typedef T type;
};
template <>
struct asap_stored<uint8_t> {
    typedef uint32_t type;
};
template <>
struct asap_stored<uint16_t> {
    typedef uint32_t type;
};

#define ASAP_ACCESS(NAME, SPACE, ADDRESS, T)                                                              \
    ASAP_INLINE asap_##T ld##NAME##_##T(ADDRESS at, ASAP_HERE) {                                          \
        return asap_at<asap_##T>(SPACE, at, {file, line});                                                \
    }                                                                                                     \
    template <typename R>                                                                                 \
    ASAP_INLINE void ld##NAME##_v2_##T(R &x, R &y, ADDRESS at, ASAP_HERE) {                               \
        const auto all = asap_at<asap_v2<asap_##T>>(SPACE, at, {file, line});                             \
        x = all.x, y = all.y;                                                                             \
    }                                                                                                     \
    template <typename R>                                                                                 \
    ASAP_INLINE void ld##NAME##_v4_##T(R &x, R &y, R &z, R &w, ADDRESS at, ASAP_HERE) {                   \
        const auto all = asap_at<asap_v4<asap_##T>>(SPACE, at, {file, line});                             \
        x = all.x, y = all.y, z = all.z, w = all.w;                                                       \
    }                                                                                                     \
    ASAP_INLINE void st##NAME##_##T(ADDRESS at, asap_stored<asap_##T>::type x, ASAP_HERE) {               \
        asap_at<asap_##T>(SPACE, at, {file, line}) = static_cast<asap_##T>(x);                            \
    }                                                                                                     \
    ASAP_INLINE void st##NAME##_v2_##T(ADDRESS at, asap_##T x, asap_##T y, ASAP_HERE) {                   \
        asap_at<asap_v2<asap_##T>>(SPACE, at, {file, line}) = {x, y};                                     \
    }                                                                                                     \
    ASAP_INLINE void st##NAME##_v4_##T(ADDRESS at, asap_##T x, asap_##T y, asap_##T z, asap_##T w,        \
                                       ASAP_HERE) {                                                       \
        asap_at<asap_v4<asap_##T>>(SPACE, at, {file, line}) = {x, y, z, w};                               \
    }
#define ASAP_MEMORY(T)                                                         \
    ASAP_ACCESS(, asap_generic, uint64_t, T)                                   \
    ASAP_ACCESS(_global, asap_global, uint64_t, T)                             \
    ASAP_ACCESS(_shared, asap_shared, uint32_t, T)
ASAP_EACH(ASAP_MEMORY)
ASAP_MEMORY(u8)
ASAP_MEMORY(s8)

// ---- Where threads meet.

ASAP_INLINE void bar_sync(uint32_t number, ASAP_HERE) {
    if (number) asap_refuse({file, line}, "a barrier that is not the block's");
    asap_meet_block({file, line});
}

// Lanes of a segment ask those of a number that differs in some bits, and themselves where that is behind the segment's last.
ASAP_INLINE void shfl_sync_bfly_b32(uint32_t &to, bool &is_inside, uint32_t value, uint32_t bits, uint32_t bound, uint32_t mask,
                                    ASAP_HERE) {
    const uint32_t own = static_cast<uint32_t>(asap_own_lane()), segment = bound >> 8 & 31;
    const uint32_t last = (own & segment) | (bound & 31 & ~segment), source = own ^ (bits & 31);
    is_inside = source <= last;
    to = asap_shuffle(mask, value, static_cast<int>(is_inside ? source : own), {file, line});
}

ASAP_INLINE void mma_sync_aligned_m16n8k8_row_col_f32_tf32_tf32_f32(float &d0, float &d1, float &d2, float &d3, uint32_t a0,
                                                                    uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                                                                    uint32_t b1, float c0, float c1, float c2, float c3,
                                                                    ASAP_HERE) {
    float c[4] = {c0, c1, c2, c3};
    const uint32_t a[4] = {a0, a1, a2, a3}, b[2] = {b0, b1};
    asap_mma_tf32(c, a, b, file, line);
    d0 = c[0], d1 = c[1], d2 = c[2], d3 = c[3];
}
ASAP_INLINE void mma_sync_aligned_m16n8k8_row_col_f32_bf16_bf16_f32(float &d0, float &d1, float &d2, float &d3, uint32_t a0,
                                                                    uint32_t a1, uint32_t b0, float c0, float c1, float c2,
                                                                    float c3, ASAP_HERE) {
    float c[4] = {c0, c1, c2, c3};
    const uint32_t a[2] = {a0, a1}, b[1] = {b0};
    asap_mma_bf16(c, a, b, file, line);
    d0 = c[0], d1 = c[1], d2 = c[2], d3 = c[3];
}

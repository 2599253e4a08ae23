// What stands between the convolutions: the weighted sum of terms, and sums over pixels for normalisations and op weights.
//
// Shared memory of `products` and `moments`: two rows of sums, four channels a thread, `8 * THREADS` doubles.
#include "fold.cuh"
#include "quad.cuh"

// `out (+)= sum of terms`. A thread has the same four channels of MIXED pixels, so that what is the same for them is found out once, and all of
// them are asked for before the first is added. Grid: MIXED pixels for each lane of a block, and of these for each 4 THREADS channels; images;
// jobs.
extern "C" __global__ void __launch_bounds__(THREADS, 3) mix(const mix_job *jobs, const Step *step) {
    const mix_job &job = jobs[blockIdx.z];
    const u32 image = blockIdx.y, channels = job.channels, end = job.pixels;
    if (image >= step->images) return;
    const u32 groups = (channels + 4 * THREADS - 1) / (4 * THREADS), part = blockIdx.x / groups;
    const u32 first_channel = (blockIdx.x - part * groups) * 4 * THREADS;
    const Lanes place(min(THREADS, (channels - first_channel) / 4));
    const u32 channel = first_channel + 4 * place.column, first = part * MIXED * place.lanes + place.lane;
    if (place.lane >= place.lanes || first >= end) return;
    const Tensor out = job.out;
    const bool add = job.add;
    // Pixels beyond the last are the last, and not written.
    Pixels<MIXED, 1> at = {{image}};
    float4 before[MIXED], sums[MIXED];
#pragma unroll
    for (u32 i = 0; i < MIXED; ++i) {
        at.pixel[i] = min(first + i * place.lanes, end - 1);
        at.holds[i] = true;
        before[i] = add && at.pixel[i] == first + i * place.lanes ? load4(address(out, image, at.pixel[i]) + channel) : zero4();
    }
    sum_terms4(sums, job.terms, job.count, step, at, channel);
#pragma unroll
    for (u32 i = 0; i < MIXED; ++i) {
        if (first + i * place.lanes >= end) return;
        store4(address(out, image, at.pixel[i]) + channel, add ? add4(before[i], sums[i]) : sums[i]);
    }
}

// Every `stride`th of the pixels of all images, counted through.
struct PixelWalk {
    u32 image;
    u32 pixel;
    u32 pixels;
    u32 image_stride;
    u32 pixel_stride;

    __device__ __forceinline__ PixelWalk(u32 first, u32 stride, u32 pixels)
        : image(first / pixels), pixel(first % pixels), pixels(pixels), image_stride(stride / pixels),
          pixel_stride(stride % pixels) {}

    __device__ __forceinline__ void advance() {
        image += image_stride;
        pixel += pixel_stride;
        if (pixel >= pixels) {
            pixel -= pixels;
            ++image;
        }
    }
};

__device__ __forceinline__ void add_to(double *sums, float4 v) {
    sums[0] += (double)v.x;
    sums[1] += (double)v.y;
    sums[2] += (double)v.z;
    sums[3] += (double)v.w;
}

// A product of two f32 is exact in f64.
__device__ __forceinline__ void add_product_to(double *sums, float4 v, float4 w) {
    sums[0] += (double)v.x * (double)w.x;
    sums[1] += (double)v.y * (double)w.y;
    sums[2] += (double)v.z * (double)w.z;
    sums[3] += (double)v.w * (double)w.w;
}

// Row: sum y.
struct PlainSum {
    typedef float4 Loaded;
    static constexpr u32 ROWS = 1;
    Tensor y;

    __device__ __forceinline__ Loaded load(u32 image, u32 pixel, u32 channel) {
        return load4(address(y, image, pixel) + channel);
    }
    __device__ __forceinline__ void add(double *sums, const Loaded &v) const { add_to(sums, v); }
};

// Rows: sum y, sum y^2.
struct MomentSum {
    typedef float4 Loaded;
    static constexpr u32 ROWS = 2;
    Tensor y;

    __device__ __forceinline__ Loaded load(u32 image, u32 pixel, u32 channel) {
        return load4(address(y, image, pixel) + channel);
    }
    __device__ __forceinline__ void add(double *sums, const Loaded &v) const {
        add_to(sums, v);
        add_product_to(sums + 4, v, v);
    }
};

// Rows: sum g and sum g y over the images that keep a term.
struct TermSum {
    struct Loaded {
        float4 g;
        float4 y; // as it is stored
    };
    static constexpr u32 ROWS = 2;
    Tensor g;
    Term term;
    const Step *step;
    // The choice is the same for all pixels of an image.
    u32 image;
    bool kept;

    __device__ __forceinline__ TermSum(const Tensor &g, const Term &term, const Step *step)
        : g(g), term(term), step(step), image(0), kept(keeps(step, 0, term.cell, term.weight)) {}

    __device__ __forceinline__ Loaded load(u32 now, u32 pixel, u32 channel) {
        if (now != image) {
            image = now;
            kept = keeps(step, now, term.cell, term.weight);
        }
        if (!kept) return {zero4(), zero4()};
        return {load4(address(g, now, pixel) + channel), stored4(term.y, now, pixel, channel)};
    }
    __device__ __forceinline__ void add(double *sums, const Loaded &v) const {
        add_to(sums, v.g);
        add_product_to(sums + 4, v.g, numbers4(v.y, is_half(term.y)));
    }
};

// `out[row][channel]`: the sums of a block's share of the pixels of all images.
template <class Sum> __device__ __forceinline__ void sum_pixels(Sum sum, u32 images, u32 pixels, u32 channels, double *out) {
    const Share share = share_of(images * pixels, blockIdx.x, gridDim.x);
    for (u32 first = 0; first < channels; first += 4 * THREADS) {
        const Lanes place(min(THREADS, (channels - first) / 4));
        const u32 channel = first + 4 * place.column, lanes = place.lanes;
        double sums[4 * Sum::ROWS] = {};
        if (place.lane < lanes) {
            u32 item = share.first + place.lane;
            PixelWalk walk(item, lanes, pixels);
            for (; item + 3 * lanes < share.last; item += 4 * lanes) {
                typename Sum::Loaded loaded[4];
#pragma unroll
                for (u32 i = 0; i < 4; ++i) {
                    loaded[i] = sum.load(walk.image, walk.pixel, channel);
                    walk.advance();
                }
#pragma unroll
                for (u32 i = 0; i < 4; ++i) sum.add(sums, loaded[i]);
            }
            for (; item < share.last; item += lanes) {
                sum.add(sums, sum.load(walk.image, walk.pixel, channel));
                walk.advance();
            }
        }
        fold(sums, place);
        if (place.lane == 0) {
#pragma unroll
            for (u32 i = 0; i < 4 * Sum::ROWS; ++i) out[(size_t)(i / 4) * channels + channel + i % 4] = sums[i];
        }
    }
}

// Block row 0: sum g. Block row t + 1: `sum g` and `sum g y` of term t over the images that keep it.
extern "C" __global__ void __launch_bounds__(THREADS) products(const products_job *jobs, const Step *step) {
    const products_job &job = jobs[blockIdx.z];
    if (blockIdx.y > job.count) return;
    double *out = job.sums + (size_t)blockIdx.x * (1 + 2 * job.count) * job.channels;
    if (blockIdx.y == 0) {
        sum_pixels(PlainSum{job.g}, step->images, job.pixels, job.channels, out);
    } else {
        const u32 term = blockIdx.y - 1;
        out += (size_t)(1 + 2 * term) * job.channels;
        sum_pixels(TermSum(job.g, job.terms[term], step), step->images, job.pixels, job.channels, out);
    }
}

// Sum y and sum y^2.
extern "C" __global__ void __launch_bounds__(THREADS) moments(const moments_job *jobs, const Step *step) {
    const moments_job &job = jobs[blockIdx.z];
    double *out = job.sums + (size_t)blockIdx.x * 2 * job.channels;
    sum_pixels(MomentSum{job.y}, step->images, job.pixels, job.channels, out);
}

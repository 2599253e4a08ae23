// Mean over pixels, linear layer, softmax and cross-entropy, forward and back: of the network and of its auxiliary head.
//
// Shared memory: of `head` four channels a thread, `4 * THREADS` doubles; of `outcome` `2 * THREADS`.
#include "fold.cuh"
#include "quad.cuh"

// Means over the pixels of an image, after the ReLU of the auxiliary head, before the coefficients of the head (a mean of
// `a y + b` is that of y through them).
__device__ __forceinline__ void mean_features(const head_job &job, u32 image) {
    const View &source = job.source;
    const float inverse = 1.0f / (float)job.pixels;
    float *features = job.features + (size_t)image * job.channels;
    for (u32 first = 0; first < job.channels; first += 4 * THREADS) {
        const Lanes place(min(THREADS, (job.channels - first) / 4));
        const u32 channel = first + 4 * place.column;
        double sums[4] = {};
        if (place.lane < place.lanes) {
#pragma unroll 4
            for (u32 pixel = place.lane; pixel < job.pixels; pixel += place.lanes) {
                const float4 v = job.auxiliary ? relu4(value4(source, image, pixel, channel))
                                               : load4(address(source.y, image, pixel) + channel);
                sums[0] += (double)v.x;
                sums[1] += (double)v.y;
                sums[2] += (double)v.z;
                sums[3] += (double)v.w;
            }
        }
        fold(sums, place);
        if (place.lane != 0) continue;
        float4 mean = times4(make_float4((float)sums[0], (float)sums[1], (float)sums[2], (float)sums[3]), inverse);
        if (source.a && !job.auxiliary) mean = fma4(load4(source.a + channel), mean, load4(source.b + channel));
        store4(features + channel, mean);
    }
    __syncthreads();
}

// A warp a class.
__device__ __forceinline__ void linear(const head_job &job, u32 image) {
    const float *features = job.features + (size_t)image * job.channels;
    const u32 lane = threadIdx.x % 32;
    for (u32 of = threadIdx.x / 32; of < job.classes; of += THREADS / 32) {
        const float *row = job.weight + (size_t)of * job.channels;
        float4 products = zero4();
#pragma unroll 4
        for (u32 channel = 4 * lane; channel < job.channels; channel += 4 * 32) {
            products = fma4(load4(row + channel), load4(features + channel), products);
        }
        float sum = (products.x + products.y) + (products.z + products.w);
#pragma unroll
        for (u32 other = 16; other > 0; other /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, other);
        if (lane == 0) job.logits[(size_t)image * job.classes + of] = job.bias[of] + sum;
    }
    __syncthreads();
}

// The largest of `count` numbers, for every thread to have.
__device__ __forceinline__ float largest_of(const float *values, u32 count) {
    float largest = -INFINITY;
    for (u32 i = threadIdx.x; i < count; i += THREADS) largest = fmaxf(largest, values[i]);
#pragma unroll
    for (u32 other = 16; other > 0; other /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, other));
    float *room = reinterpret_cast<float *>(SHARED_MEMORY);
    if (threadIdx.x % 32 == 0) room[threadIdx.x / 32] = largest;
    __syncthreads();
    for (u32 warp = 0; warp < THREADS / 32; ++warp) largest = fmaxf(largest, room[warp]);
    __syncthreads();
    return largest;
}

// Loss, whether the image is classified correctly, and the gradient of the logits.
__device__ __forceinline__ void cross_entropy(const head_job &job, u32 image, const Step *step) {
    const float *logits = job.logits + (size_t)image * job.classes;
    float *gradients = job.logit_gradients + (size_t)image * job.classes;
    const u32 label = job.labels[image];
    const double share = job.auxiliary ? (double)step->auxiliary_weight : 1.0;
    const double spread = (double)step->label_smoothing;
    const double certain = 1.0 - spread, even = spread / (double)job.classes;
    const float largest = largest_of(logits, job.classes);
    // Sum of exponentials, sum of logits, and how many classes before the label's have as large a logit as there is.
    double sums[3] = {};
    for (u32 of = threadIdx.x; of < job.classes; of += THREADS) {
        const double below = (double)(logits[of] - largest);
        sums[0] += exp(below);
        sums[1] += below;
        sums[2] += of < label && logits[of] == largest ? 1.0 : 0.0;
    }
    fold_all(sums);
    for (u32 of = threadIdx.x; of < job.classes; of += THREADS) {
        const double target = even + (of == label ? certain : 0.0);
        const double difference = exp((double)(logits[of] - largest)) / sums[0] - target;
        gradients[of] = (float)(share * difference / (double)step->images);
    }
    if (threadIdx.x == 0) {
        // A label that is no class has no logit: its loss is no number, and no weight moves.
        const float found = label < job.classes ? logits[label] : -INFINITY;
        const double loss = log(sums[0]) - certain * (double)(found - largest) - even * sums[1];
        const bool correct = found == largest && sums[2] == 0.0 && !job.auxiliary;
        job.results[2 * image] = share * loss;
        job.results[2 * image + 1] = correct ? 1.0 : 0.0;
    }
    __syncthreads();
}

// The gradient of the source, the same for every pixel but for the ReLU of the auxiliary head.
__device__ __forceinline__ void source_gradient(const head_job &job, u32 image) {
    const float inverse = 1.0f / (float)job.pixels;
    const float *gradients = job.logit_gradients + (size_t)image * job.classes;
    for (u32 first = 0; first < job.channels; first += 4 * THREADS) {
        const Lanes place(min(THREADS, (job.channels - first) / 4));
        if (place.lane >= place.lanes) continue;
        const u32 channel = first + 4 * place.column;
        float4 sum = zero4();
#pragma unroll 4
        for (u32 of = 0; of < job.classes; ++of) {
            const float g = gradients[of];
            const float4 weight = load4(job.weight + (size_t)of * job.channels + channel);
            sum = fma4(make_float4(g, g, g, g), weight, sum);
        }
        sum = times4(sum, inverse);
        for (u32 pixel = place.lane; pixel < job.pixels; pixel += place.lanes) {
            const float4 g = job.auxiliary ? where_positive4(value4(job.source, image, pixel, channel), sum) : sum;
            store4(address(job.gradient, image, pixel) + channel, g);
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) head(const head_job *jobs, const Step *step) {
    const head_job &job = jobs[blockIdx.z];
    const u32 image = blockIdx.x;
    if (image >= step->images || !step->train) {
        if (threadIdx.x < 2) job.results[2 * image + threadIdx.x] = 0.0;
        if (image >= step->images) return;
    }
    mean_features(job, image);
    linear(job, image);
    if (!step->train) return;
    cross_entropy(job, image, step);
    source_gradient(job, image);
}

// A thread a class and channel, images in order.
extern "C" __global__ void __launch_bounds__(THREADS) classifier_gradient(const classifier_gradient_job *jobs,
                                                                          const Step *step) {
    const classifier_gradient_job &job = jobs[blockIdx.z];
    const u32 at = blockIdx.x * THREADS + threadIdx.x;
    const u32 of = at / job.channels, channel = at % job.channels;
    if (of >= job.classes || !step->want_weights) return;
    float weight = 0.0f, bias = 0.0f;
#pragma unroll 8
    for (u32 image = 0; image < step->images; ++image) {
        const float g = job.logit_gradients[(size_t)image * job.classes + of];
        weight = fmaf(g, job.features[(size_t)image * job.channels + channel], weight);
        bias += g;
    }
    job.weight[at] = weight;
    if (channel == 0) job.bias[of] = bias;
}

// Mean loss over the images, and how many are classified correctly.
extern "C" __global__ void __launch_bounds__(THREADS) outcome(const outcome_job *jobs, const Step *step) {
    const outcome_job &job = jobs[blockIdx.z];
    double sums[2] = {};
    for (u32 image = threadIdx.x; image < step->images; image += THREADS) {
        sums[0] += job.results[2 * image];
        sums[1] += job.results[2 * image + 1];
        if (job.auxiliary) sums[0] += job.auxiliary[2 * image];
    }
    fold_all(sums);
    if (threadIdx.x != 0) return;
    job.outcome[0] = sums[0] / (double)step->images;
    job.outcome[1] = sums[1];
}

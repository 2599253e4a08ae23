// Gradients from their partial sums, the norm of all of them, stochastic gradient descent, and averages of weights.
//
// Shared memory of `squares`: `THREADS` doubles.
#include "fold.cuh"

// A thread a value, splits in order.
extern "C" __global__ void __launch_bounds__(THREADS) reduce(const reduce_job *jobs, const Step *) {
    const reduce_job &job = jobs[blockIdx.z];
    const u32 at = blockIdx.x * THREADS + threadIdx.x;
    if (at >= job.len) return;
    float sum = 0.0f;
    // Below `first` wraps around to more than any number kept.
    if (job.columns == 0 || at % job.columns - job.first < job.kept) {
#pragma unroll 8
        for (u32 split = 0; split < job.splits; ++split) sum += job.partials[(size_t)split * job.stride + at];
    }
    job.out[at] = sum;
}

// Sum g^2 of a block's share of the gradients.
extern "C" __global__ void __launch_bounds__(THREADS) squares(const squares_job *jobs, const Step *) {
    const squares_job &job = jobs[blockIdx.z];
    const Share share = share_of((u32)(job.len / 4), blockIdx.x, gridDim.x);
    double sums[1] = {0.0};
#pragma unroll 4
    for (u32 quad = share.first + threadIdx.x; quad < share.last; quad += THREADS) {
        const float4 g = load4(job.gradients + (size_t)quad * 4);
        const double x = (double)g.x, y = (double)g.y, z = (double)g.z, w = (double)g.w;
        sums[0] += (x * x + y * y) + (z * z + w * w);
    }
    fold(sums, Lanes(1));
    if (threadIdx.x == 0) job.partials[blockIdx.x] = sums[0];
}

// What a step of descent is the same for every weight.
struct Descent {
    float scale;
    float momentum;
    float weight_decay;
    float rate;
    bool nesterov;

    __device__ __forceinline__ void move(float &weight, float &velocity, float gradient) const {
        const float direction = gradient * scale + weight_decay * weight;
        velocity = momentum * velocity + direction;
        weight -= rate * (nesterov ? direction + momentum * velocity : velocity);
    }
};

// A thread four weights. Every warp adds up the partial sums by itself, all in the same order.
extern "C" __global__ void __launch_bounds__(THREADS) descend(const descend_job *jobs, const Step *step) {
    const descend_job &job = jobs[blockIdx.z];
    double sum = 0.0;
    for (u32 split = threadIdx.x % 32; split < job.splits; split += 32) sum += job.partials[split];
#pragma unroll
    for (u32 other = 16; other > 0; other /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, other);
    const double norm = sqrt(sum);
    if (blockIdx.x == 0 && threadIdx.x == 0) job.outcome[2] = norm;
    const size_t at = 4 * ((size_t)blockIdx.x * THREADS + threadIdx.x);
    if (at >= job.len || !isfinite(norm) || !isfinite(job.outcome[0])) return;
    const float scale = (float)fmin((double)step->clip / (norm + 1e-6), 1.0);
    const Descent descent = {scale, step->momentum, step->weight_decay, step->learning_rate, step->nesterov != 0};
    const float4 g = load4(job.gradients + at);
    float4 weight = load4(job.weights + at), velocity = load4(job.velocity + at);
    descent.move(weight.x, velocity.x, g.x);
    descent.move(weight.y, velocity.y, g.y);
    descent.move(weight.z, velocity.z, g.z);
    descent.move(weight.w, velocity.w, g.w);
    store4(job.weights + at, weight);
    store4(job.velocity + at, velocity);
}

// A thread four values.
extern "C" __global__ void __launch_bounds__(THREADS) follow(const follow_job *jobs, const Step *step) {
    const follow_job &job = jobs[blockIdx.z];
    const size_t at = 4 * ((size_t)blockIdx.x * THREADS + threadIdx.x);
    if (at >= job.len) return;
    const float share = step->share;
    const float4 value = load4(job.values + at);
    float4 average = load4(job.average + at);
    average.x += share * (value.x - average.x);
    average.y += share * (value.y - average.y);
    average.z += share * (value.z - average.z);
    average.w += share * (value.w - average.w);
    store4(job.average + at, average);
}

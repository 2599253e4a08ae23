// Batch normalisation as coefficients per channel.
//
// Forward: `out = a y + b`, `a = scale / deviation`, `b = shift - a mean`. Backward, with G the gradient of `out` over all
// pixels of the batch and `x = (y - mean) / deviation`: `dy = a G + B y + D`, `B = -a mean(G x) / deviation`,
// `D = -a mean(G) - B mean`.
//
// Shared memory of `norm_forward` and `norm_backward`: two sums a channel, `2 * THREADS` doubles.
#include "fold.cuh"

constexpr double EPSILON = 1e-5;
constexpr double STATISTICS_MOMENTUM = 0.1;

// Sums over splits, the splits shared out over the lanes of a channel; lane 0 gets them. All threads take part.
template <u32 N>
__device__ __forceinline__ void totals(const Sums (&of)[N], const Lanes &place, u32 channel, double (&sums)[N]) {
    u32 splits = 0;
#pragma unroll
    for (u32 i = 0; i < N; ++i) {
        sums[i] = 0.0;
        splits = max(splits, of[i].splits);
    }
    if (place.lane < place.lanes) {
#pragma unroll 8
        for (u32 split = place.lane; split < splits; split += place.lanes) {
#pragma unroll
            for (u32 i = 0; i < N; ++i)
                if (split < of[i].splits) sums[i] += global(of[i].at)[(size_t)split * of[i].stride + channel];
        }
    }
    fold(sums, place);
}

__device__ __forceinline__ float blend(float running, double batch) {
    return (float)((double)running + STATISTICS_MOMENTUM * (batch - (double)running));
}

// `a`, `b`, `mean` and `deviation` from the batch in training, else from the running statistics.
extern "C" __global__ void __launch_bounds__(THREADS) norm_forward(const norm_forward_job *jobs, const Step *step) {
    const norm_forward_job &job = jobs[blockIdx.z];
    const Norm &norm = job.norm;
    const double count = (double)norm.pixels * (double)step->images;
    for (u32 first = 0; first < norm.channels; first += THREADS) {
        const Lanes place(min(THREADS, norm.channels - first));
        const u32 channel = first + place.column;
        double sums[2] = {0.0, 0.0};
        if (step->train) {
            const Sums of[2] = {job.moments, {job.moments.at + norm.channels, job.moments.splits, job.moments.stride}};
            totals(of, place, channel, sums);
        }
        if (place.lane != 0) continue;
        double mean, variance;
        if (step->train) {
            mean = sums[0] / count;
            variance = fmax(sums[1] / count - mean * mean, 0.0);
            if (step->want_weights) {
                const double unbiased = variance * count / fmax(count - 1.0, 1.0);
                norm.running_mean[channel] = blend(norm.running_mean[channel], mean);
                norm.running_variance[channel] = blend(norm.running_variance[channel], unbiased);
            }
        } else {
            mean = (double)norm.running_mean[channel];
            variance = (double)norm.running_variance[channel];
        }
        const double inverse = 1.0 / sqrt(variance + EPSILON);
        const double a = (norm.scale ? (double)norm.scale[channel] : 1.0) * inverse;
        const double shift = norm.shift ? (double)norm.shift[channel] : 0.0;
        norm.a[channel] = (float)a;
        norm.b[channel] = (float)(shift - a * mean);
        norm.mean[channel] = (float)mean;
        norm.deviation[channel] = (float)inverse;
    }
}

// `B`, `D` and the gradients of scale and shift from sum G and sum G y.
__device__ __forceinline__ void norm_back(const Norm &norm, u32 channel, double sum, double product, const Step *step) {
    const double a = (double)norm.a[channel], mean = (double)norm.mean[channel];
    const double inverse = (double)norm.deviation[channel];
    const double count = (double)norm.pixels * (double)step->images;
    const double normalised = inverse * (product - mean * sum);
    const double b = -a * inverse * normalised / count;
    norm.back_y[channel] = (float)b;
    norm.back_shift[channel] = (float)(-a * sum / count - b * mean);
    if (!step->want_weights) return;
    if (norm.scale_gradient) norm.scale_gradient[channel] = (float)normalised;
    if (norm.shift_gradient) norm.shift_gradient[channel] = (float)sum;
}

// Every contribution's `A` and share of its op weight's gradient; then, over all of them, what the normalisation needs.
extern "C" __global__ void __launch_bounds__(THREADS) norm_backward(const norm_backward_job *jobs, const Step *step) {
    const norm_backward_job &job = jobs[blockIdx.z];
    const Norm &norm = job.norm;
    for (u32 first = 0; first < job.channels; first += THREADS) {
        const Lanes place(min(THREADS, job.channels - first));
        const u32 channel = first + place.column;
        const double a = norm.a ? (double)norm.a[channel] : 1.0, b = norm.b ? (double)norm.b[channel] : 0.0;
        double sum = 0.0, product = 0.0;
        for (u32 k = 0; k < job.count; ++k) {
            const Contribution &from = job.contributions[k];
            const bool drops = from.kept.at && step->drop_path > 0.0f;
            const double kept = drops ? (double)step->kept_scale : 1.0;
            const double weight = (from.op_weight ? (double)*from.op_weight : 1.0) * kept;
            const Sums of[2] = {drops ? from.kept : from.sum, from.product};
            double sums[2];
            totals(of, place, channel, sums);
            double share[1] = {0.0};
            if (place.lane == 0) {
                share[0] = kept * (a * sums[1] + b * sums[0]);
                sum += weight * sums[0];
                product += weight * sums[1];
                if (from.back) from.back[channel] = (float)(weight * a);
            }
            if (from.op_weight_gradient && step->want_op_weights) {
                fold(share, Lanes(1));
                if (threadIdx.x == 0) *from.op_weight_gradient += share[0];
            }
        }
        if (norm.back_y && place.lane == 0) norm_back(norm, channel, sum, product, step);
    }
}

// The alphas of a search: from the gradient in the op weights to that in the alphas and the logits of edges, Adam, and the op weights
// of where it ends. All in f64, by one block; what one thread does, it does in the order in which the processor does it.
//
// Shared memory: a sum, `THREADS` doubles.
#include "fold.cuh"

constexpr double ADAM_EPSILON = 1e-8;

// `out = exp(values / temperature) / sum`, without `skipped` (`count`: with all).
__device__ __forceinline__ void softmax(const double *values, u32 count, u32 skipped, double temperature, double *out) {
    double largest = -INFINITY, sum = 0.0;
    for (u32 i = 0; i < count; ++i) {
        if (i != skipped) largest = fmax(largest, values[i]);
    }
    for (u32 i = 0; i < count; ++i) {
        if (i == skipped) continue;
        out[i] = exp((values[i] - largest) / temperature);
        sum += out[i];
    }
    for (u32 i = 0; i < count; ++i) {
        if (i != skipped) out[i] /= sum;
    }
}

// The weights of a node's edges, which add up to 2 and are at most 1; the edge that this holds at 1, or `count`.
__device__ __forceinline__ u32 edge_weights(const double *logits, u32 count, double temperature, double *weight) {
    softmax(logits, count, count, temperature, weight);
    u32 held = 0;
    while (held < count && !(2.0 * weight[held] > 1.0)) ++held;
    if (held == count) {
        for (u32 i = 0; i < count; ++i) weight[i] *= 2.0;
        return held;
    }
    softmax(logits, count, held, temperature, weight);
    weight[held] = 1.0;
    return held;
}

// Whether the edges of a node have anything to share out.
__device__ __forceinline__ bool anneals(const alphas_job &job, const Group &node) { return job.logits && node.count > 2; }

// `phi` of every operation and the weight of every edge.
__device__ __forceinline__ void weigh(const alphas_job &job, double temperature) {
    for (u32 i = threadIdx.x; i < job.edges_count; i += THREADS) {
        const Group edge = job.edges[i];
        softmax(job.parameters + edge.first, edge.count, edge.count, temperature, job.phi + edge.first);
    }
    for (u32 i = threadIdx.x; i < job.nodes_count; i += THREADS) {
        const Group node = job.nodes[i];
        double *weight = job.weight + node.first;
        if (anneals(job, node)) {
            edge_weights(job.parameters + job.alphas + node.first, node.count, temperature, weight);
        } else {
            for (u32 j = 0; j < node.count; ++j) weight[j] = 1.0;
        }
    }
    __syncthreads();
}

// The gradient in the alphas of an edge.
__device__ __forceinline__ void alpha_gradient(const alphas_job &job, u32 at, double temperature) {
    const Group edge = job.edges[at];
    const double weight = job.weight[at];
    const double *phi = job.phi + edge.first, *in_weights = job.op_weight_gradients + edge.first;
    double slope = 0.0, mean = 0.0;
    for (u32 i = 0; i < edge.count; ++i) slope += phi[i] * in_weights[i];
    for (u32 i = 0; i < edge.count; ++i) mean += phi[i] * (weight * in_weights[i]);
    for (u32 i = 0; i < edge.count; ++i) {
        job.gradient[edge.first + i] = phi[i] / temperature * (weight * in_weights[i] - mean);
    }
    job.slope[at] = slope;
}

// The gradient in the logits of a node's edges. What an edge weighs is put there anew, so that the shares are known.
__device__ __forceinline__ void logit_gradient(const alphas_job &job, u32 at, double temperature) {
    const Group node = job.nodes[at];
    double *gradient = job.gradient + job.alphas + node.first, *weight = job.weight + node.first;
    const double *slope = job.slope + node.first;
    if (!anneals(job, node)) {
        for (u32 i = 0; i < node.count; ++i) gradient[i] = 0.0;
        return;
    }
    const u32 held = edge_weights(job.parameters + job.alphas + node.first, node.count, temperature, weight);
    // Without an edge held, weights are two shares each.
    const double shares = held == node.count ? 2.0 : 1.0;
    double mean = 0.0;
    for (u32 i = 0; i < node.count; ++i) {
        if (i != held) mean += weight[i] / shares * slope[i];
    }
    for (u32 i = 0; i < node.count; ++i) {
        gradient[i] = i == held ? 0.0 : shares * (weight[i] / shares / temperature * (slope[i] - mean));
    }
}

__device__ __forceinline__ void adam(const alphas_job &job, const Step *step, u32 at, double scale) {
    double parameter = job.parameters[at];
    const double gradient = job.gradient[at] * scale + step->alpha_decay * parameter;
    const double mean = step->mean_kept * job.mean[at] + (1.0 - step->mean_kept) * gradient;
    const double square = step->square_kept * job.square[at] + (1.0 - step->square_kept) * gradient * gradient;
    const double size = sqrt(square) / step->square_scale + ADAM_EPSILON;
    job.parameters[at] = parameter - step->alpha_rate * mean / size;
    job.mean[at] = mean;
    job.square[at] = square;
}

extern "C" __global__ void __launch_bounds__(THREADS) alphas(const alphas_job *jobs, const Step *step) {
    const alphas_job &job = jobs[blockIdx.z];
    const double temperature = step->temperature;
    const u32 parameters = job.alphas + (job.logits ? job.edges_count : 0);
    weigh(job, temperature);
    for (u32 i = threadIdx.x; i < job.edges_count; i += THREADS) alpha_gradient(job, i, temperature);
    __syncthreads();
    if (job.logits) {
        for (u32 i = threadIdx.x; i < job.nodes_count; i += THREADS) logit_gradient(job, i, temperature);
    }
    __syncthreads();
    double sums[1] = {0.0};
    for (u32 i = threadIdx.x; i < parameters; i += THREADS) sums[0] += job.gradient[i] * job.gradient[i];
    fold_all(sums);
    const double norm = sqrt(sums[0]);
    if (threadIdx.x == 0) job.outcome[2] = norm;
    if (isfinite(norm) && isfinite(job.outcome[0])) {
        const double scale = fmin((double)step->clip / (norm + 1e-6), 1.0);
        for (u32 i = threadIdx.x; i < parameters; i += THREADS) adam(job, step, i, scale);
    }
    __syncthreads();
    weigh(job, temperature);
    for (u32 i = threadIdx.x; i < job.edges_count; i += THREADS) {
        const Group edge = job.edges[i];
        for (u32 at = edge.first; at < edge.first + edge.count; ++at) job.op_weights[at] = (float)(job.weight[i] * job.phi[at]);
    }
}

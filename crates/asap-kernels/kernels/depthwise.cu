// The gradient of a bank's source through its depthwise convolutions, all of them gathered into one sum, and through ReLU.
//
// A block has 8 x 8 pixels of the source and up to 32 channels: for each convolution it loads what depends on these pixels into
// shared memory and adds every tap's share.
#include "tensor.cuh"

constexpr u32 GATHER_SIDE = 8;
constexpr u32 GATHER_CHUNK = 32;

// Outputs of a convolution, along one axis, that read the pixels `first..first + 8`: the first of them, and how many.
struct Reach {
    int first;
    u32 count;

    __device__ __forceinline__ Reach(u32 pixel, int padding, u32 stride)
        : first(stride == 1 ? (int)pixel - padding : ((int)pixel - padding) >> 1),
          count(stride == 1 ? GATHER_SIDE + 2 * padding : (GATHER_SIDE - 1 + 2 * padding) / 2 + 2) {}
};

template <u32 KERNEL>
__device__ __forceinline__ float4 gathered(const Depthwise &convolution, const float *z, const Reach &down, const Reach &across,
                                           u32 y, u32 x, u32 stride, u32 channel, u32 channels, u32 quad, u32 count) {
    const int padding = (int)((KERNEL - 1) / 2 * convolution.dilation);
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll
    for (u32 ky = 0; ky < KERNEL; ++ky) {
        const int row = (int)y + padding - (int)(ky * convolution.dilation);
        if (stride == 2 && (row & 1)) continue;
        const u32 from = (u32)((stride == 1 ? row : row >> 1) - down.first) * across.count;
#pragma unroll
        for (u32 kx = 0; kx < KERNEL; ++kx) {
            const int column = (int)x + padding - (int)(kx * convolution.dilation);
            if (stride == 2 && (column & 1)) continue;
            const u32 pixel = from + (u32)((stride == 1 ? column : column >> 1) - across.first);
            const float4 w = load4(convolution.weights + (size_t)(ky * KERNEL + kx) * channels + channel);
            sum = fma4(w, load4(z + (size_t)pixel * count + 4 * quad), sum);
        }
    }
    return sum;
}

// Shared memory: z[reach reach][chunk], the largest reach of all convolutions. Grid: squares of 8 x 8 source pixels of the batch, groups
// of 32 channels, jobs.
extern "C" __global__ void __launch_bounds__(THREADS) depthwise_gradient(const depthwise_gradient_job *jobs, const Step *step) {
    const depthwise_gradient_job &job = jobs[blockIdx.z];
    const u32 across_squares = (job.width + GATHER_SIDE - 1) / GATHER_SIDE;
    const u32 down_squares = (job.height + GATHER_SIDE - 1) / GATHER_SIDE;
    const u32 image = blockIdx.x / (across_squares * down_squares), rest = blockIdx.x % (across_squares * down_squares);
    const u32 first = blockIdx.y * GATHER_CHUNK;
    if (image >= step->images || first >= job.channels) return;
    const u32 top = rest / across_squares * GATHER_SIDE, left = rest % across_squares * GATHER_SIDE;
    const u32 count = job.channels - first < GATHER_CHUNK ? job.channels - first : GATHER_CHUNK, quads = count / 4;
    const int out_height = (int)((job.height + job.stride - 1) / job.stride), out_width = (int)((job.width + job.stride - 1) / job.stride);
    float *z = reinterpret_cast<float *>(SHARED_MEMORY);
    // 64 pixels of at most 8 quads: two for each thread.
    float4 sums[2];
    sums[0] = sums[1] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    for (u32 c = 0; c < job.count; ++c) {
        const Depthwise &convolution = job.convolutions[c];
        const int padding = (int)((convolution.kernel - 1) / 2 * convolution.dilation);
        const Reach down(top, padding, job.stride), across(left, padding, job.stride);
        for (u32 i = threadIdx.x; i < down.count * across.count * quads; i += THREADS) {
            const u32 quad = i % quads, pixel = i / quads;
            const int y = down.first + (int)(pixel / across.count), x = across.first + (int)(pixel % across.count);
            float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (y >= 0 && x >= 0 && y < out_height && x < out_width)
                v = load4(address(convolution.z, image, (u32)(y * out_width + x)) + first + 4 * quad);
            store4(z + (size_t)pixel * count + 4 * quad, v);
        }
        __syncthreads();
#pragma unroll
        for (u32 n = 0; n < 2; ++n) {
            const u32 i = threadIdx.x + n * THREADS;
            if (i >= GATHER_SIDE * GATHER_SIDE * quads) break;
            const u32 quad = i % quads, pixel = i / quads, y = top + pixel / GATHER_SIDE, x = left + pixel % GATHER_SIDE;
            const u32 channel = first + 4 * quad;
            sums[n] = add4(sums[n], convolution.kernel == 3 ? gathered<3>(convolution, z, down, across, y, x, job.stride, channel,
                                                                          job.channels, quad, count)
                                                            : gathered<5>(convolution, z, down, across, y, x, job.stride, channel,
                                                                          job.channels, quad, count));
        }
        __syncthreads();
    }
#pragma unroll
    for (u32 n = 0; n < 2; ++n) {
        const u32 i = threadIdx.x + n * THREADS;
        if (i >= GATHER_SIDE * GATHER_SIDE * quads) break;
        const u32 pixel = i / quads, y = top + pixel / GATHER_SIDE, x = left + pixel % GATHER_SIDE;
        if (y >= job.height || x >= job.width) continue;
        const u32 place = y * job.width + x, channel = first + 4 * (i % quads);
        float4 sum = sums[n];
        if (job.extra.at) sum = add4(sum, load4(address(job.extra, image, place) + channel));
        sum = where_positive4(value4(job.source, image, place, channel), sum);
        float *out = address(job.out, image, place) + channel;
        store4(out, job.add ? add4(load4(out), sum) : sum);
    }
}

// The gradient of a bank's source through its depthwise convolutions, all of them gathered into one sum, and through ReLU; with the sums
// that the normalisation before it needs.
//
// A block computes squares of 8 x 8 pixels of the source one after another, up to 32 channels of them: for each convolution it loads what
// depends on these pixels into shared memory and adds every tap's share.
#include "fold.cuh"
#include "square.cuh"

// Along one axis, the outputs of a convolution that read the pixels of a square: how many, and where the first lies from the output at
// the square's first pixel.
struct Reach {
    u32 count;
    int first;

    __device__ __forceinline__ Reach(const Depthwise &convolution, u32 stride) {
        const int padding = (int)((convolution.kernel - 1) / 2 * convolution.dilation);
        count = stride == 1 ? SIDE + 2 * padding : (SIDE - 1 + 2 * padding) / 2 + 2;
        first = stride == 1 ? -padding : (-padding) >> 1;
    }
};

// What a convolution of stride 2 hands back to row `row` of a square. A square begins at even pixels, so it is known of each tap which
// columns it reaches.
template <u32 KERNEL, u32 DILATION>
__device__ __forceinline__ void hand_back(float (&out)[SIDE], const float *z, u32 line, u32 count, const float *w, u32 row) {
    constexpr int PADDING = (KERNEL - 1) / 2 * DILATION, FIRST = (-PADDING) >> 1;
    constexpr u32 READS = (SIDE - 1 + 2 * PADDING) / 2 + 2;
#pragma unroll 1
    for (u32 ky = 0; ky < KERNEL; ++ky) {
        const int y = (int)row + PADDING - (int)(ky * DILATION);
        if (y & 1) continue;
        const float *x = z + (size_t)(u32)((y >> 1) - FIRST) * line;
        float reads[READS];
#pragma unroll
        for (u32 i = 0; i < READS; ++i) reads[i] = x[i * count];
#pragma unroll
        for (u32 kx = 0; kx < KERNEL; ++kx) {
            const float tap = w[(ky * KERNEL + kx) * count];
#pragma unroll
            for (u32 i = 0; i < SIDE; ++i) {
                const int column = (int)i + PADDING - (int)(kx * DILATION);
                if (column % 2 == 0) out[i] = fmaf(tap, reads[(column >> 1) - FIRST], out[i]);
            }
        }
    }
}

// Shared memory: z[reach][pitch][chunk] of the largest reach, taps[25][chunk]; at least 4096 bytes. Grid: splits, groups of 32 channels,
// jobs.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) depthwise_gradient(const depthwise_gradient_job *jobs, const Step *step) {
    const depthwise_gradient_job &job = jobs[blockIdx.z];
    const u32 first = blockIdx.y * CHUNK, stride = job.stride;
    if (first >= job.channels) return;
    const u32 count = job.channels - first < CHUNK ? job.channels - first : CHUNK;
    const u32 out_height = (job.height + stride - 1) / stride, out_width = (job.width + stride - 1) / stride;
    float *taps = reinterpret_cast<float *>(SHARED_MEMORY), *tile = taps + 25 * count;
    const Line line(count);
    const u32 channel = first + line.channel;
    const float a = job.source.a ? job.source.a[channel] : 1.0f, b = job.source.a ? job.source.b[channel] : 0.0f;
    double sums[2] = {0.0, 0.0};
    const Share share = share_of(squares(step->images, job.height, job.width), blockIdx.x, gridDim.x);
    for (u32 index = share.first; index < share.last; ++index) {
        const Square square(index, job.height, job.width);
        float out[SIDE] = {};
        for (u32 c = 0; c < job.count; ++c) {
            const Depthwise &convolution = job.convolutions[c];
            const Reach reach(convolution, stride);
            const Walk walk(reach.count, count);
            const Around<false> around({convolution.z, nullptr, nullptr}, square.image, first + walk.channel,
                                       (int)(square.top / stride) + reach.first, (int)(square.left / stride) + reach.first,
                                       out_height, out_width);
            Batch batch;
            Walk ahead = walk;
            batch.load(ahead, around);
            // The tile before is still read.
            __syncthreads();
            load_taps(taps, convolution.weights, convolution.kernel * convolution.kernel, job.channels, first, count);
            finish_tile(tile, batch, walk, around);
            __syncthreads();
            if (!line.works()) continue;
            const u32 row = pitch_of(reach.count) * count;
            const float *z = tile + line.channel, *w = taps + line.channel, *own = z + line.row * row;
            switch (convolution.kernel * 4 + convolution.dilation * 2 + stride) {
            case 3 * 4 + 1 * 2 + 1: Convolve<3, 1, 1, true>::run(out, own, row, count, w); break;
            case 3 * 4 + 2 * 2 + 1: Convolve<3, 2, 1, true>::run(out, own, row, count, w); break;
            case 5 * 4 + 1 * 2 + 1: Convolve<5, 1, 1, true>::run(out, own, row, count, w); break;
            case 5 * 4 + 2 * 2 + 1: Convolve<5, 2, 1, true>::run(out, own, row, count, w); break;
            case 3 * 4 + 1 * 2 + 2: hand_back<3, 1>(out, z, row, count, w, line.row); break;
            case 3 * 4 + 2 * 2 + 2: hand_back<3, 2>(out, z, row, count, w, line.row); break;
            case 5 * 4 + 1 * 2 + 2: hand_back<5, 1>(out, z, row, count, w, line.row); break;
            default: hand_back<5, 2>(out, z, row, count, w, line.row);
            }
        }
        if (!line.works()) continue;
        float y[SIDE], extra[SIDE], before[SIDE];
#pragma unroll
        for (u32 i = 0; i < SIDE; ++i) {
            y[i] = extra[i] = before[i] = 0.0f;
            if (!square.holds(line.row, i)) continue;
            const u32 place = square.place(line.row, i);
            y[i] = address(job.source.y, square.image, place)[channel];
            if (job.extra.at) extra[i] = address(job.extra, square.image, place)[channel];
            if (job.add) before[i] = address(job.out, square.image, place)[channel];
        }
#pragma unroll
        for (u32 i = 0; i < SIDE; ++i) {
            if (!square.holds(line.row, i)) continue;
            const float source = job.source.a ? fmaf(a, y[i], b) : y[i];
            const float gradient = before[i] + (source > 0.0f ? out[i] + extra[i] : 0.0f);
            address(job.out, square.image, square.place(line.row, i))[channel] = gradient;
            sums[0] += (double)gradient;
            sums[1] += (double)gradient * (double)y[i];
        }
    }
    if (!job.sums) return;
    // What is folded lies where the tiles were.
    __syncthreads();
    fold(sums, Lanes(count));
    if (threadIdx.x >= count) return;
    double *to = job.sums + (size_t)blockIdx.x * 2 * job.channels + channel;
    to[0] = sums[0];
    to[job.channels] = sums[1];
}

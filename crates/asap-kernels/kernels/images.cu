// A batch from a set of images in bytes: shifted, mirrored, normalised through a table, with a square cut out.
#include "tensor.cuh"

// ChaCha with 8 rounds: its words in order, under a key of four numbers.
struct ChaCha8 {
    u32 key[8], words[16], block, used;

    __device__ __forceinline__ ChaCha8(const u64 (&numbers)[4]) : block(0) {
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            key[2 * i] = (u32)numbers[i];
            key[2 * i + 1] = (u32)(numbers[i] >> 32);
        }
        fill();
    }

    static __device__ __forceinline__ u32 turned(u32 word, u32 bits) { return word << bits | word >> (32 - bits); }

    __device__ __forceinline__ void quarter(u32 a, u32 b, u32 c, u32 d) {
        words[a] += words[b];
        words[d] = turned(words[d] ^ words[a], 16);
        words[c] += words[d];
        words[b] = turned(words[b] ^ words[c], 12);
        words[a] += words[b];
        words[d] = turned(words[d] ^ words[a], 8);
        words[c] += words[d];
        words[b] = turned(words[b] ^ words[c], 7);
    }

    __device__ __forceinline__ void fill() {
        const u32 before[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1], key[2], key[3],
                                key[4],     key[5],     key[6],     key[7],     block,  0,      0,      0};
#pragma unroll
        for (u32 i = 0; i < 16; ++i) words[i] = before[i];
#pragma unroll
        for (u32 two_rounds = 0; two_rounds < 4; ++two_rounds) {
#pragma unroll
            for (u32 i = 0; i < 4; ++i) quarter(i, 4 + i, 8 + i, 12 + i);
#pragma unroll
            for (u32 i = 0; i < 4; ++i) quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
        }
#pragma unroll
        for (u32 i = 0; i < 16; ++i) words[i] += before[i];
        ++block;
        used = 0;
    }

    // Words stay in registers: none is looked up by a number that is not known here.
    __device__ __forceinline__ u32 next() {
        if (used == 16) fill();
        u32 word = 0;
#pragma unroll
        for (u32 i = 0; i < 16; ++i) word = i == used ? words[i] : word;
        ++used;
        return word;
    }

    // From 0 to below `bound`, each as likely (Lemire, arXiv:1805.10941).
    __device__ __forceinline__ int below(u32 bound) {
        const u32 unfair = (0u - bound) % bound;
        u64 product;
        do {
            product = (u64)next() * bound;
        } while ((u32)product < unfair);
        return (int)(product >> 32);
    }
};

// How an image is shown: how far the window lies below and right of it, whether the window is mirrored from left to right, and the
// square that becomes 0.0 afterwards, in places of the batch's image.
struct Placement {
    int down, right, mirrored, top, bottom, left, end;
};

// Every draw is made always, so that one setting does not change what another draws.
__device__ __forceinline__ Placement drawn(const images_job &job, const Variation &variation, u32 image) {
    const u64 key[4] = {variation.seed, variation.purpose, variation.pass, variation.first + image};
    ChaCha8 random(key);
    const int height = (int)job.height, width = (int)job.width, padding = (int)variation.padding, side = (int)variation.cutout;
    Placement placement;
    placement.down = random.below(2 * variation.padding + 1) - padding;
    placement.right = random.below(2 * variation.padding + 1) - padding;
    placement.mirrored = random.below(2) & (int)variation.flip;
    const int row = random.below(job.height), column = random.below(job.width);
    placement.top = max(row - side / 2, 0);
    placement.bottom = min(row + (side + 1) / 2, height);
    placement.left = max(column - side / 2, 0);
    placement.end = min(column + (side + 1) / 2, width);
    return placement;
}

// A thread a pixel. The first threads of a block draw for its images.
extern "C" __global__ void __launch_bounds__(THREADS) images(const images_job *jobs, const Step *step) {
    const images_job &job = jobs[blockIdx.z];
    Placement *placements = reinterpret_cast<Placement *>(SHARED_MEMORY);
    const u32 pixels = job.height * job.width, begin = blockIdx.x * THREADS;
    const u32 first = begin / pixels, last = (begin + THREADS - 1) / pixels;
    if (first + threadIdx.x <= last) placements[threadIdx.x] = drawn(job, step->variation, first + threadIdx.x);
    __syncthreads();
    const u32 at = begin + threadIdx.x, image = at / pixels, pixel = at - image * pixels;
    if (image >= step->images) return;
    const Showing &showing = job.showings[image];
    const Placement &placement = placements[image - first];
    const int row = (int)(pixel / job.width), column = (int)(pixel % job.width);
    const int from_row = row + placement.down;
    const int from_column = (placement.mirrored ? (int)job.width - 1 - column : column) + placement.right;
    const bool inside = from_row >= 0 && from_row < (int)job.height && from_column >= 0 && from_column < (int)job.width;
    const bool cut = row >= placement.top && row < placement.bottom && column >= placement.left && column < placement.end;
    const size_t from = inside ? (size_t)showing.index * pixels + (size_t)from_row * job.width + from_column : 0;
    for (u32 channel = 0; channel < job.channels; ++channel) {
        const u32 byte = inside ? job.set[from * job.channels + channel] : 0;
        job.pixels[(size_t)at * job.channels + channel] = cut ? 0.0f : job.normalised[channel * 256 + byte];
    }
    if (pixel == 0) job.labels[image] = showing.label;
}

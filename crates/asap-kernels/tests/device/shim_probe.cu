// Kernels that try the shim itself. One job: what is read, and where results go.
struct probe_job {
    const float *in;
    float *out;
    unsigned count;
};

// Sums that every block takes through shared memory: `out[block] = sum of in[256 block ..]`.
extern "C" __global__ void __launch_bounds__(256) block_sums(const probe_job *jobs, const void *) {
    float *shared = reinterpret_cast<float *>(asap_dynamic_shared());
    shared[threadIdx.x] = jobs->in[blockIdx.x * blockDim.x + threadIdx.x];
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) jobs->out[blockIdx.x] = shared[0];
}

// The same with a barrier too few.
extern "C" __global__ void block_sums_without_barrier(const probe_job *jobs, const void *) {
    float *shared = reinterpret_cast<float *>(asap_dynamic_shared());
    shared[threadIdx.x] = jobs->in[blockIdx.x * blockDim.x + threadIdx.x];
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) jobs->out[blockIdx.x] = shared[0];
}

// Where every thread is, over a grid of three dimensions.
extern "C" __global__ void places(const probe_job *jobs, const void *) {
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const unsigned place = block * blockDim.x + threadIdx.x;
    jobs->out[place] = static_cast<float>(place + 1);
}

// Shuffles, votes and half warps: eight values a thread.
extern "C" __global__ void warps(const probe_job *jobs, const void *) {
    const unsigned lane = threadIdx.x & 31u;
    const float in = jobs->in[threadIdx.x];
    float *out = jobs->out + 8 * threadIdx.x;
    float sum = in;
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    double wide = in;
    for (unsigned step = 16; step > 0; step /= 2) wide += __shfl_down_sync(0xffffffffu, wide, step);
    out[0] = sum;
    out[1] = static_cast<float>(__shfl_sync(0xffffffffu, wide, 0));
    out[2] = static_cast<float>(__shfl_sync(0xffffffffu, static_cast<int>(lane) - 40, 5));
    out[3] = static_cast<float>(__shfl_sync(0xffffffffu, lane, 3, 8));
    out[4] = static_cast<float>(__ballot_sync(0xffffffffu, lane % 3 == 0) >> 8);
    out[5] = static_cast<float>(__any_sync(0xffffffffu, in > 1e9f));
    // The upper half warp goes another way than the lower, and both at the same time.
    const unsigned half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
    float least = in;
    if (lane < 16) {
        for (int step = 8; step > 0; step /= 2) least = fminf(least, __shfl_xor_sync(half, least, step));
    } else {
        for (int step = 8; step > 0; step /= 2) least = fmaxf(least, __shfl_xor_sync(half, least, step));
    }
    out[6] = least;
    __syncwarp();
    out[7] = __shfl_down_sync(0xffffffffu, in, 4u, 8);
}

// c [16, 8] = a [16, 8] b [8, 8] by the first warp, `a` then `b` row by row in `in`; `count` 0: tf32, 1: bf16.
extern "C" __global__ void tensor_product(const probe_job *jobs, const void *) {
    if (threadIdx.x >= 32) return;
    const float *a = jobs->in, *b = jobs->in + 128;
    const unsigned lane = threadIdx.x & 31u, group = lane >> 2, t = lane & 3u;
    float c[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (jobs->count == 0) {
        const unsigned left[4] = {__float_as_uint(a[8 * group + t]), __float_as_uint(a[8 * (group + 8) + t]),
                                  __float_as_uint(a[8 * group + t + 4]), __float_as_uint(a[8 * (group + 8) + t + 4])};
        const unsigned right[2] = {__float_as_uint(b[8 * t + group]), __float_as_uint(b[8 * (t + 4) + group])};
        asap_mma_tf32(c, left, right);
    } else {
        const float *low = a + 8 * group + 2 * t, *high = low + 64;
        const float *right = b + 16 * t + group;
        const unsigned left[2] = {static_cast<unsigned>(asap_bf16(low[1])) << 16 | asap_bf16(low[0]),
                                  static_cast<unsigned>(asap_bf16(high[1])) << 16 | asap_bf16(high[0])};
        const unsigned both[1] = {static_cast<unsigned>(asap_bf16(right[8])) << 16 | asap_bf16(right[0])};
        asap_mma_bf16(c, left, both);
    }
    float *out = jobs->out + 8 * group + 2 * t;
    out[0] = c[0];
    out[1] = c[1];
    out[64] = c[2];
    out[65] = c[3];
}

// How many blocks have added, and what they added.
extern "C" __global__ void atomics(const probe_job *jobs, const void *) {
    atomicAdd(jobs->out, 1.0f);
    atomicAdd(reinterpret_cast<unsigned *>(jobs->out + 1), 2u);
    atomicAdd(reinterpret_cast<double *>(jobs->out + 2), 3.0);
}

// Shared memory before anything is written to it, and what rounding does to `in`.
extern "C" __global__ void fresh_memory_and_rounding(const probe_job *jobs, const void *) {
    const float *shared = reinterpret_cast<float *>(asap_dynamic_shared());
    if (threadIdx.x != 0) return;
    jobs->out[0] = shared[5];
    // 1 if the product is rounded once, 0 if twice.
    jobs->out[1] = fmaf(jobs->in[0], jobs->in[0], -jobs->in[1]) != 0.0f ? 1.0f : 0.0f;
    // 0 as long as the compiler fuses nothing by itself.
    jobs->out[2] = jobs->in[0] * jobs->in[0] - jobs->in[1];
}

// Half of the threads never reach the barrier.
extern "C" __global__ void divergent_barrier(const probe_job *, const void *) {
    if (threadIdx.x < 100) return;
    __syncthreads();
}

// Every thread reaches a barrier, and not all the same one.
extern "C" __global__ void two_barriers(const probe_job *, const void *) {
    if (threadIdx.x % 2 == 0) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

// One lane is missing.
extern "C" __global__ void missing_lane(const probe_job *jobs, const void *) {
    if (threadIdx.x == 77) return;
    jobs->out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
}

// A lane that is not named.
extern "C" __global__ void unnamed_lane(const probe_job *jobs, const void *) {
    jobs->out[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, 1.0f, 1);
}

// Lanes that are not asked.
extern "C" __global__ void unasked_lane(const probe_job *jobs, const void *) {
    if ((threadIdx.x & 31u) < 16u) jobs->out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1.0f, 20);
}

// One float behind the shared memory.
extern "C" __global__ void beyond_shared_memory(const probe_job *jobs, const void *) {
    reinterpret_cast<float *>(asap_dynamic_shared())[jobs->count + threadIdx.x] = 0.0f;
}

// `count` floats into `out`.
extern "C" __global__ void fill(const probe_job *jobs, const void *) {
    const unsigned place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place < jobs->count) jobs->out[place] = 1.0f;
}

// `count` floats into `out`, all of them from every block.
extern "C" __global__ void fill_from_the_begin(const probe_job *jobs, const void *) {
    if (threadIdx.x < jobs->count) jobs->out[threadIdx.x] = 1.0f;
}

// Neighbours of a warp exchange through shared memory; `count` 1: with a barrier of the warp.
extern "C" __global__ void warp_through_shared_memory(const probe_job *jobs, const void *) {
    const unsigned place = blockIdx.x * blockDim.x + threadIdx.x;
    float *shared = reinterpret_cast<float *>(asap_dynamic_shared());
    shared[threadIdx.x] = jobs->in[place];
    if (jobs->count == 1) __syncwarp();
    jobs->out[place] = shared[threadIdx.x ^ 1u];
}

// `in` at `count`.
extern "C" __global__ void read_behind(const probe_job *jobs, const void *) {
    if (threadIdx.x == 3) jobs->out[blockIdx.x] = jobs->in[jobs->count];
}

// The float of shared memory at `count`.
extern "C" __global__ void read_behind_shared_memory(const probe_job *jobs, const void *) {
    if (threadIdx.x == 3) jobs->out[blockIdx.x] = reinterpret_cast<float *>(asap_dynamic_shared())[jobs->count];
}

// Four floats at once from where they do not lie on a multiple of 16 bytes.
extern "C" __global__ void misaligned(const probe_job *jobs, const void *) {
    const float4 *four = reinterpret_cast<const float4 *>(jobs->in + 1);
    jobs->out[threadIdx.x] = four->x + four->w;
}

// An array of a thread's own, read at `count`.
extern "C" __global__ void beyond_array(const probe_job *jobs, const void *) {
    float values[4] = {1.0f, 2.0f, 3.0f, jobs->in[threadIdx.x]};
    jobs->out[threadIdx.x] = values[jobs->count + threadIdx.x];
}

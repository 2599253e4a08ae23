// Copies, launches, and launches put together.
#include "state.hpp"

using namespace stand_in;

namespace {

constexpr unsigned MOST_THREADS = 1024;
constexpr unsigned MOST_BLOCKS_UP = 65535; // along y and z

CUresult check_range(const char *function, CUdeviceptr address, size_t bytes) {
    if (bytes > 0 && holding(state().device, address, bytes)) return CUDA_SUCCESS;
    return wrong(CUDA_ERROR_INVALID_VALUE, "%s: %zu bytes at %#llx are in no allocation", function, bytes, address);
}

} // namespace

extern "C" CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    if (const CUresult status = check_range(__func__, to, bytes)) return status;
    Item item = {Item::TO_DEVICE, to, const_cast<unsigned char *>(static_cast<const unsigned char *>(from)), bytes};
    return enqueue(__func__, stream, item);
}

extern "C" CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    if (const CUresult status = check_range(__func__, from, bytes)) return status;
    const Item item = {Item::TO_HOST, from, static_cast<unsigned char *>(to), bytes};
    return enqueue(__func__, stream, item);
}

extern "C" CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    if (const CUresult status = check_range(__func__, to, bytes)) return status;
    const Item item = {Item::SET, to, nullptr, bytes, value};
    return enqueue(__func__, stream, item);
}

extern "C" CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                   CUstream stream, void **arguments, void **extra) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    const auto found = state().functions.find(function);
    if (!found) return wrong(CUDA_ERROR_INVALID_HANDLE, "a launch of what is no function");
    const char *name = found->name.c_str();
    // The shim knows blocks along x alone.
    const bool block_fits = block_x > 0 && block_x <= MOST_THREADS && block_y == 1 && block_z == 1;
    const bool grid_fits = grid_x > 0 && grid_x <= 0x7fffffff && grid_y > 0 && grid_y <= MOST_BLOCKS_UP && grid_z > 0 &&
                           grid_z <= MOST_BLOCKS_UP;
    if (!block_fits || !grid_fits) {
        return wrong(CUDA_ERROR_INVALID_VALUE, "%s: no device takes %u x %u x %u blocks of %u x %u x %u threads", name,
                     grid_x, grid_y, grid_z, block_x, block_y, block_z);
    }
    if (shared_bytes > found->shared_bytes) {
        return wrong(CUDA_ERROR_INVALID_VALUE, "%s: %u bytes of shared memory, and it may have %u", name, shared_bytes,
                     found->shared_bytes);
    }
    if (!arguments || extra) return wrong(CUDA_ERROR_INVALID_VALUE, "%s: two arguments are expected", name);
    Item item = {Item::LAUNCH};
    const uint64_t jobs = *static_cast<const uint64_t *>(arguments[0]);
    const uint64_t step = *static_cast<const uint64_t *>(arguments[1]);
    item.work = {found, {grid_x, grid_y, grid_z}, block_x, shared_bytes, jobs, step};
    for (const uint64_t argument : {jobs, step}) {
        if (const CUresult status = check_range(name, argument, 1)) return status;
    }
    return enqueue(__func__, stream, item);
}

extern "C" CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    const auto stream = state().streams.find(handle);
    if (!stream || stream->capturing) return wrong(CUDA_ERROR_ILLEGAL_STATE, "a capture where none can begin");
    // The default forbids every thread what only the one that captures must not do.
    if (mode != CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) return wrong(CUDA_ERROR_INVALID_VALUE, "a capture in mode %d", mode);
    stream->capturing = true;
    stream->invalidated = false;
    stream->thread = std::this_thread::get_id();
    stream->captured.clear();
    return CUDA_SUCCESS;
}

extern "C" CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph) {
    const Call call(__func__, Call::CONTEXT);
    const auto stream = state().streams.find(handle);
    if (!stream || !stream->capturing) return wrong(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "a capture ends that never began");
    if (stream->thread != std::this_thread::get_id()) {
        return wrong(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "a capture ends in another thread");
    }
    stream->capturing = false;
    if (call.failed()) return call.failed();
    if (stream->invalidated) {
        *graph = nullptr;
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    const auto made = std::make_shared<Graph>();
    made->launches.swap(stream->captured);
    *graph = state().graphs.add(made, state().numbers);
    return CUDA_SUCCESS;
}

extern "C" CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.failed()) return call.failed();
    const auto found = state().graphs.find(graph);
    if (!found || flags != 0) return wrong(CUDA_ERROR_INVALID_VALUE, "what is made executable is no graph, or has flags");
    const auto made = std::make_shared<Exec>();
    made->launches = found->launches;
    *exec = state().execs.add(made, state().numbers);
    return CUDA_SUCCESS;
}

extern "C" CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    Item item = {Item::GRAPH};
    item.exec = state().execs.find(exec);
    if (!item.exec) return wrong(CUDA_ERROR_INVALID_HANDLE, "a launch of what is no executable graph");
    return enqueue(__func__, stream, item);
}

extern "C" CUresult cuGraphDestroy(CUgraph graph) {
    const Call call(__func__, Call::CONTEXT);
    if (call.refused()) return call.refused();
    if (!state().graphs.objects.erase(graph)) return wrong(CUDA_ERROR_INVALID_VALUE, "cuGraphDestroy of what is no graph");
    return call.failed();
}

// The driver of CUDA 13 promises to wait by itself for a launch that is under way; those before it promise nothing.
extern "C" CUresult cuGraphExecDestroy(CUgraphExec exec) {
    const Call call(__func__, Call::CONTEXT);
    if (call.refused()) return call.refused();
    const auto found = state().execs.find(exec);
    if (!found) return wrong(CUDA_ERROR_INVALID_VALUE, "cuGraphExecDestroy of what is no executable graph");
    if (found->pending > 0) {
        wrong(CUDA_ERROR_ILLEGAL_STATE, "an executable graph is destroyed before its launches have run");
    }
    state().execs.objects.erase(exec);
    return call.failed();
}

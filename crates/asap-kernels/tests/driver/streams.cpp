// Streams: queues of what is to run, and when it does. Copies read and write the host's memory as they run, not as they are asked for:
// the driver may do either, with page-locked memory and with ordinary memory too.
#include "state.hpp"

#include <cstring>

namespace stand_in {
namespace {

// SplitMix64.
uint64_t choose(uint64_t below) {
    uint64_t bits = state().choices += 0x9e3779b97f4a7c15ull;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ull;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebull;
    return (bits ^ (bits >> 31)) % below;
}

// Whether these bytes are all in one allocation of the device.
bool is_there(uint64_t address, size_t bytes, const char *what) {
    if (holding(state().device, address, bytes)) return true;
    wrong(CUDA_ERROR_ILLEGAL_ADDRESS, "%s: %zu bytes at %#llx are in no allocation", what, bytes,
          static_cast<unsigned long long>(address));
    return false;
}

void run_work(const Work &work) {
    State &it = state();
    const char *name = work.function->name.c_str();
    const CUresult status = failure("a kernel");
    if (status) it.dead = status;
    if (it.dead || !is_there(work.jobs, 1, name) || !is_there(work.step, 1, name)) return;
    char message[1024];
    if (asap_host_launch(work.function->kernel, name, work.grid, work.threads, work.shared_bytes,
                         reinterpret_cast<const void *>(work.jobs), reinterpret_cast<const void *>(work.step), ++it.seed,
                         nullptr, 0, message, sizeof message)) {
        it.dead = wrong(CUDA_ERROR_LAUNCH_FAILED, "%s", message);
    }
    check_memory(name);
}

void run_item(Item &item) {
    unsigned char *device = reinterpret_cast<unsigned char *>(item.device);
    switch (item.kind) {
    case Item::TO_DEVICE:
        if (is_there(item.device, item.bytes, "a copy")) memcpy(device, item.host, item.bytes);
        break;
    case Item::TO_HOST:
        if (is_there(item.device, item.bytes, "a copy")) memcpy(item.host, device, item.bytes);
        break;
    case Item::SET:
        if (is_there(item.device, item.bytes, "a filling")) memset(device, item.value, item.bytes);
        break;
    case Item::LAUNCH: run_work(item.work); break;
    case Item::GRAPH:
        for (const Work &work : item.exec->launches) run_work(work);
        --item.exec->pending;
        break;
    case Item::EVENT:
        item.event->done = true;
        item.event->time = std::chrono::steady_clock::now();
        break;
    }
}

void run_first(Stream &stream) {
    Item item = std::move(stream.queue.front());
    stream.queue.pop_front();
    // What failed for good ends all that was to come.
    if (!state().dead) return run_item(item);
    if (item.exec) --item.exec->pending;
    if (item.event) item.event->done = true;
}

} // namespace

void run(Stream &stream, const Event *until) {
    while (!stream.queue.empty() && !(until && until->done)) run_first(stream);
}

CUresult enqueue(const char *function, CUstream handle, Item item) {
    State &it = state();
    const auto stream = it.streams.find(handle);
    if (!stream) return wrong(CUDA_ERROR_INVALID_HANDLE, "%s to what is no stream", function);
    if (stream->capturing) {
        if (item.kind == Item::LAUNCH && stream->thread == std::this_thread::get_id()) {
            stream->captured.push_back(item.work);
            return CUDA_SUCCESS;
        }
        // Some of these may be captured; asap never does.
        stream->invalidated = true;
        return wrong(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "%s to a stream that captures", function);
    }
    if (item.exec) ++item.exec->pending;
    stream->queue.push_back(std::move(item));
    if (it.order == LATE) return CUDA_SUCCESS;
    uint64_t count = it.order == EARLY ? stream->queue.size() : choose(2) * choose(stream->queue.size() + 1);
    while (count-- > 0) run_first(*stream);
    return CUDA_SUCCESS;
}

} // namespace stand_in

using namespace stand_in;

extern "C" CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.failed()) return call.failed();
    // A stream of another kind waits for what others do, and they for it.
    if (flags != CU_STREAM_NON_BLOCKING) return wrong(CUDA_ERROR_INVALID_VALUE, "a stream with flags %u", flags);
    State &it = state();
    *stream = it.streams.add(std::make_shared<Stream>(), it.numbers);
    return CUDA_SUCCESS;
}

extern "C" CUresult cuStreamDestroy_v2(CUstream handle) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.refused()) return call.refused();
    State &it = state();
    const auto stream = it.streams.find(handle);
    if (!stream) return wrong(CUDA_ERROR_INVALID_HANDLE, "cuStreamDestroy of what is no stream");
    // The driver lets it run to its end, whenever that is.
    if (!stream->queue.empty()) wrong(CUDA_ERROR_ILLEGAL_STATE, "a stream is destroyed before all of it has run");
    it.streams.objects.erase(handle);
    return call.failed();
}

extern "C" CUresult cuStreamSynchronize(CUstream handle) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.refused()) return call.refused();
    const auto stream = state().streams.find(handle);
    if (!stream) return wrong(CUDA_ERROR_INVALID_HANDLE, "cuStreamSynchronize of what is no stream");
    if (stream->capturing) {
        stream->invalidated = true;
        return wrong(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "cuStreamSynchronize of a stream that captures");
    }
    run(*stream, nullptr);
    return call.failed();
}

extern "C" CUresult cuEventCreate(CUevent *event, unsigned flags) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    // Other kinds know no time.
    if (flags != CU_EVENT_DEFAULT) return wrong(CUDA_ERROR_INVALID_VALUE, "an event with flags %u", flags);
    State &it = state();
    *event = it.events.add(std::make_shared<Event>(), it.numbers);
    return CUDA_SUCCESS;
}

// It may be on its way still, as the driver has it.
extern "C" CUresult cuEventDestroy_v2(CUevent event) {
    const Call call(__func__, Call::CONTEXT);
    if (call.refused()) return call.refused();
    if (!state().events.objects.erase(event)) {
        return wrong(CUDA_ERROR_INVALID_HANDLE, "cuEventDestroy of what is no event");
    }
    return call.failed();
}

extern "C" CUresult cuEventRecord(CUevent handle, CUstream stream) {
    const Call call(__func__, Call::CONTEXT);
    if (call.failed()) return call.failed();
    Item item = {Item::EVENT};
    item.event = state().events.find(handle);
    if (!item.event) return wrong(CUDA_ERROR_INVALID_HANDLE, "cuEventRecord of what is no event");
    // The driver would forget the first time; asap has an event for each.
    if (item.event->recorded) return wrong(CUDA_ERROR_INVALID_HANDLE, "an event is recorded a second time");
    item.event->recorded = true;
    return enqueue(__func__, stream, item);
}

extern "C" CUresult cuEventSynchronize(CUevent handle) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.refused()) return call.refused();
    const auto event = state().events.find(handle);
    // To the driver an event that nobody recorded is over.
    if (!event || !event->recorded) return wrong(CUDA_ERROR_INVALID_HANDLE, "a wait for an event that was not recorded");
    for (const auto &stream : state().streams.objects) {
        const auto &queue = stream.second->queue;
        for (size_t i = 0; i < queue.size(); ++i) {
            if (queue[i].event != event) continue;
            run(*stream.second, event.get());
            break;
        }
    }
    return call.failed();
}

extern "C" CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent begin, CUevent end) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.failed()) return call.failed();
    const auto from = state().events.find(begin), to = state().events.find(end);
    if (!from || !to || !from->recorded || !to->recorded) {
        return wrong(CUDA_ERROR_INVALID_HANDLE, "a time between events of which one was not recorded");
    }
    if (!from->done || !to->done) return wrong(CUDA_ERROR_NOT_READY, "a time between events before both are over");
    *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
    return CUDA_SUCCESS;
}

#ifndef cuEventElapsedTime // which is the other's name where cuda.h is included
// What programs built by CUDA 12 call.
extern "C" CUresult cuEventElapsedTime(float *milliseconds, CUevent begin, CUevent end) {
    return cuEventElapsedTime_v2(milliseconds, begin, end);
}
#endif

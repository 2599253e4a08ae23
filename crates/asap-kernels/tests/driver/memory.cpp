// Memory of the device and page-locked memory of the host. Both are NaNs until they are written, lie between guards, and are NaNs
// again for a while after they were given back.
#include "state.hpp"

#include <cstring>

namespace stand_in {
namespace {

constexpr size_t GUARD = 1024;
constexpr size_t ALIGNMENT = 256;
constexpr unsigned char POISON = 0xff;
constexpr size_t MOST_GIVEN_BACK = 64 << 20; // bytes that are watched after they were given back

Memory fresh(size_t bytes) {
    Memory memory;
    memory.whole.assign(bytes + 2 * GUARD + ALIGNMENT, POISON);
    const uintptr_t at = reinterpret_cast<uintptr_t>(memory.whole.data()) + GUARD + ALIGNMENT - 1;
    memory.begin = reinterpret_cast<unsigned char *>(at / ALIGNMENT * ALIGNMENT);
    memory.bytes = bytes;
    return memory;
}

bool poisoned(const unsigned char *bytes, size_t count) {
    return count == 0 || (bytes[0] == POISON && memcmp(bytes, bytes + 1, count - 1) == 0);
}

void check_guards(const Memory &memory, const char *after) {
    if (!poisoned(memory.begin - GUARD, GUARD) || !poisoned(memory.begin + memory.bytes, GUARD)) {
        wrong(CUDA_ERROR_ILLEGAL_ADDRESS, "a write beside an allocation of %zu bytes, found after %s", memory.bytes, after);
    }
}

void check_given_back(const Memory &memory) {
    if (!poisoned(memory.begin, memory.bytes)) {
        wrong(CUDA_ERROR_ILLEGAL_ADDRESS, "a write to %zu bytes that were given back", memory.bytes);
    }
}

// Whether something queued names these bytes, whichever way.
bool awaited(const Memory &memory) {
    const auto inside = [&](uint64_t address) {
        return address >= number(memory.begin) && address < number(memory.begin) + memory.bytes;
    };
    const auto named = [&](const Work &work) { return inside(work.jobs) || inside(work.step); };
    for (const auto &stream : state().streams.objects) {
        for (const Item &item : stream.second->queue) {
            if (inside(item.device) || inside(number(item.host)) || named(item.work)) return true;
            if (!item.exec) continue;
            for (const Work &work : item.exec->launches) {
                if (named(work)) return true;
            }
        }
    }
    return false;
}

// The driver may or may not wait for what is queued: whoever relies on it is wrong.
CUresult give_back(std::map<uint64_t, Memory> &from, uint64_t address, const char *function) {
    State &it = state();
    const auto found = from.find(address);
    if (found == from.end()) return wrong(CUDA_ERROR_INVALID_VALUE, "%s of what was not allocated", function);
    Memory &memory = found->second;
    if (awaited(memory)) {
        wrong(CUDA_ERROR_ILLEGAL_STATE, "%s of %zu bytes that something launched has yet to use", function, memory.bytes);
    }
    check_guards(memory, function);
    memset(memory.begin, POISON, memory.bytes);
    it.given_back_bytes += memory.bytes;
    it.given_back.push_back(std::move(memory));
    from.erase(found);
    while (it.given_back_bytes > MOST_GIVEN_BACK) {
        check_given_back(it.given_back.front());
        it.given_back_bytes -= it.given_back.front().bytes;
        it.given_back.pop_front();
    }
    return CUDA_SUCCESS;
}

} // namespace

const Memory *holding(const std::map<uint64_t, Memory> &memory, uint64_t address, size_t bytes) {
    auto above = memory.upper_bound(address);
    if (above == memory.begin()) return nullptr;
    const Memory &below = (--above)->second;
    return address + bytes <= number(below.begin) + below.bytes ? &below : nullptr;
}

void check_memory(const char *after) {
    for (const auto &memory : state().device) check_guards(memory.second, after);
    for (const auto &memory : state().host) check_guards(memory.second, after);
}

void forget_all() {
    State &it = state();
    for (const Memory &memory : it.given_back) check_given_back(memory);
    it.given_back.clear();
    it.given_back_bytes = 0;
    it.device.clear();
    it.host.clear();
    it.modules.objects.clear();
    it.functions.objects.clear();
    it.streams.objects.clear();
    it.events.objects.clear();
    it.graphs.objects.clear();
    it.execs.objects.clear();
}

} // namespace stand_in

using namespace stand_in;

extern "C" CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.failed()) return call.failed();
    if (bytes == 0) return wrong(CUDA_ERROR_INVALID_VALUE, "an allocation of nothing");
    Memory memory = fresh(bytes);
    *address = number(memory.begin);
    state().device[*address] = std::move(memory);
    return CUDA_SUCCESS;
}

extern "C" CUresult cuMemFree_v2(CUdeviceptr address) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.refused()) return call.refused();
    const CUresult status = give_back(state().device, address, __func__);
    return status ? status : call.failed();
}

extern "C" CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned flags) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.failed()) return call.failed();
    if (bytes == 0 || flags != 0) return wrong(CUDA_ERROR_INVALID_VALUE, "page-locked memory of nothing, or with flags");
    Memory memory = fresh(bytes);
    *address = memory.begin;
    state().host[number(*address)] = std::move(memory);
    return CUDA_SUCCESS;
}

extern "C" CUresult cuMemFreeHost(void *address) {
    const Call call(__func__, Call::NO_CAPTURE);
    if (call.refused()) return call.refused();
    const CUresult status = give_back(state().host, number(address), __func__);
    return status ? status : call.failed();
}

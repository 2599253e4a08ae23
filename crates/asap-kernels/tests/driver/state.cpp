// Where every call begins, what is told of a program's mistakes, and what tests ask for.
#include "state.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace stand_in {

thread_local uint64_t current = 0;

namespace {

uint64_t order_of_environment() {
    const char *order = getenv("ASAP_STAND_IN");
    if (!order || !strcmp(order, "late")) return LATE;
    if (!strcmp(order, "early")) return EARLY;
    return strtoull(order, nullptr, 10);
}

bool captures(const State &state) {
    for (const auto &stream : state.streams.objects) {
        if (stream.second->capturing && stream.second->thread == std::this_thread::get_id()) return true;
    }
    return false;
}

void invalidate(State &state) {
    for (const auto &stream : state.streams.objects) {
        if (stream.second->thread == std::this_thread::get_id()) stream.second->invalidated = true;
    }
}

void count(std::string &text, size_t many, const char *what) {
    if (many == 0) return;
    if (!text.empty()) text += ", ";
    text += std::to_string(many) + " " + what;
}

} // namespace

// Never destroyed: other threads may still call when the process ends.
State &state() {
    static State &state = *new State();
    static const bool begun = (state.order = order_of_environment(), true);
    (void)begun;
    return state;
}

uint64_t number(const void *handle) { return reinterpret_cast<uintptr_t>(handle); }

CUresult wrong(CUresult status, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    State &it = state();
    if (!it.keep_finding) {
        fprintf(stderr, "the stand-in for the driver: %s\n", text);
        abort();
    }
    if (it.finding.empty()) it.finding = text;
    return status;
}

CUresult failure(const char *function) {
    State &it = state();
    for (auto failure = it.failures.begin(); failure != it.failures.end(); ++failure) {
        if (failure->function != function || failure->calls_before-- > 0) continue;
        const CUresult status = failure->status;
        if (failure->for_good) it.dead = status;
        it.failures.erase(failure);
        return status;
    }
    return CUDA_SUCCESS;
}

Call::Call(const char *function, Need need) : guard_(state().lock) {
    State &it = state();
    if (need >= INITIALISED && !it.initialised) {
        refused_ = wrong(CUDA_ERROR_NOT_INITIALIZED, "%s before cuInit", function);
    } else if (need >= CONTEXT && (current == 0 || current != it.context)) {
        refused_ = wrong(CUDA_ERROR_INVALID_CONTEXT, "%s in a thread %s", function,
                         current ? "whose context was released" : "without a context");
    } else if (need == NO_CAPTURE && captures(it)) {
        invalidate(it);
        refused_ = wrong(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "%s in a thread that captures", function);
    } else if (!it.dead) {
        const CUresult status = failure(function);
        if (!it.dead) refused_ = status;
    }
}

std::string left() {
    const State &it = state();
    std::string text;
    count(text, it.modules.objects.size(), "modules");
    count(text, it.streams.objects.size(), "streams");
    count(text, it.events.objects.size(), "events");
    count(text, it.graphs.objects.size(), "graphs");
    count(text, it.execs.objects.size(), "executable graphs");
    count(text, it.host.size(), "pieces of page-locked memory");
    count(text, it.device.size(), "allocations");
    return text;
}

} // namespace stand_in

using namespace stand_in;

// Begins anew: nothing is to fail, and `order` is 0 for late, 1 for early, else a seed.
extern "C" void asap_stand_in_begin(uint64_t order) {
    State &it = state();
    const std::lock_guard<std::recursive_mutex> guard(it.lock);
    it.order = it.choices = order;
    it.most_shared = MOST_SHARED;
    it.failures.clear();
    it.dead = CUDA_SUCCESS;
    it.keep_finding = false;
    it.finding.clear();
}

// Lets one call of a function fail, or one launch as it runs (`a kernel`), after so many that do not; for good: and all that follows.
extern "C" void asap_stand_in_fail(const char *function, unsigned calls_before, int status, int for_good) {
    const std::lock_guard<std::recursive_mutex> guard(state().lock);
    state().failures.push_back({function, calls_before, static_cast<CUresult>(status), for_good != 0});
}

// Bytes of shared memory that the device gives a block at most.
extern "C" void asap_stand_in_shared(unsigned bytes) {
    const std::lock_guard<std::recursive_mutex> guard(state().lock);
    state().most_shared = bytes;
}

// From now on mistakes are kept: the call that makes one fails, and `asap_stand_in_finding` tells of the first.
extern "C" void asap_stand_in_keep() {
    const std::lock_guard<std::recursive_mutex> guard(state().lock);
    state().keep_finding = true;
}

namespace {

void copy(const std::string &from, char *text, size_t bytes) { snprintf(text, bytes, "%s", from.c_str()); }

} // namespace

extern "C" void asap_stand_in_finding(char *text, size_t bytes) {
    const std::lock_guard<std::recursive_mutex> guard(state().lock);
    copy(state().finding, text, bytes);
}

// What has not been given back.
extern "C" void asap_stand_in_left(char *text, size_t bytes) {
    const std::lock_guard<std::recursive_mutex> guard(state().lock);
    copy(left(), text, bytes);
}

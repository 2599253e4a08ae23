// Runs a grid on the host: blocks one after another, shared out over a few threads; the threads of a block as fibers,
// each until it meets the others. Blocks and threads come in an order that the seed decides, so that a missing barrier
// or a block that waits for another's result shows. What no device would forgive is an error with its place: a barrier
// that not all threads reach, a warp whose lanes do not meet, writes beyond the shared memory, misaligned vectors.
#include "shim.cuh"

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.hpp"
#include "fiber.hpp"
#include "traffic.hpp"

ASAP_THREAD_LOCAL uint3 threadIdx, blockIdx;
ASAP_THREAD_LOCAL dim3 blockDim, gridDim;

namespace {

constexpr unsigned WARP = 32;
constexpr unsigned MOST_THREADS = 1024;
constexpr size_t STACK = 64 << 10;
// Stacks lie this far apart: tops at the same distance from a page would all want the same lines of the cache.
constexpr size_t STACK_STEP = STACK + 5 * 64;
constexpr size_t MOST_SHARED = ASAP_MOST_SHARED;
constexpr size_t CANARY = 1 << 10; // on either side of the shared memory
constexpr size_t STACK_END = 64;   // where no stack may reach
constexpr unsigned char POISON = 0xff; // a NaN in every float format

typedef void (*Kernel)(const void *jobs, const void *step);

// Seeded choices: SplitMix64.
struct Choices {
    uint64_t counter;

    // Below `count`.
    unsigned operator()(unsigned count) {
        uint64_t bits = counter += 0x9e3779b97f4a7c15ull;
        bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ull;
        bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebull;
        return static_cast<unsigned>((((bits ^ (bits >> 31)) >> 32) * count) >> 32);
    }
};

// What all threads of the host share in a launch.
struct Launch {
    Kernel kernel;
    const char *name;
    const void *jobs, *step;
    dim3 grid;
    unsigned threads;
    size_t shared_bytes;
    uint64_t seed;
    const Memory *memory; // null: accesses are not checked
    size_t memory_count;
    std::vector<unsigned> order; // of the blocks
    std::atomic<size_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex lock;
    std::string message;

    void fail(const std::string &text) {
        std::lock_guard<std::mutex> guard(lock);
        if (!failed.exchange(true)) message = text;
    }
};

struct Fiber {
    Context context;
    unsigned stack;
    bool started;
    // What it brought to the meeting it waits at.
    asap_lane lane;
    asap_place place;
    uint64_t result;
};

// Lanes of a warp on their way to the same meeting. There may be several at a time: those that name other lanes.
struct Meeting {
    unsigned mask, arrived; // mask 0: none
    asap_meeting kind;
};

const char *name_of(asap_meeting kind) {
    switch (kind) {
    case ASAP_SYNCWARP: return "__syncwarp";
    case ASAP_SHUFFLE: return "a shuffle";
    case ASAP_BALLOT: return "a vote";
    case ASAP_MMA_TF32: return "a tf32 product";
    case ASAP_MMA_BF16: return "a bf16 product";
    }
    return "nothing";
}

bool same(asap_place x, asap_place y) { return x.line == y.line && (x.file == y.file || !strcmp(x.file, y.file)); }

std::string text(const char *format, ...) __attribute__((format(printf, 1, 2)));
std::string text(const char *format, ...) {
    char buffer[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return buffer;
}

std::string text(asap_place place) { return text("%s:%d", place.file, place.line); }

float as_tf32(unsigned bits) { return __uint_as_float(bits & 0xffffe000u); }
float low_bf16(unsigned bits) { return __uint_as_float(bits << 16); }
float high_bf16(unsigned bits) { return __uint_as_float(bits & 0xffff0000u); }

// Whether bytes that were poison are not.
bool written(const unsigned char *bytes, size_t count) {
    return bytes[0] != POISON || memcmp(bytes, bytes + 1, count - 1) != 0;
}

// One thread of the host with all it needs to run a block.
class Worker {
  public:
    Worker() : shared_(new unsigned char[MOST_SHARED + 2 * CANARY + 1024]) {
        const uintptr_t at = reinterpret_cast<uintptr_t>(shared_.get()) + CANARY;
        dynamic_shared_ = reinterpret_cast<unsigned char *>((at + 1023) & ~static_cast<uintptr_t>(1023));
    }

    void run(Launch &launch);

    unsigned char *dynamic_shared() const { return dynamic_shared_; }
    void meet_block(asap_place place);
    uint64_t meet_warp(asap_meeting kind, unsigned mask, const asap_lane &lane, asap_place place);
    void access(uintptr_t at, size_t bytes, bool write, uintptr_t code);
    [[noreturn]] void fail(const std::string &what);

  private:
    static void fiber_entry();
    void run_block(unsigned block);
    void run_fibers();
    void enter(unsigned fiber);
    void all_ready();
    void run_next(Context *from);
    void resolve(const Meeting &meeting, unsigned first);
    void multiply(asap_meeting kind, unsigned first);
    std::string stuck() const;

    std::string where() const {
        return text("kernel %s, block (%u, %u, %u), thread %u", launch_->name, blockIdx.x, blockIdx.y, blockIdx.z,
                    threadIdx.x);
    }

    Launch *launch_ = nullptr;
    std::unique_ptr<unsigned char[]> shared_;
    unsigned char *dynamic_shared_;
    std::vector<std::unique_ptr<unsigned char[]>> stacks_;
    std::vector<unsigned> free_stacks_;
    Fiber fibers_[MOST_THREADS];
    Meeting meetings_[MOST_THREADS / WARP][WARP];
    uint16_t ready_[MOST_THREADS];
    unsigned ready_begin_ = 0, ready_end_ = 0;
    unsigned at_barrier_ = 0, first_at_barrier_ = 0;
    bool scattered_ = false;
    unsigned ended_ = 0;
    unsigned running_ = 0;
    uint32_t block_ = 0, barriers_ = 0;
    uint16_t warp_barriers_[MOST_THREADS / WARP];
    AccessCheck check_;
    TrafficCount traffic_;
    Context scheduler_ = nullptr;
    Choices choose_{0};
};

ASAP_THREAD_LOCAL Worker *worker;

// Where accesses of instrumented kernels that this thread launches are counted; null: nowhere.
ASAP_THREAD_LOCAL Traffic *traffic;

// Every thread of a block ran the kernel, or the launch has failed.
void Worker::run(Launch &launch) {
    launch_ = &launch;
    worker = this;
    blockDim = {launch.threads, 1, 1};
    gridDim = launch.grid;
    if (launch.memory) check_.begin(launch.memory, launch.memory_count);
    for (;;) {
        const size_t next = launch.next++;
        if (next >= launch.order.size() || launch.failed) break;
        run_block(launch.order[next]);
    }
    worker = nullptr;
}

void Worker::run_block(unsigned block) {
    const unsigned x = launch_->grid.x, y = launch_->grid.y;
    blockIdx = {block % x, block / x % y, block / x / y};
    block_ = block;
    barriers_ = 0;
    memset(warp_barriers_, 0, sizeof warp_barriers_);
    choose_ = {launch_->seed * 0x2545f4914f6cdd1dull + block};
    memset(dynamic_shared_ - CANARY, POISON, launch_->shared_bytes + 2 * CANARY);
    memset(meetings_, 0, launch_->threads / WARP * sizeof *meetings_);
    run_fibers();
    if (launch_->failed) return;
    if (traffic) traffic_.add_block(*traffic);
    const unsigned char *behind = dynamic_shared_ + launch_->shared_bytes;
    if (written(dynamic_shared_ - CANARY, CANARY) || written(behind, CANARY)) {
        size_t before = CANARY, after = 0;
        while (before > 0 && dynamic_shared_[-static_cast<ptrdiff_t>(before)] == POISON) --before;
        while (after < CANARY && behind[after] == POISON) ++after;
        launch_->fail(text("kernel %s, block (%u, %u, %u): a write %zu bytes %s its %zu bytes of shared memory",
                           launch_->name, blockIdx.x, blockIdx.y, blockIdx.z, before ? before : after,
                           before ? "before" : "behind", launch_->shared_bytes));
    }
    for (const auto &stack : stacks_) {
        if (written(stack.get(), STACK_END)) launch_->fail(text("kernel %s: a thread's stack is too small", launch_->name));
    }
}

void Worker::run_fibers() {
    const unsigned threads = launch_->threads;
    at_barrier_ = ended_ = 0;
    for (unsigned i = 0; i < threads; ++i) fibers_[i].started = false;
    // Some blocks go thread by thread, most of them warp by warp: a warp runs ahead of the others as far as it can.
    scattered_ = choose_(4) == 0;
    all_ready();
    free_stacks_.clear();
    for (unsigned i = static_cast<unsigned>(stacks_.size()); i-- > 0;) free_stacks_.push_back(i);
    run_next(&scheduler_);
    if (!launch_->failed && ended_ < threads) launch_->fail(stuck());
}

// Every thread of the block can go on, in an order that is another every time.
void Worker::all_ready() {
    const unsigned threads = launch_->threads, warps = threads / WARP;
    ready_begin_ = 0;
    ready_end_ = threads;
    if (scattered_) {
        for (unsigned i = 0; i < threads; ++i) ready_[i] = static_cast<uint16_t>(i);
        for (unsigned i = threads; i > 1; --i) std::swap(ready_[i - 1], ready_[choose_(i)]);
        return;
    }
    unsigned order[MOST_THREADS / WARP];
    for (unsigned i = 0; i < warps; ++i) order[i] = i;
    for (unsigned i = warps; i > 1; --i) std::swap(order[i - 1], order[choose_(i)]);
    for (unsigned i = 0; i < warps; ++i) {
        const unsigned turn = choose_(WARP);
        for (unsigned j = 0; j < WARP; ++j) ready_[i * WARP + j] = static_cast<uint16_t>(order[i] * WARP + (j ^ turn));
    }
}

// Goes on with whoever is ready; with the scheduler when nobody is. `*from` is where the caller goes on.
void Worker::run_next(Context *from) {
    if (ready_begin_ == ready_end_) {
        asap_switch(from, scheduler_);
        return;
    }
    const unsigned next = ready_[ready_begin_++ % MOST_THREADS];
    Fiber &fiber = fibers_[next];
    if (!fiber.started) {
        if (free_stacks_.empty()) {
            free_stacks_.push_back(static_cast<unsigned>(stacks_.size()));
            stacks_.emplace_back(new unsigned char[STACK_STEP]);
            memset(stacks_.back().get(), POISON, STACK_END);
        }
        fiber.stack = free_stacks_.back();
        free_stacks_.pop_back();
        unsigned char *end = stacks_[fiber.stack].get() + STACK;
        end -= reinterpret_cast<uintptr_t>(end) % 64;
        fiber.context = fresh_context(end, STACK - 64, fiber_entry);
    }
    if (from == &fiber.context) return; // its turn is next again
    running_ = next;
    threadIdx.x = next;
    asap_switch(from, fiber.context);
}

// Runs fibers from their beginning, one after the other on the same stack as long as they end without waiting.
void Worker::fiber_entry() {
    for (;;) {
        Worker &self = *worker;
        Launch &launch = *self.launch_;
        Fiber &fiber = self.fibers_[self.running_];
        fiber.started = true;
        launch.kernel(launch.jobs, launch.step);
        ++self.ended_;
        const unsigned next = self.ready_[self.ready_begin_ % MOST_THREADS];
        if (self.ready_begin_ != self.ready_end_ && !self.fibers_[next].started) {
            ++self.ready_begin_;
            self.fibers_[next].stack = fiber.stack;
            self.running_ = next;
            threadIdx.x = next;
            continue;
        }
        // Nobody takes this stack before it is left.
        self.free_stacks_.push_back(fiber.stack);
        self.run_next(&fiber.context);
    }
}

void Worker::meet_block(asap_place place) {
    Fiber &self = fibers_[running_];
    self.place = place;
    if (at_barrier_ == 0) first_at_barrier_ = running_;
    const asap_place first = fibers_[first_at_barrier_].place;
    if (!same(first, place)) {
        fail(text("waits at __syncthreads in %s, and thread %u at that in %s", text(place).c_str(), first_at_barrier_,
                  text(first).c_str()));
    }
    if (++at_barrier_ == launch_->threads) {
        at_barrier_ = 0;
        ++barriers_;
        all_ready();
    }
    run_next(&self.context);
}

uint64_t Worker::meet_warp(asap_meeting kind, unsigned mask, const asap_lane &lane, asap_place place) {
    const unsigned number = running_ % WARP, first = running_ - number;
    Fiber &self = fibers_[running_];
    self.lane = lane;
    self.place = place;
    if (!(mask >> number & 1)) {
        fail(text("%s in %s over lanes %08x, and its own is %u", name_of(kind), text(place).c_str(), mask, number));
    }
    Meeting *meeting = nullptr, *unused = nullptr;
    for (Meeting &other : meetings_[first / WARP]) {
        if (other.mask == mask) {
            meeting = &other;
            break;
        }
        if (!other.mask && !unused) unused = &other;
    }
    if (!meeting) {
        meeting = unused;
        *meeting = {mask, 0, kind};
    } else {
        const unsigned other = first + static_cast<unsigned>(__builtin_ctz(meeting->arrived));
        if (meeting->kind != kind || !same(fibers_[other].place, place)) {
            fail(text("is at %s in %s over lanes %08x, and thread %u at %s in %s", name_of(kind), text(place).c_str(),
                      mask, other, name_of(meeting->kind), text(fibers_[other].place).c_str()));
        }
    }
    meeting->arrived |= 1u << number;
    if (meeting->arrived != mask) {
        run_next(&self.context);
        return self.result;
    }
    resolve(*meeting, first);
    if (kind == ASAP_SYNCWARP) ++warp_barriers_[first / WARP];
    meeting->mask = 0;
    const unsigned turn = choose_(WARP);
    for (unsigned i = 0; i < WARP; ++i) {
        const unsigned other = i ^ turn;
        if (other == number || !(mask >> other & 1)) continue;
        const unsigned slot = scattered_ ? ready_end_++ : --ready_begin_;
        ready_[slot % MOST_THREADS] = static_cast<uint16_t>(first + other);
    }
    return self.result;
}

// The results of a meeting whose lanes are all there.
void Worker::resolve(const Meeting &meeting, unsigned first) {
    if (meeting.kind == ASAP_MMA_TF32 || meeting.kind == ASAP_MMA_BF16) return multiply(meeting.kind, first);
    uint64_t votes = 0;
    for (unsigned lane = 0; lane < WARP; ++lane) {
        if (!(meeting.mask >> lane & 1)) continue;
        votes |= fibers_[first + lane].lane.value << lane;
    }
    for (unsigned lane = 0; lane < WARP; ++lane) {
        if (!(meeting.mask >> lane & 1)) continue;
        Fiber &fiber = fibers_[first + lane];
        fiber.result = votes;
        if (meeting.kind != ASAP_SHUFFLE) continue;
        const unsigned source = static_cast<unsigned>(fiber.lane.source);
        if (source >= WARP || !(meeting.mask >> source & 1)) {
            fail(text("a shuffle in %s over lanes %08x, and lane %u asks for lane %u", text(fiber.place).c_str(),
                      meeting.mask, lane, source));
        }
        fiber.result = fibers_[first + source].lane.value;
    }
}

// c [16, 8] += a [16, 8] b [8, 8], in f32, columns of a in order.
void Worker::multiply(asap_meeting kind, unsigned first) {
    float a[16][8], b[8][8], c[16][8];
    for (unsigned lane = 0; lane < WARP; ++lane) {
        const asap_lane &it = fibers_[first + lane].lane;
        const unsigned group = lane >> 2, t = lane & 3;
        if (kind == ASAP_MMA_TF32) {
            a[group][t] = as_tf32(it.a[0]);
            a[group + 8][t] = as_tf32(it.a[1]);
            a[group][t + 4] = as_tf32(it.a[2]);
            a[group + 8][t + 4] = as_tf32(it.a[3]);
            b[t][group] = as_tf32(it.b[0]);
            b[t + 4][group] = as_tf32(it.b[1]);
        } else {
            for (unsigned half = 0; half < 2; ++half) {
                a[group + 8 * half][2 * t] = low_bf16(it.a[half]);
                a[group + 8 * half][2 * t + 1] = high_bf16(it.a[half]);
            }
            b[2 * t][group] = low_bf16(it.b[0]);
            b[2 * t + 1][group] = high_bf16(it.b[0]);
        }
        for (unsigned i = 0; i < 4; ++i) c[group + 8 * (i / 2)][2 * t + i % 2] = it.c[i];
    }
    for (unsigned row = 0; row < 16; ++row) {
        for (unsigned k = 0; k < 8; ++k) {
            const float factor = a[row][k];
            for (unsigned column = 0; column < 8; ++column) c[row][column] += factor * b[k][column];
        }
    }
    for (unsigned lane = 0; lane < WARP; ++lane) {
        const asap_lane &it = fibers_[first + lane].lane;
        const unsigned group = lane >> 2, t = lane & 3;
        for (unsigned i = 0; i < 4; ++i) it.c[i] = c[group + 8 * (i / 2)][2 * t + i % 2];
    }
}

// Why nobody can go on though not all have ended.
std::string Worker::stuck() const {
    std::string all = text("kernel %s, block (%u, %u, %u): %u of %u threads have ended", launch_->name, blockIdx.x,
                           blockIdx.y, blockIdx.z, ended_, launch_->threads);
    if (at_barrier_) {
        all += text(", %u wait at __syncthreads in %s", at_barrier_, text(fibers_[first_at_barrier_].place).c_str());
    }
    for (unsigned warp = 0; warp < launch_->threads / WARP; ++warp) {
        for (const Meeting &meeting : meetings_[warp]) {
            if (!meeting.mask) continue;
            const unsigned waiting = warp * WARP + static_cast<unsigned>(__builtin_ctz(meeting.arrived));
            all += text(", lanes %08x of warp %u wait for the others of %08x at %s in %s", meeting.arrived, warp,
                        meeting.mask, name_of(meeting.kind), text(fibers_[waiting].place).c_str());
        }
    }
    return all;
}

// Looks at a read or a write of the running thread, done at `code`.
void Worker::access(uintptr_t at, size_t bytes, bool write, uintptr_t code) {
    if (!launch_->memory) return;
    const uintptr_t stack = reinterpret_cast<uintptr_t>(stacks_[fibers_[running_].stack].get());
    if (at - stack < STACK_STEP) return;
    for (const void *place : {static_cast<const void *>(&threadIdx), static_cast<const void *>(&blockIdx),
                              static_cast<const void *>(&blockDim), static_cast<const void *>(&gridDim)}) {
        if (at - reinterpret_cast<uintptr_t>(place) < sizeof(dim3)) return;
    }
    static const uintptr_t image = [] {
        Dl_info info = {};
        dladdr(reinterpret_cast<void *>(&asap_meet_block), &info);
        return reinterpret_cast<uintptr_t>(info.dli_fbase);
    }();
    const Access now = {block_ + 1, barriers_, static_cast<uint32_t>(code - image - 1),
                        warp_barriers_[running_ / WARP], static_cast<uint16_t>(running_), 0};
    const Shared shared = {reinterpret_cast<uintptr_t>(dynamic_shared_), launch_->shared_bytes, CANARY};
    if (traffic) traffic_.see(running_, now.code, at, static_cast<unsigned>(bytes), write, at - shared.begin < shared.bytes);
    const std::string wrong = check_.see(now, at, bytes, write, shared);
    if (!wrong.empty()) fail(wrong);
}

// Ends the launch; the fibers of this block are never gone on with.
void Worker::fail(const std::string &what) {
    launch_->fail(where() + ": " + what);
    Context never;
    asap_switch(&never, scheduler_);
    __builtin_unreachable();
}

// Workers between launches: their stacks are worth keeping.
std::mutex idle_lock;
std::vector<std::unique_ptr<Worker>> idle;

void work(Launch &launch) {
    std::unique_ptr<Worker> mine;
    {
        std::lock_guard<std::mutex> guard(idle_lock);
        if (!idle.empty()) {
            mine = std::move(idle.back());
            idle.pop_back();
        }
    }
    if (!mine) mine.reset(new Worker);
    mine->run(launch);
    std::lock_guard<std::mutex> guard(idle_lock);
    idle.push_back(std::move(mine));
}

// Blocks worth another thread of the host.
constexpr size_t BLOCKS_A_THREAD = 8;

} // namespace

unsigned char *asap_dynamic_shared() { return worker->dynamic_shared(); }

void asap_refuse(asap_place place, const char *what) { worker->fail(text("%s: %s", text(place).c_str(), what)); }

void asap_meet_block(asap_place place) { worker->meet_block(place); }

uint64_t asap_meet_warp(asap_meeting meeting, unsigned mask, const asap_lane &lane, asap_place place) {
    return worker->meet_warp(meeting, mask, lane, place);
}

namespace {
template <typename T, typename Bits>
T atomic_add(T *address, T value) {
    Bits *bits = reinterpret_cast<Bits *>(address);
    Bits before = __atomic_load_n(bits, __ATOMIC_RELAXED);
    for (;;) {
        T old;
        memcpy(&old, &before, sizeof(T));
        const T sum = old + value;
        Bits after;
        memcpy(&after, &sum, sizeof(T));
        if (__atomic_compare_exchange_n(bits, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return old;
    }
}
} // namespace

unsigned atomicAdd(unsigned *address, unsigned value) { return __atomic_fetch_add(address, value, __ATOMIC_RELAXED); }
float atomicAdd(float *address, float value) { return atomic_add<float, uint32_t>(address, value); }
double atomicAdd(double *address, double value) { return atomic_add<double, uint64_t>(address, value); }

// What the compiler's checks of alignment and of array bounds call: a device has no such access either.
struct CheckedPlace {
    const char *file;
    unsigned line, column;
};

extern "C" void __ubsan_handle_type_mismatch_v1(const CheckedPlace *place, uintptr_t address) {
    worker->fail(text("%s:%u: an access to what lies %u bytes behind a multiple of 16", place->file, place->line,
                      static_cast<unsigned>(address % 16)));
}

extern "C" void __ubsan_handle_out_of_bounds(const CheckedPlace *place, uintptr_t index) {
    worker->fail(text("%s:%u: index %llu is outside the array", place->file, place->line,
                      static_cast<unsigned long long>(index)));
}

// What the compiler's instrumentation for data races calls.
#define ASAP_RETURN reinterpret_cast<uintptr_t>(__builtin_return_address(0))
#define ASAP_INSTRUMENTED(BYTES)                                                                                        \
    extern "C" void __tsan_read##BYTES(uintptr_t at) { worker->access(at, BYTES, false, ASAP_RETURN); }                 \
    extern "C" void __tsan_write##BYTES(uintptr_t at) { worker->access(at, BYTES, true, ASAP_RETURN); }                 \
    extern "C" void __tsan_unaligned_read##BYTES(uintptr_t at) { worker->access(at, BYTES, false, ASAP_RETURN); }       \
    extern "C" void __tsan_unaligned_write##BYTES(uintptr_t at) { worker->access(at, BYTES, true, ASAP_RETURN); }
ASAP_INSTRUMENTED(1)
ASAP_INSTRUMENTED(2)
ASAP_INSTRUMENTED(4)
ASAP_INSTRUMENTED(8)
ASAP_INSTRUMENTED(16)
extern "C" void __tsan_read_range(uintptr_t at, size_t bytes) { worker->access(at, bytes, false, ASAP_RETURN); }
extern "C" void __tsan_write_range(uintptr_t at, size_t bytes) { worker->access(at, bytes, true, ASAP_RETURN); }
extern "C" void *__tsan_memcpy(void *to, const void *from, size_t bytes) {
    worker->access(reinterpret_cast<uintptr_t>(from), bytes, false, ASAP_RETURN);
    worker->access(reinterpret_cast<uintptr_t>(to), bytes, true, ASAP_RETURN);
    return memcpy(to, from, bytes);
}
extern "C" void *__tsan_memset(void *to, int value, size_t bytes) {
    worker->access(reinterpret_cast<uintptr_t>(to), bytes, true, ASAP_RETURN);
    return memset(to, value, bytes);
}
extern "C" void __tsan_func_entry(void *) {}
extern "C" void __tsan_func_exit() {}
extern "C" void __tsan_init() {}

extern "C" void asap_issued(uint32_t count) {
    if (traffic) traffic->instructions += count;
}

// From now on instrumented kernels that this thread launches add to `to` what their accesses cost; to nothing if it is null.
extern "C" void asap_host_count(Traffic *to) { traffic = to; }

// Runs `kernel` over a grid. Returns 0, or another number with the reason in `message`. Kernels that are instrumented
// may use the `memory` given and no other; without any, nothing is checked.
extern "C" int asap_host_launch(Kernel kernel, const char *name, const unsigned grid[3], unsigned threads,
                                unsigned shared_bytes, const void *jobs, const void *step, unsigned seed,
                                const Memory *memory, size_t memory_count, char *message, size_t message_bytes) {
    Launch launch;
    launch.kernel = kernel;
    launch.name = name;
    launch.jobs = jobs;
    launch.step = step;
    launch.grid = {grid[0], grid[1], grid[2]};
    launch.threads = threads;
    launch.shared_bytes = shared_bytes;
    launch.seed = seed;
    launch.memory = memory;
    launch.memory_count = memory_count;
    const size_t blocks = static_cast<size_t>(grid[0]) * grid[1] * grid[2];
    if (blocks == 0 || grid[1] > 65535 || grid[2] > 65535 || blocks > 0x7fffffff) {
        launch.fail(text("kernel %s: no device takes a grid of %u x %u x %u", name, grid[0], grid[1], grid[2]));
    } else if (threads == 0 || threads > MOST_THREADS || threads % WARP) {
        launch.fail(text("kernel %s: expected blocks of 32 to 1024 threads in whole warps, found %u", name, threads));
    } else if (shared_bytes > MOST_SHARED) {
        launch.fail(text("kernel %s: expected at most %zu bytes of shared memory, found %u", name, MOST_SHARED,
                         shared_bytes));
    } else {
        Choices choose{seed};
        launch.order.resize(blocks);
        for (size_t i = 0; i < blocks; ++i) launch.order[i] = static_cast<unsigned>(i);
        for (size_t i = blocks; i > 1; --i) std::swap(launch.order[i - 1], launch.order[choose(static_cast<unsigned>(i))]);
        // A check sees all blocks.
        const size_t most = memory ? 1 : std::max(1u, std::thread::hardware_concurrency());
        std::vector<std::thread> others;
        while (others.size() + 1 < std::min(most, blocks / BLOCKS_A_THREAD)) others.emplace_back(work, std::ref(launch));
        work(launch);
        for (std::thread &other : others) other.join();
    }
    if (!launch.failed) return 0;
    snprintf(message, message_bytes, "%s", launch.message.c_str());
    return 1;
}

// What the stand-in knows: everything that was made and not given back, and what was launched and has not run. One lock guards it
// all, held by whichever call runs.
#pragma once

#include "api.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace stand_in {

constexpr unsigned PLAIN_SHARED = 48 << 10; // bytes that every kernel may have without asking
constexpr unsigned MOST_SHARED = 227 << 10; // bytes that an H100 gives to those that ask

typedef void (*Kernel)(const void *jobs, const void *step);

} // namespace stand_in

// Of the shim: runs a kernel over a grid, and looks at its accesses if it is told of memory. Ours lies between guards.
extern "C" int asap_host_launch(stand_in::Kernel kernel, const char *name, const unsigned grid[3], unsigned threads,
                                unsigned shared_bytes, const void *jobs, const void *step, unsigned seed,
                                const void *memory, size_t memory_count, char *message, size_t message_bytes);

namespace stand_in {

struct Function {
    std::string name;
    Kernel kernel;
    unsigned shared_bytes = PLAIN_SHARED; // what it may have
};

struct Module {
    std::map<std::string, CUfunction> functions;
};

struct Event {
    bool recorded = false;
    bool done = false;
    std::chrono::steady_clock::time_point time;
};

// A launch with its arguments as they were when it was made.
struct Work {
    std::shared_ptr<Function> function;
    unsigned grid[3], threads, shared_bytes;
    uint64_t jobs, step;
};

struct Graph {
    std::vector<Work> launches;
};

struct Exec {
    std::vector<Work> launches;
    unsigned pending = 0; // launches of it that have not run
};

// What a stream does in one go.
struct Item {
    enum Kind { TO_DEVICE, TO_HOST, SET, LAUNCH, GRAPH, EVENT } kind;
    uint64_t device = 0;
    unsigned char *host = nullptr; // of a copy
    size_t bytes = 0;
    unsigned char value = 0;
    Work work = {};
    std::shared_ptr<Exec> exec = nullptr;
    std::shared_ptr<Event> event = nullptr;
};

struct Stream {
    std::deque<Item> queue;
    bool capturing = false;
    bool invalidated = false; // what it captures
    std::thread::id thread;   // that captures
    std::vector<Work> captured;
};

// Memory of the device or page-locked memory of the host, with guards on either side that nobody may write.
struct Memory {
    std::vector<unsigned char> whole;
    unsigned char *begin;
    size_t bytes;
};

// Objects of a kind by handle. No handle is given out twice, so that one that is stale is never a live one.
template <typename Handle, typename Object> struct Live {
    std::map<Handle, std::shared_ptr<Object>> objects;

    Handle add(std::shared_ptr<Object> object, uint64_t &numbers) {
        const Handle handle = reinterpret_cast<Handle>(numbers += 16);
        objects[handle] = std::move(object);
        return handle;
    }

    std::shared_ptr<Object> find(Handle handle) const {
        const auto found = objects.find(handle);
        return found == objects.end() ? nullptr : found->second;
    }
};

// When what is launched runs: as late as anything allows, at once, or at moments that a seed decides.
enum Order { LATE = 0, EARLY = 1 };

// A call that is to fail.
struct Failure {
    std::string function;
    unsigned calls_before;
    CUresult status;
    bool for_good; // every call fails from then on
};

struct State {
    std::recursive_mutex lock;
    bool initialised = false;
    uint64_t numbers = 0x57a0000000; // of handles
    uint64_t context = 0;            // 0: none
    unsigned retained = 0;
    unsigned most_shared = MOST_SHARED;
    Live<CUmodule, Module> modules;
    Live<CUfunction, Function> functions;
    Live<CUstream, Stream> streams;
    Live<CUevent, Event> events;
    Live<CUgraph, Graph> graphs;
    Live<CUgraphExec, Exec> execs;
    std::map<uint64_t, Memory> device, host; // by where they begin
    std::deque<Memory> given_back;           // for a while: nobody may write there
    size_t given_back_bytes = 0;
    uint64_t order = LATE, choices = 0;
    uint32_t seed = 0; // of the launches
    std::vector<Failure> failures;
    CUresult dead = CUDA_SUCCESS; // what every call says since something failed for good
    bool keep_finding = false;    // and go on, instead of ending the process
    std::string finding;
};

State &state();

// The context that calls of this thread are for, 0 if there is none.
extern thread_local uint64_t current;

// Says what is wrong with the program, and ends it unless a test wants to read it; then `status` comes back.
CUresult wrong(CUresult status, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The beginning of every call: what it needs, and whether it is to fail.
class Call {
  public:
    // A context; a context and a thread that captures nothing, for what may wait or change the device.
    enum Need { NOTHING, INITIALISED, CONTEXT, NO_CAPTURE };

    Call(const char *function, Need need);

    // Why the call does nothing at all.
    CUresult refused() const { return refused_; }
    // The same, or what failed for good before. What gives something back goes on then, and says so at its end.
    CUresult failed() const { return refused_ ? refused_ : state().dead; }

  private:
    std::lock_guard<std::recursive_mutex> guard_;
    CUresult refused_ = CUDA_SUCCESS;
};

// Whether a call of this function is to fail now, and how.
CUresult failure(const char *function);

// Adds to the end of a stream's queue, or captures; may run some of it.
CUresult enqueue(const char *function, CUstream handle, Item item);
// Runs what is queued up to an event, all of it if there is none.
void run(Stream &stream, const Event *until);
// The memory that holds all these bytes, or none.
const Memory *holding(const std::map<uint64_t, Memory> &memory, uint64_t address, size_t bytes);
// Whether nothing was written beside memory, or to memory that was given back.
void check_memory(const char *after);
// Forgets what is left of a context that ends.
void forget_all();
// What has not been given back, in words.
std::string left();

uint64_t number(const void *handle);

} // namespace stand_in

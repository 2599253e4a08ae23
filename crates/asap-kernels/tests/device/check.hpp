// What the compiler's instrumentation of every read and write is good for: accesses outside of all memory, and two
// threads at the same bytes, one of them writing, with nothing that puts one before the other. Threads of a block are
// ordered by __syncthreads, lanes of a warp by __syncwarp too, blocks of a grid by nothing. Shuffles and votes order no
// memory. Finds what this run does, never what it does not do: lanes that are never at the same bytes are no race.
#pragma once

#include <dlfcn.h>
#include <stdint.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>

// An allocation that kernels may use. `host.rs` has the same structure.
struct Memory {
    uintptr_t begin;
    size_t bytes;
};

// Who did something, and when.
struct Access {
    uint32_t block; // from 1; 0: nobody
    uint32_t barriers;
    uint32_t code;
    uint16_t warp_barriers;
    uint16_t thread;
    uint8_t bytes; // of the word, a bit each
};

// The bytes that a block shares.
struct Shared {
    uintptr_t begin;
    size_t bytes;
    size_t margin; // on either side, nobody's
};

class AccessCheck {
  public:
    // For one launch; memory by ascending address.
    void begin(const Memory *memory, size_t count) {
        memory_ = memory;
        count_ = count;
        pages_.clear();
        recent_.fill({0, nullptr});
    }

    // What is wrong with an access, or nothing.
    std::string see(Access now, uintptr_t at, size_t bytes, bool write, const Shared &shared) {
        const bool is_shared = at + shared.margin - shared.begin < shared.bytes + 2 * shared.margin;
        const std::string outside = is_shared ? outside_shared(at, bytes, shared) : outside_memory(at, bytes);
        if (!outside.empty()) return outside == ELSEWHERE ? "" : outside + code(now);
        for (uintptr_t word = at & ~WORD; word < at + bytes; word += WORD + 1) {
            now.bytes = 0;
            for (unsigned i = 0; i <= WORD; ++i) now.bytes |= (word + i >= at && word + i < at + bytes) << i;
            Cell &cell = cell_of(word);
            const Access *other = nullptr;
            if (conflict(cell.write, now, is_shared)) other = &cell.write;
            for (const Access &read : cell.reads) {
                if (write && conflict(read, now, is_shared)) other = &read;
            }
            if (other) return race(*other, now, word, write, other == &cell.write, is_shared ? &shared : nullptr);
            if (write) {
                cell.write = now;
                continue;
            }
            // The last reader, and the last one of another warp.
            const Access &last = cell.reads[0];
            if (last.block && (last.block != now.block || last.thread / 32 != now.thread / 32)) cell.reads[1] = last;
            cell.reads[0] = now;
        }
        return "";
    }

  private:
    static constexpr uintptr_t WORD = 3, PAGE = 4095;
    static constexpr const char *ELSEWHERE = "elsewhere";

    struct Cell {
        Access write;
        Access reads[2];
    };
    typedef std::array<Cell, (PAGE + 1) / (WORD + 1)> Page;

    static bool conflict(const Access &before, const Access &now, bool is_shared) {
        if (!before.block || !(before.bytes & now.bytes)) return false;
        if (before.block != now.block) return !is_shared;
        if (before.thread == now.thread || before.barriers != now.barriers) return false;
        return before.thread / 32 != now.thread / 32 || before.warp_barriers == now.warp_barriers;
    }

    Cell &cell_of(uintptr_t at) {
        const uintptr_t page = at / (PAGE + 1);
        auto &recent = recent_[page % recent_.size()];
        if (recent.first != page) {
            std::unique_ptr<Page> &found = pages_[page];
            if (!found) found.reset(new Page());
            recent = {page, found.get()};
        }
        return (*recent.second)[(at & PAGE) / (WORD + 1)];
    }

    static std::string outside_shared(uintptr_t at, size_t bytes, const Shared &shared) {
        if (at >= shared.begin && at + bytes <= shared.begin + shared.bytes) return "";
        return "an access of " + std::to_string(bytes) + " bytes at byte " +
               std::to_string(static_cast<ptrdiff_t>(at - shared.begin)) + " of " + std::to_string(shared.bytes) +
               " bytes of shared memory";
    }

    std::string outside_memory(uintptr_t at, size_t bytes) const {
        size_t below = 0, above = count_; // the last allocation that does not begin behind `at` is before `above`
        while (below < above) {
            const size_t middle = (below + above) / 2;
            if (memory_[middle].begin <= at) {
                below = middle + 1;
            } else {
                above = middle;
            }
        }
        if (below > 0 && at + bytes <= memory_[below - 1].begin + memory_[below - 1].bytes) return "";
        Dl_info info;
        // Constants of the kernels.
        if (dladdr(reinterpret_cast<void *>(at), &info)) return ELSEWHERE;
        const std::string what = "an access of " + std::to_string(bytes) + " bytes outside of all memory, ";
        if (below == 0) return what + "below all of it";
        const Memory &nearest = memory_[below - 1];
        return what + "at byte " + std::to_string(at - nearest.begin) + " of an allocation of " +
               std::to_string(nearest.bytes);
    }

    static std::string code(const Access &access) {
        char text[32];
        snprintf(text, sizeof text, " at code+0x%x", access.code);
        return text;
    }

    std::string race(const Access &before, const Access &now, uintptr_t word, bool write, bool wrote,
                     const Shared *shared) const {
        char text[300];
        const char *where = "an allocation";
        size_t at = word;
        if (shared) {
            where = "the shared memory";
            at -= shared->begin;
        } else {
            for (size_t i = 0; i < count_ && memory_[i].begin <= word; ++i) at = word - memory_[i].begin;
        }
        snprintf(text, sizeof text, "%s byte %zu of %s%s, which thread %u of block %u %s%s, and nothing orders the two",
                 write ? "writes" : "reads", at, where, code(now).c_str(), before.thread, before.block - 1,
                 wrote ? "wrote" : "read", code(before).c_str());
        return text;
    }

    const Memory *memory_ = nullptr;
    size_t count_ = 0;
    std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages_;
    std::array<std::pair<uintptr_t, Page *>, 64> recent_;
};

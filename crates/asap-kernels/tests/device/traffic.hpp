// What the accesses of a block cost the memory of a device, warp by warp. An instruction of a warp takes as many wavefronts as the
// fullest bank has different words, a quarter or a half of the warp at a time where each thread has 16 or 8 bytes, and as many sectors
// of 32 bytes as it touches. Instructions that the host's compiler made of a vector are taken for one again: words that a thread asks
// for one after the other and that lie side by side.
#pragma once

#include <stdint.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <unordered_map>
#include <vector>

// Since the last call of `asap_host_count`. `traffic.rs` has the same structure.
struct Traffic {
    uint64_t shared_waves;
    uint64_t sectors_read;
    uint64_t sectors_written;
    uint64_t instructions; // of threads, and only where nvcc has translated the kernels
};

class TrafficCount {
  public:
    void see(unsigned thread, uint32_t code, uintptr_t at, unsigned bytes, bool write, bool shared) {
        Last &last = last_[thread];
        if (last.index < accesses_.size()) {
            Access &before = accesses_[last.index];
            const bool goes_on = before.at % 16 + before.bytes + bytes <= 16 && at == before.at + before.bytes;
            if (goes_on && before.write == write && before.shared == shared) {
                before.bytes += bytes;
                return;
            }
        }
        last.index = accesses_.size();
        const uint32_t time = times_[static_cast<uint64_t>(thread) << 32 | code]++;
        accesses_.push_back({thread / 32, code, time, thread % 32, at, bytes, write, shared});
    }

    // The block has ended; the next begins.
    void add_block(Traffic &to) {
        std::sort(accesses_.begin(), accesses_.end(), [](const Access &x, const Access &y) {
            return std::tie(x.warp, x.code, x.time, x.lane) < std::tie(y.warp, y.code, y.time, y.lane);
        });
        for (size_t begin = 0, end; begin < accesses_.size(); begin = end) {
            end = begin;
            while (end < accesses_.size() && accesses_[end].is_with(accesses_[begin])) ++end;
            add_instruction(begin, end, to);
        }
        accesses_.clear();
        times_.clear();
        last_.fill({});
    }

  private:
    struct Access {
        unsigned warp;
        uint32_t code, time; // the thread's so many-th there
        unsigned lane;
        uintptr_t at;
        unsigned bytes;
        bool write, shared;

        bool is_with(const Access &other) const {
            return warp == other.warp && code == other.code && time == other.time;
        }
    };
    struct Last {
        size_t index = SIZE_MAX;
    };

    void add_instruction(size_t begin, size_t end, Traffic &to) {
        const Access &first = accesses_[begin];
        if (!first.shared) {
            std::vector<uintptr_t> sectors;
            for (size_t i = begin; i < end; ++i) {
                for (uintptr_t s = accesses_[i].at / 32; s <= (accesses_[i].at + accesses_[i].bytes - 1) / 32; ++s) sectors.push_back(s);
            }
            std::sort(sectors.begin(), sectors.end());
            const auto different = std::unique(sectors.begin(), sectors.end()) - sectors.begin();
            (first.write ? to.sectors_written : to.sectors_read) += static_cast<uint64_t>(different);
            return;
        }
        const unsigned lanes = first.bytes > 8 ? 8 : first.bytes > 4 ? 16 : 32;
        for (unsigned part = 0; part < 32; part += lanes) {
            std::array<std::vector<uintptr_t>, 32> banks;
            for (size_t i = begin; i < end; ++i) {
                const Access &access = accesses_[i];
                if (access.lane / lanes * lanes != part) continue;
                for (uintptr_t word = access.at / 4; word <= (access.at + access.bytes - 1) / 4; ++word) {
                    std::vector<uintptr_t> &bank = banks[word % 32];
                    if (std::find(bank.begin(), bank.end(), word) == bank.end()) bank.push_back(word);
                }
            }
            size_t most = 0;
            for (const auto &bank : banks) most = std::max(most, bank.size());
            to.shared_waves += most;
        }
    }

    std::vector<Access> accesses_;
    std::unordered_map<uint64_t, uint32_t> times_;
    std::array<Last, 1024> last_{};
};

// What kernels that are compiled with counters do: memory traffic by warps, lanes that stand by, arithmetic. Sums of integers over all
// blocks, so that neither the order of warps nor the number of workers changes a figure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace sim {

// In the order of cudasimReadCounters.
struct Counters {
  uint64_t global_bytes;    // that lanes asked for
  uint64_t global_sectors;  // of 32 bytes that a warp's accesses touch
  uint64_t shared_passes;   // that shared memory takes to serve them
  uint64_t bank_conflicts;  // passes beyond the fewest
  uint64_t barriers;        // of blocks
  uint64_t warp_steps;      // basic blocks that a warp goes through
  uint64_t lane_steps;      // and its lanes: 32 each where they agree
  uint64_t tensor_operations;
  uint64_t float_operations;
};

// Of one block while it runs.
class CounterLog {
 public:
  void begin(int threads);
  void access(unsigned thread, const void* site, uintptr_t address, size_t bytes, bool is_shared);
  void enter(unsigned thread, const void* site);
  void multiply(uint64_t operations) { totals_.tensor_operations += operations; }
  void barrier();
  // The lanes of a warp are at one place: what each did since the last one is put together.
  void meet(int warp);
  // Adds to the sums of all blocks.
  void end();

 private:
  struct Access {
    const void* site;
    uint32_t time;  // that the lane is at the site
    uint32_t lane;
    uintptr_t address;
    size_t bytes;
    bool is_shared;
  };
  struct Warp {
    std::vector<Access> accesses;
    std::array<std::unordered_map<const void*, uint32_t>, 32> times;
    std::unordered_map<const void*, std::array<uint32_t, 32>> steps;
  };

  void count_global(const Access* first, const Access* last);
  void count_shared(const Access* first, const Access* last);

  bool used_ = false;
  std::vector<Warp> warps_;
  std::vector<uint64_t> units_;
  Counters totals_ = {};
};

// Counts the floating-point instructions of each basic block of a library that is loaded at `base` from `path`.
void learn_library(const void* base, const std::string& path);
void forget_library(const void* base);

}  // namespace sim

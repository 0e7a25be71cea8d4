#include "counters.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

#include "device.h"

namespace sim {
namespace {

constexpr size_t kSector = 32;
constexpr unsigned kBanks = 32;
constexpr size_t kWord = 4;

std::mutex mutex;
Counters sums = {};
// By library, then by basic block: floating-point operations.
std::map<const void*, std::unordered_map<const void*, uint32_t>> libraries;

// Operations of one scalar instruction; conversions, moves and comparisons are none.
uint32_t operations_of(const std::string& mnemonic) {
  const size_t length = mnemonic.size();
  if (length < 5 || mnemonic.compare(length - 2, 2, "ss") != 0) return 0;
  const std::string plain = mnemonic[0] == 'v' ? mnemonic.substr(1) : mnemonic;
  if (plain.compare(0, 3, "fma") == 0 || plain.compare(0, 3, "fms") == 0 || plain.compare(0, 3, "fnm") == 0) return 2;
  for (const char* verb : {"add", "sub", "mul", "div", "sqrt", "min", "max"})
    if (plain == std::string(verb) + "ss") return 1;
  return 0;
}

uint32_t operations_at(const void* site) {
  std::lock_guard lock(mutex);
  auto library = libraries.upper_bound(site);
  if (library == libraries.begin()) return 0;
  const auto& blocks = std::prev(library)->second;
  const auto block = blocks.find(site);
  return block == blocks.end() ? 0 : block->second;
}

}  // namespace

void learn_library(const void* base, const std::string& path) {
  std::unordered_map<const void*, uint32_t> blocks;
  if (FILE* pipe = popen(("objdump -d --no-show-raw-insn -j .text " + path + " 2>/dev/null").c_str(), "r")) {
    char line[1024];
    const void* block = nullptr;
    bool begins = false;
    while (fgets(line, sizeof line, pipe)) {
      char* tab = strchr(line, '\t');
      if (!tab) {
        block = nullptr;
        continue;
      }
      // A block is known by where its hook returns to.
      if (begins) block = static_cast<const char*>(base) + strtoull(line, nullptr, 16);
      begins = strstr(tab, "__sanitizer_cov_trace_pc") != nullptr;
      if (block && !begins) blocks[block] += operations_of(std::string(tab + 1, strcspn(tab + 1, " \t\n")));
    }
    pclose(pipe);
  }
  std::lock_guard lock(mutex);
  libraries[base] = std::move(blocks);
}

void forget_library(const void* base) {
  std::lock_guard lock(mutex);
  libraries.erase(base);
}

void CounterLog::begin(int threads) {
  used_ = false;
  totals_ = {};
  warps_.resize(static_cast<size_t>((threads + 31) / 32));
}

void CounterLog::access(unsigned thread, const void* site, uintptr_t address, size_t bytes, bool is_shared) {
  used_ = true;
  auto& warp = warps_[thread / 32];
  const unsigned lane = thread % 32;
  warp.accesses.push_back({site, warp.times[lane][site]++, lane, address, bytes, is_shared});
}

void CounterLog::enter(unsigned thread, const void* site) {
  used_ = true;
  auto& lanes = warps_[thread / 32].steps.try_emplace(site).first->second;
  ++lanes[thread % 32];
}

void CounterLog::barrier() { ++totals_.barriers; }

void CounterLog::meet(int index) {
  if (!used_) return;
  auto& warp = warps_[static_cast<size_t>(index)];
  for (const auto& [site, lanes] : warp.steps) {
    uint64_t all = 0;
    for (const uint32_t times : lanes) all += times;
    totals_.lane_steps += all;
    totals_.warp_steps += *std::max_element(lanes.begin(), lanes.end());
    totals_.float_operations += all * operations_at(site);
  }
  warp.steps.clear();
  for (auto& times : warp.times) times.clear();

  auto& all = warp.accesses;
  std::sort(all.begin(), all.end(), [](const Access& a, const Access& b) {
    return std::tie(a.site, a.time, a.is_shared, a.lane) < std::tie(b.site, b.time, b.is_shared, b.lane);
  });
  for (size_t first = 0, last; first < all.size(); first = last) {
    for (last = first + 1; last < all.size() && all[last].site == all[first].site && all[last].time == all[first].time &&
                           all[last].is_shared == all[first].is_shared;
         ++last) {
    }
    if (all[first].is_shared)
      count_shared(&all[first], &all[0] + last);
    else
      count_global(&all[first], &all[0] + last);
  }
  all.clear();
}

void CounterLog::count_global(const Access* first, const Access* last) {
  units_.clear();
  for (; first != last; ++first) {
    totals_.global_bytes += first->bytes;
    for (uint64_t sector = first->address / kSector; sector <= (first->address + first->bytes - 1) / kSector; ++sector)
      units_.push_back(sector);
  }
  std::sort(units_.begin(), units_.end());
  totals_.global_sectors += static_cast<uint64_t>(std::unique(units_.begin(), units_.end()) - units_.begin());
}

// Lanes are served in groups that ask for 128 bytes together: all 32 for up to 4 bytes, half of them for 8, a quarter for 16. A group
// takes as many passes as the bank of which it wants most different words.
void CounterLog::count_shared(const Access* first, const Access* last) {
  const size_t words = std::max<size_t>(1, (first->bytes + kWord - 1) / kWord);
  const unsigned group_lanes = words >= kBanks ? 1 : static_cast<unsigned>(kBanks / words);
  for (unsigned group = 0; group < 32; group += group_lanes) {
    units_.clear();
    for (; first != last && first->lane < group + group_lanes; ++first)
      for (uint64_t word = first->address / kWord; word <= (first->address + first->bytes - 1) / kWord; ++word) units_.push_back(word);
    if (units_.empty()) continue;
    std::sort(units_.begin(), units_.end());
    units_.erase(std::unique(units_.begin(), units_.end()), units_.end());
    std::array<uint64_t, kBanks> wanted = {};
    for (const uint64_t word : units_) ++wanted[word % kBanks];
    const uint64_t passes = *std::max_element(wanted.begin(), wanted.end());
    totals_.shared_passes += passes;
    totals_.bank_conflicts += passes - (units_.size() + kBanks - 1) / kBanks;
  }
}

void CounterLog::end() {
  if (!used_) return;
  std::lock_guard lock(mutex);
  auto* to = reinterpret_cast<uint64_t*>(&sums);
  const auto* from = reinterpret_cast<const uint64_t*>(&totals_);
  for (size_t i = 0; i < sizeof(Counters) / sizeof(uint64_t); ++i) to[i] += from[i];
}

}  // namespace sim

// Reads the sums of all launches since the last call, and begins anew. Waiting for the device is the caller's.
SIM_EXPORT void cudasimReadCounters(uint64_t* counters) {
  std::lock_guard lock(sim::mutex);
  memcpy(counters, &sim::sums, sizeof sim::sums);
  sim::sums = {};
}

// Runs the threads of one block as fibers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../include/thread.h"
#include "counters.h"
#include "device.h"

namespace sim {

struct Launch {
  std::string name;  // for reports
  void (*run)(const void* parameters);
  const void* parameters;
  cudasim::Index3 grid, block;
  size_t shared_bytes;
  uint64_t seed;
};

struct Active;

// The stacks and shared memory of one worker thread.
class BlockRunner {
 public:
  // On the worker's own thread, once: its stack for signals belongs to that thread.
  BlockRunner();
  // Runs block number `index` of the grid to its end, or to what stops it.
  Failure run(const Launch& launch, uint64_t index);

 private:
  void prepare(const Launch& launch, uint64_t index);
  bool run_warp(int warp, uint64_t& random);
  bool complete(int warp);
  Failure deadlock() const;

  Active& active_;  // this worker's
  int threads_ = 0;
  unsigned char* shared_end_;
  std::vector<cudasim::ThreadState> states_;
  std::vector<unsigned char*> stacks_;  // their lowest bytes
  std::vector<std::unique_ptr<cudasim::Asynchronous>> pending_;
  std::vector<int> order_;
  CounterLog counters_;

  friend struct CounterHooks;
};

// Installs the handler that turns a kernel's bad access into a report.
void install_signal_handler();

// Runs `work` on this thread so that a bad access ends it with a report instead of the process.
Failure guarded(const std::string& name, const std::function<void()>& work);

}  // namespace sim

// The threads that stand for the multiprocessors.
#pragma once

#include "block.h"

namespace sim {

// Runs all blocks of a grid; the failure of the first block that has one.
Failure run_grid(const Launch& launch);

// Runs items 0 to count − 1 of host work that touches device memory.
Failure run_items(const std::string& name, uint64_t count, const std::function<void(uint64_t)>& item);

}  // namespace sim

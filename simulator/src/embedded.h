// The headers that kernels are compiled with, embedded when this library is built.
#pragma once

namespace sim {

extern const char* const kThread;
extern const char* const kPrelude;
extern const char* const kCounters;
extern const char* const kPtx;

}  // namespace sim

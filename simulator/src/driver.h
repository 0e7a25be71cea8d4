// What the files of the driver's functions share. Calls that submit work only queue it; calls that wait run what is queued, in order, so
// that a host that forgets to wait sees what was there before.
#pragma once

#include "device.h"
#include "module.h"

namespace sim {

inline Device& device() { return Device::get(); }

extern thread_local Device* current;
extern bool initialized;

// Compute capability times ten, the most shared memory that a block can ask for, and what the blocks of a multiprocessor share.
int architecture();
int max_shared_bytes();
int multiprocessor_shared_bytes();

// Whether this thread may call: initialised, with a context, and the context has not failed.
int check_context();

}  // namespace sim

#define CONTEXT()                            \
  SIM_FAULT();                               \
  std::lock_guard lock(sim::device().mutex); \
  if (const int status = sim::check_context()) return status

#define NOT_WHILE_CAPTURING() \
  if (sim::device().spoils_capture()) return sim::kCaptureUnsupported

// Declares `stream` from a handle.
#define FIND_STREAM(handle)                          \
  Stream* const stream = sim::device().find(handle); \
  if (!stream) return sim::kInvalidHandle

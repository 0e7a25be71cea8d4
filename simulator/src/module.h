// A loaded library of kernels.
#pragma once

#include <memory>
#include <vector>

#include "../include/thread.h"

namespace sim {

struct Library {
  void* handle;
  int file;
  ~Library();
};

struct Function {
  const cudasim::Entry* entry;
  std::shared_ptr<Library> library;
  size_t allowed_shared = 48 * 1024;
};

struct Module {
  std::vector<Function> functions;
};

// Null where the bytes are not a library that the simulated NVRTC made.
Module* load_module(const void* image);

}  // namespace sim

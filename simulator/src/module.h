// A loaded library of kernels.
#pragma once

#include <memory>
#include <vector>

#include "../include/thread.h"

namespace sim {

class Library {
 public:
  // Of one with counters, its address.
  Library(void* handle, int file, const void* base) : handle_(handle), file_(file), base_(base) {}
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library();

 private:
  void* handle_;
  int file_;
  const void* base_;
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

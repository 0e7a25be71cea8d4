// A thread of a block: a fiber whose state is in register r15, which kernels are compiled without. What kernels and the software device
// share.
#pragma once

// The C library's own headers: C++'s take most of the time that a small kernel takes to compile.
#define _GLIBCXX_INCLUDE_NEXT_C_HEADERS
#include <math.h>
#undef _GLIBCXX_INCLUDE_NEXT_C_HEADERS
#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace cudasim {

constexpr size_t kStackBytes = 128 * 1024;
constexpr int kWarp = 32;
constexpr int kMaxCopies = 512;
constexpr int kMaxProducts = 64;
constexpr int kMaxTiles = 32;

struct Index3 {
  unsigned x, y, z;
};

// Where in a kernel's source something is called: a function's last parameter, by default where the function is called.
struct Place {
  const char* file;
  int line;
  static constexpr Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

enum class Wait { None, Block, Warp, Done };

struct ThreadState;
using Complete = void (*)(ThreadState** lanes);

// A copy that cp.async has begun.
struct Copy {
  void* target;
  const void* source;
  int group;
  bool valid;
  size_t bytes;
};

// A thread's share of a wgmma that has begun.
struct Product {
  float (*sums)[4];
  unsigned a[4];
  float (*decode)(unsigned short);
  unsigned long long b;
  int columns;
  bool transposed;
};

// What the device does for a thread. Bound to the kernel's library when it is loaded.
struct Runtime {
  void (*yield)(ThreadState*);
  [[noreturn]] void (*fail)(ThreadState*, const char* message, Place at, int status);
  // Called by libraries that are compiled with counters alone. A site is a place in the code: lanes at the same site, there for the
  // same time, make one access of their warp.
  void (*access)(ThreadState*, const void* site, const void* address, size_t bytes);
  void (*enter)(ThreadState*, const void* site);
  void (*multiply)(ThreadState*, unsigned long long operations);
};

// What a thread has under way.
struct Asynchronous {
  Copy copy[kMaxCopies];
  float kept[kMaxTiles][4];
  Product product[kMaxProducts];
};

// The first cache line is what it takes to go from thread to thread.
struct alignas(64) ThreadState {
  void* stack;       // stack pointer while the thread waits
  void** scheduler;  // where the stack pointer of who runs the threads is
  Wait wait;
  unsigned mask;
  Complete complete;
  void* operands;  // of the warp operation that waits
  Place at;
  unsigned lane;
  const Runtime* runtime;
  unsigned char* shared;
  size_t shared_bytes;
  Index3 thread, block, block_dim, grid_dim;
  int copies, group;
  bool unpublished;     // copies have arrived since the last fence of the asynchronous proxy
  int products, tiles;  // of wgmma between its beginning and its end; 0 tiles elsewhere
  Asynchronous* pending;
  uintptr_t guard;  // the page below its stack
};

#ifdef CUDASIM_COUNTERS
inline constexpr bool kCounting = true;
// The thread whose accesses count: null while the device itself runs.
inline thread_local ThreadState* counted = nullptr;
#else
inline constexpr bool kCounting = false;
inline ThreadState* counted = nullptr;
#endif

// What the device does in a kernel's name is counted where it is done.
struct Uncounted {
  ThreadState* thread = kCounting ? counted : nullptr;
  Uncounted() {
    if (kCounting) counted = nullptr;
  }
  ~Uncounted() {
    if (kCounting) counted = thread;
  }
};

inline void give_way(ThreadState* state) {
  const Uncounted device;
  state->runtime->yield(state);
}

// In kernels alone. The same for as long as the thread lives, so that the compiler may ask once.
inline ThreadState* self() {
  ThreadState* state;
  asm("mov %%r15, %0" : "=r"(state));
  return state;
}

[[noreturn]] inline void fail(const char* message, Place at, int status = 719) { self()->runtime->fail(self(), message, at, status); }

// An access of the instruction that this function stands for.
inline void count_access(const void* address, size_t bytes, Place at) {
  if (kCounting && counted) counted->runtime->access(counted, at.file + at.line, address, bytes);
}

inline void check_aligned(const void* pointer, size_t bytes, Place at) {
  if (reinterpret_cast<uintptr_t>(pointer) % bytes != 0) fail("an address is not a multiple of the access's size", at, 716);
}

inline void check_shared(const void* pointer, size_t bytes, Place at) {
  auto* state = self();
  auto* first = static_cast<const unsigned char*>(pointer);
  if (first < state->shared || first + bytes > state->shared + state->shared_bytes)
    fail("an address lies outside the block's shared memory", at, 700);
}

inline void sync_threads(Place at) {
  auto* state = self();
  state->wait = Wait::Block;
  state->at = at;
  give_way(state);
}

// Waits until every lane of the mask is in the same operation; the last one's arrival completes it for all.
inline void warp_operation(unsigned mask, Complete complete, void* operands, Place at) {
  auto* state = self();
  if ((mask >> state->lane & 1) == 0) fail("a lane takes part in a warp operation whose mask leaves it out", at);
  state->wait = Wait::Warp;
  state->mask = mask;
  state->complete = complete;
  state->operands = operands;
  state->at = at;
  give_way(state);
}

inline void sync_warp(unsigned mask, Place at) {
  warp_operation(
      mask, [](ThreadState**) {}, nullptr, at);
}

template <typename T>
struct Shuffle {
  T value;
  int source;  // lane, or -1 for the lane's own value
  T result;
};

template <typename T>
T shuffle(unsigned mask, T value, int source, Place at) {
  Shuffle<T> operands{value, source, value};
  warp_operation(
      mask,
      [](ThreadState** lanes) {
        for (int i = 0; i < kWarp; ++i) {
          if (!lanes[i]) continue;
          auto* own = static_cast<Shuffle<T>*>(lanes[i]->operands);
          // A lane outside the mask gives an undefined value: poison.
          if (own->source < 0) continue;
          if (lanes[own->source])
            own->result = static_cast<Shuffle<T>*>(lanes[own->source]->operands)->value;
          else
            memset(&own->result, 0xff, sizeof(T));
        }
      },
      &operands, at);
  return operands.result;
}

struct Vote {
  bool value;
  unsigned result;
};

inline unsigned ballot(unsigned mask, bool value, Place at) {
  Vote operands{value, 0};
  warp_operation(
      mask,
      [](ThreadState** lanes) {
        unsigned bits = 0;
        for (int i = 0; i < kWarp; ++i)
          if (lanes[i] && static_cast<Vote*>(lanes[i]->operands)->value) bits |= 1u << i;
        for (int i = 0; i < kWarp; ++i)
          if (lanes[i]) static_cast<Vote*>(lanes[i]->operands)->result = bits;
      },
      &operands, at);
  return operands.result;
}

// One instance that the library holds.
struct Entry {
  const char* expression;
  const char* name;
  size_t parameter_bytes;
  void (*run)(const void* parameters);
};

template <typename P>
struct Parameters {
  using Type = P;
};

template <typename P>
Parameters<P> parameters_of(void (*)(P));

template <typename P>
void call(void (*kernel)(P), const void* parameters) {
  P copy;
  memcpy(static_cast<void*>(&copy), parameters, sizeof(P));
  if (kCounting) counted = self();
  // The compiler moves no access of the kernel out of here.
  asm volatile("" ::: "memory");
  kernel(copy);
  asm volatile("" ::: "memory");
  if (kCounting) counted = nullptr;
}

}  // namespace cudasim

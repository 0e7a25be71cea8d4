// The hooks that the compiler puts into a library with counters (-fsanitize=thread, -fsanitize-coverage=trace-pc): every access to memory
// and every basic block report where they are. Compiled without hooks of its own and linked to each such library.
#include "thread.h"

extern "C" __attribute__((visibility("default"))) const int cudasim_has_counters = 1;

namespace {

inline void report(const void* site, const void* address, size_t bytes) {
  if (auto* thread = cudasim::counted) thread->runtime->access(thread, site, address, bytes);
}

}  // namespace

#define HOOK(name, bytes) \
  extern "C" void __tsan_##name(void* address) { report(__builtin_return_address(0), address, bytes); }
#define HOOKS(kind)              \
  HOOK(kind##1, 1)               \
  HOOK(kind##2, 2)               \
  HOOK(kind##4, 4)               \
  HOOK(kind##8, 8)               \
  HOOK(kind##16, 16)             \
  HOOK(unaligned_##kind##2, 2)   \
  HOOK(unaligned_##kind##4, 4)   \
  HOOK(unaligned_##kind##8, 8)   \
  HOOK(unaligned_##kind##16, 16) \
  extern "C" void __tsan_##kind##_range(void* address, size_t bytes) { report(__builtin_return_address(0), address, bytes); }

HOOKS(read)
HOOKS(write)

extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
extern "C" void __tsan_init() {}

// Atomics happen where they are reported. Order: the strongest.
#define ATOMIC(name, type)                                                                                            \
  extern "C" type __tsan_atomic##name##_load(const volatile type* at, int) {                                          \
    report(__builtin_return_address(0), const_cast<const type*>(at), sizeof(type));                                   \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                                     \
  }                                                                                                                   \
  extern "C" void __tsan_atomic##name##_store(volatile type* at, type value, int) {                                   \
    report(__builtin_return_address(0), const_cast<const type*>(at), sizeof(type));                                   \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                                    \
  }                                                                                                                   \
  extern "C" type __tsan_atomic##name##_exchange(volatile type* at, type value, int) {                                \
    report(__builtin_return_address(0), const_cast<const type*>(at), sizeof(type));                                   \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                                          \
  }                                                                                                                   \
  extern "C" type __tsan_atomic##name##_fetch_add(volatile type* at, type value, int) {                               \
    report(__builtin_return_address(0), const_cast<const type*>(at), sizeof(type));                                   \
    return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);                                                           \
  }                                                                                                                   \
  extern "C" type __tsan_atomic##name##_fetch_or(volatile type* at, type value, int) {                                \
    report(__builtin_return_address(0), const_cast<const type*>(at), sizeof(type));                                   \
    return __atomic_fetch_or(at, value, __ATOMIC_SEQ_CST);                                                            \
  }                                                                                                                   \
  extern "C" int __tsan_atomic##name##_compare_exchange_strong(volatile type* at, type* seen, type value, int, int) { \
    report(__builtin_return_address(0), const_cast<const type*>(at), sizeof(type));                                   \
    return __atomic_compare_exchange_n(at, seen, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                   \
  }                                                                                                                   \
  extern "C" type __tsan_atomic##name##_compare_exchange_val(volatile type* at, type seen, type value, int, int) {    \
    report(__builtin_return_address(0), const_cast<const type*>(at), sizeof(type));                                   \
    __atomic_compare_exchange_n(at, &seen, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                         \
    return seen;                                                                                                      \
  }

ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

extern "C" void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

extern "C" void __sanitizer_cov_trace_pc() {
  if (auto* thread = cudasim::counted) thread->runtime->enter(thread, __builtin_return_address(0));
}

// What a kernel sees of the software device, in place of what NVRTC builds in: included before every source that the simulated NVRTC
// compiles.
#pragma once

#include "thread.h"

#define __CUDACC__ 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

#define threadIdx (::cudasim::self()->thread)
#define blockIdx (::cudasim::self()->block)
#define blockDim (::cudasim::self()->block_dim)
#define gridDim (::cudasim::self()->grid_dim)

inline void __syncthreads(cudasim::Place at = cudasim::Place::here()) { cudasim::sync_threads(at); }

inline void __syncwarp(unsigned mask = 0xffffffffu, cudasim::Place at = cudasim::Place::here()) { ::cudasim::sync_warp(mask, at); }

template <typename T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, cudasim::Place at = cudasim::Place::here()) {
  const int lane = static_cast<int>(cudasim::self()->lane);
  return cudasim::shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)), at);
}

template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, cudasim::Place at = cudasim::Place::here()) {
  const int lane = static_cast<int>(cudasim::self()->lane);
  const int source = lane ^ bits;
  return cudasim::shuffle(mask, value, source < (lane & ~(width - 1)) + width ? source : -1, at);
}

template <typename T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, cudasim::Place at = cudasim::Place::here()) {
  const int lane = static_cast<int>(cudasim::self()->lane);
  const int source = lane - static_cast<int>(delta);
  return cudasim::shuffle(mask, value, source >= (lane & ~(width - 1)) ? source : -1, at);
}

template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, cudasim::Place at = cudasim::Place::here()) {
  const int lane = static_cast<int>(cudasim::self()->lane);
  const int source = lane + static_cast<int>(delta);
  return cudasim::shuffle(mask, value, source < (lane & ~(width - 1)) + width ? source : -1, at);
}

inline unsigned __ballot_sync(unsigned mask, int value, cudasim::Place at = cudasim::Place::here()) {
  return cudasim::ballot(mask, value != 0, at);
}
inline int __any_sync(unsigned mask, int value, cudasim::Place at = cudasim::Place::here()) {
  return cudasim::ballot(mask, value != 0, at) != 0;
}
inline int __all_sync(unsigned mask, int value, cudasim::Place at = cudasim::Place::here()) {
  return cudasim::ballot(mask, value != 0, at) == mask;
}

template <typename T>
inline T atomicAdd(T* address, T value) {
  if constexpr (sizeof(T) == 4 && T(0.5f) != T(0)) {
    uint32_t seen = __atomic_load_n(reinterpret_cast<uint32_t*>(address), __ATOMIC_SEQ_CST);
    for (;;) {
      T old;
      memcpy(&old, &seen, 4);
      const T sum = old + value;
      uint32_t bits;
      memcpy(&bits, &sum, 4);
      if (__atomic_compare_exchange_n(reinterpret_cast<uint32_t*>(address), &seen, bits, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return old;
    }
  } else {
    return __atomic_fetch_add(address, value, __ATOMIC_SEQ_CST);
  }
}

template <typename T>
inline T atomicMax(T* address, T value) {
  T old = __atomic_load_n(address, __ATOMIC_SEQ_CST);
  while (old < value && !__atomic_compare_exchange_n(address, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return old;
}

template <typename T>
inline T atomicMin(T* address, T value) {
  T old = __atomic_load_n(address, __ATOMIC_SEQ_CST);
  while (value < old && !__atomic_compare_exchange_n(address, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return old;
}

template <typename T>
inline T atomicExch(T* address, T value) {
  return __atomic_exchange_n(address, value, __ATOMIC_SEQ_CST);
}

template <typename T>
inline T atomicCAS(T* address, T compare, T value) {
  __atomic_compare_exchange_n(address, &compare, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return compare;
}

template <typename T>
inline T atomicOr(T* address, T value) {
  return __atomic_fetch_or(address, value, __ATOMIC_SEQ_CST);
}

inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

inline unsigned __float_as_uint(float value) { return __builtin_bit_cast(unsigned, value); }
inline float __uint_as_float(unsigned value) { return __builtin_bit_cast(float, value); }
inline int __float_as_int(float value) { return __builtin_bit_cast(int, value); }
inline float __int_as_float(int value) { return __builtin_bit_cast(float, value); }
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __clz(int value) { return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline int __float2int_rn(float x) { return static_cast<int>(rintf(x)); }

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline long min(long a, long b) { return a < b ? a : b; }
inline long max(long a, long b) { return a > b ? a : b; }
inline unsigned long min(unsigned long a, unsigned long b) { return a < b ? a : b; }
inline unsigned long max(unsigned long a, unsigned long b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }
inline unsigned long long min(unsigned long long a, unsigned long long b) { return a < b ? a : b; }
inline unsigned long long max(unsigned long long a, unsigned long long b) { return a > b ? a : b; }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
template <typename T>
inline T __ldg(const T* pointer) {
  return *pointer;
}

namespace cudasim {

// A vector moves as one: a load or store of it is one access, which needs its alignment.
template <size_t Bytes>
inline void move_whole(void* to, const void* from) {
  typedef unsigned long long Whole __attribute__((vector_size(Bytes), may_alias));
  Whole value = *static_cast<const Whole*>(from);
  // The compiler would load just the parts that are used.
  asm("" : "+x"(value));
  *static_cast<Whole*>(to) = value;
}

template <typename E>
struct alignas(8) Pair {
  E x, y;
  Pair() = default;
  Pair(E a, E b) : x(a), y(b) {}
  Pair(const Pair& other) { move_whole<8>(this, &other); }
  Pair& operator=(const Pair& other) {
    move_whole<8>(this, &other);
    return *this;
  }
};

template <typename E>
struct alignas(16) Quad {
  E x, y, z, w;
  Quad() = default;
  Quad(E a, E b, E c, E d) : x(a), y(b), z(c), w(d) {}
  Quad(const Quad& other) { move_whole<16>(this, &other); }
  Quad& operator=(const Quad& other) {
    move_whole<16>(this, &other);
    return *this;
  }
};

}  // namespace cudasim

using uint2 = cudasim::Pair<unsigned>;
using int2 = cudasim::Pair<int>;
using float2 = cudasim::Pair<float>;
using uint4 = cudasim::Quad<unsigned>;
using int4 = cudasim::Quad<int>;
using float4 = cudasim::Quad<float>;
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

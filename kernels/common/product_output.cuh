// What becomes of a product's result. NVRTC rule: device code only.
#pragma once

#include "common/activations.cuh"
#include "common/types.cuh"

namespace weft {

struct StoreHalf {
  static constexpr bool kGated = false;
  static constexpr bool kLimited = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float value, float) {
    static_cast<T*>(y)[at] = from_float<T>(value);
  }
};

struct StoreFloat {
  static constexpr bool kGated = false;
  static constexpr bool kLimited = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float value, float) {
    static_cast<float*>(y)[at] = value;
  }
};

struct Accumulate {
  static constexpr bool kGated = false;
  static constexpr bool kLimited = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float value, float) {
    static_cast<float*>(y)[at] += value;
  }
};

template <typename A>
struct Gate {
  static constexpr bool kGated = true;
  static constexpr bool kLimited = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float gate, float up) {
    static_cast<T*>(y)[at] = from_float<T>(A::apply(gate) * up);
  }
};

// Gates are clamped from above, ups from both sides and made larger by one, before they get here.
template <typename A>
struct LimitedGate : Gate<A> {
  static constexpr bool kLimited = true;
};

}  // namespace weft

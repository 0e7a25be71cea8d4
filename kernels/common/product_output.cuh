// What becomes of a product's result. NVRTC rule: device code only.
#pragma once

#include "common/activations.cuh"
#include "common/types.cuh"

namespace weft {

struct StoreHalf {
  static constexpr bool kGated = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float value, float) {
    static_cast<T*>(y)[at] = from_float<T>(value);
  }
};

struct StoreFloat {
  static constexpr bool kGated = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float value, float) {
    static_cast<float*>(y)[at] = value;
  }
};

struct Accumulate {
  static constexpr bool kGated = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float value, float) {
    static_cast<float*>(y)[at] += value;
  }
};

template <typename A>
struct Gate {
  static constexpr bool kGated = true;
  template <typename T>
  __device__ static void store(void* y, size_t at, float gate, float up) {
    static_cast<T*>(y)[at] = from_float<T>(A::apply(gate) * up);
  }
};

}  // namespace weft

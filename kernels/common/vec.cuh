// Eight 16-bit values moved as one 16-byte access. NVRTC rule: device code only.
#pragma once

#include "common/types.cuh"

namespace weft {

constexpr int kVec = 8;

template <typename T>
struct alignas(16) Vec {
  unsigned pairs[4];

  __device__ void unpack(float (&values)[kVec]) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) unpack2<T>(pairs[i], values[2 * i], values[2 * i + 1]);
  }

  __device__ static Vec pack(const float (&values)[kVec]) {
    Vec v;
#pragma unroll
    for (int i = 0; i < 4; ++i) v.pairs[i] = pack2<T>(values[2 * i], values[2 * i + 1]);
    return v;
  }

  __device__ static Vec load(const T* global) { return *reinterpret_cast<const Vec*>(global); }

  __device__ static Vec load_streaming(const T* global) {
    const uint4 v = ptx::load_streaming(global);
    return {{v.x, v.y, v.z, v.w}};
  }

  __device__ void store(T* target) const { *reinterpret_cast<Vec*>(target) = *this; }
};

}  // namespace weft

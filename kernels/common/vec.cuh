// Eight values, or four, moved as one or two 16-byte accesses. NVRTC rule: device code only.
#pragma once

#include "common/types.cuh"

namespace weft {

constexpr int kVec = 8;

// Eight 16-bit values of a vector, and back.
template <typename T>
__device__ inline void unpack8(uint4 v, float (&values)[kVec]) {
  unpack2<T>(v.x, values[0], values[1]);
  unpack2<T>(v.y, values[2], values[3]);
  unpack2<T>(v.z, values[4], values[5]);
  unpack2<T>(v.w, values[6], values[7]);
}

template <typename T>
__device__ inline uint4 pack8(const float (&values)[kVec]) {
  return make_uint4(pack2<T>(values[0], values[1]), pack2<T>(values[2], values[3]), pack2<T>(values[4], values[5]),
                    pack2<T>(values[6], values[7]));
}

// The first `count` of eight 16-bit values, and zeros after them.
__device__ inline uint4 first_of8(uint4 v, int count) {
  unsigned pairs[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) pairs[i] &= (2 * i < count ? 0xffffu : 0u) | (2 * i + 1 < count ? 0xffff0000u : 0u);
  return make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}

template <typename T>
__device__ inline void load8(const T* source, float (&values)[kVec]) {
  unpack8<T>(*reinterpret_cast<const uint4*>(source), values);
}

__device__ inline void load8(const float* source, float (&values)[kVec]) {
  const float4 low = reinterpret_cast<const float4*>(source)[0];
  const float4 high = reinterpret_cast<const float4*>(source)[1];
  values[0] = low.x, values[1] = low.y, values[2] = low.z, values[3] = low.w;
  values[4] = high.x, values[5] = high.y, values[6] = high.z, values[7] = high.w;
}

template <typename T>
__device__ inline void store8(T* target, const float (&values)[kVec]) {
  *reinterpret_cast<uint4*>(target) = pack8<T>(values);
}

__device__ inline void store8(float* target, const float (&values)[kVec]) {
  reinterpret_cast<float4*>(target)[0] = make_float4(values[0], values[1], values[2], values[3]);
  reinterpret_cast<float4*>(target)[1] = make_float4(values[4], values[5], values[6], values[7]);
}

// Four float32 values as one access.
__device__ inline void load4(const float* source, float (&values)[4]) {
  const float4 v = *reinterpret_cast<const float4*>(source);
  values[0] = v.x, values[1] = v.y, values[2] = v.z, values[3] = v.w;
}

__device__ inline void store4(float* target, const float (&values)[4]) {
  *reinterpret_cast<float4*>(target) = make_float4(values[0], values[1], values[2], values[3]);
}

// The same at the end of a row: elements from `count` on are 0 and not touched.
template <typename T>
__device__ inline void load8(const T* source, int count, float (&values)[kVec]) {
  if (count >= kVec) {
    load8(source, values);
    return;
  }
#pragma unroll
  for (int i = 0; i < kVec; ++i) values[i] = i < count ? to_float(source[i]) : 0.0f;
}

template <typename T>
__device__ inline void store8(T* target, int count, const float (&values)[kVec]) {
  if (count >= kVec) {
    store8(target, values);
    return;
  }
#pragma unroll
  for (int i = 0; i < kVec; ++i)
    if (i < count) target[i] = from_float<T>(values[i]);
}

}  // namespace weft

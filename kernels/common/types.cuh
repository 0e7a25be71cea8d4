// The 16-bit types of weights, activations and cache, and their conversions. NVRTC rule: device code only, includes nothing of CUDA's.
#pragma once

#include "common/ptx.cuh"

namespace weft {

constexpr unsigned kFullMask = 0xffffffffu;
constexpr int kWarpSize = 32;
constexpr float kInfinity = __builtin_bit_cast(float, 0x7f800000);
constexpr float kLog2e = 1.4426950408889634f;

struct bf16 {
  unsigned short bits;
};

struct f16 {
  unsigned short bits;
};

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(bf16 value) { return __uint_as_float(static_cast<unsigned>(value.bits) << 16); }
__device__ inline float to_float(f16 value) { return ptx::f16_to_float(value.bits); }

// Rounds to nearest, ties to even; f16 saturates.
template <typename T>
__device__ inline T from_float(float value);

template <>
__device__ inline float from_float<float>(float value) {
  return value;
}

template <>
__device__ inline bf16 from_float<bf16>(float value) {
  return {ptx::float_to_bf16(value)};
}

template <>
__device__ inline f16 from_float<f16>(float value) {
  return {ptx::float_to_f16(value)};
}

// Two 16-bit values in one register, the first in the low half.
template <typename T>
__device__ inline unsigned pack2(float low, float high) {
  return static_cast<unsigned>(from_float<T>(low).bits) | static_cast<unsigned>(from_float<T>(high).bits) << 16;
}

template <>
__device__ inline unsigned pack2<f16>(float low, float high) {
  return ptx::floats_to_f16x2(low, high);
}

// The same of values that fit any type, such as weights of a softmax and codes.
template <typename T>
__device__ inline unsigned pack2_in_range(float low, float high);

template <>
__device__ inline unsigned pack2_in_range<bf16>(float low, float high) {
  return pack2<bf16>(low, high);
}

template <>
__device__ inline unsigned pack2_in_range<f16>(float low, float high) {
  return ptx::floats_to_f16x2_in_range(low, high);
}

template <typename T>
__device__ inline void unpack2(unsigned pair, float& low, float& high) {
  low = to_float(T{static_cast<unsigned short>(pair)});
  high = to_float(T{static_cast<unsigned short>(pair >> 16)});
}

}  // namespace weft

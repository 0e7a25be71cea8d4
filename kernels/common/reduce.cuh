// Reductions over a warp and over a block, in a fixed order so that results repeat. NVRTC rule: device code only.
#pragma once

#include "common/types.cuh"

namespace weft {

struct Sum {
  __device__ static float identity() { return 0.0f; }
  __device__ float operator()(float a, float b) const { return a + b; }
};

struct Max {
  __device__ static float identity() { return -kInfinity; }
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// Over Width neighbouring lanes (a power of two); every lane gets the result.
template <typename Op, int Width = kWarpSize>
__device__ inline float warp_reduce(float value) {
#pragma unroll
  for (int offset = Width / 2; offset > 0; offset /= 2) value = Op()(value, __shfl_xor_sync(kFullMask, value, offset));
  return value;
}

// Over all threads of a one-dimensional block of whole warps; every thread gets the result. scratch: one float a warp, in shared
// memory; it may be used again at once.
template <typename Op>
__device__ inline float block_reduce(float value, float* scratch) {
  const int lane = threadIdx.x % kWarpSize;
  const int warp = threadIdx.x / kWarpSize;
  const int warps = blockDim.x / kWarpSize;
  value = warp_reduce<Op>(value);
  if (lane == 0) scratch[warp] = value;
  __syncthreads();
  value = warp_reduce<Op>(lane < warps ? scratch[lane] : Op::identity());
  __syncthreads();
  return value;
}

}  // namespace weft

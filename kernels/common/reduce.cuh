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

// Count sums over `lanes` neighbouring lanes, Count ≤ lanes, both powers of two, in Count − 1 exchanges and log2(lanes / Count) more: the
// lane gets sum scattered<Count>(lane).
template <int Count>
__device__ inline float reduce_scatter(float (&sums)[Count], int lane, int lanes) {
#pragma unroll
  for (int half = Count / 2, offset = 1; half > 0; half /= 2, offset *= 2) {
    const bool upper = lane & offset;
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const float given = upper ? sums[i] : sums[i + half];
      sums[i] = (upper ? sums[i + half] : sums[i]) + __shfl_xor_sync(kFullMask, given, offset);
    }
  }
  for (int offset = Count; offset < lanes; offset *= 2) sums[0] += __shfl_xor_sync(kFullMask, sums[0], offset);
  return sums[0];
}

template <int Count>
__device__ inline int scattered(int lane) {
  int index = 0;
#pragma unroll
  for (int half = Count / 2, offset = 1; half > 0; half /= 2, offset *= 2) index += lane & offset ? half : 0;
  return index;
}

}  // namespace weft

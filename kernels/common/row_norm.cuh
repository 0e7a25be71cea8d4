// The statistics of one row, formed by a whole block. NVRTC rule: device code only.
#pragma once

#include "common/reduce.cuh"
#include "common/vec.cuh"

namespace weft {

// Threads that form a row's statistics.
constexpr int kNormThreads = 256;

// 1 / sqrt(mean(x²) + ε) of a row [width] (Zhang and Sennrich 2019, arXiv 1910.07467). Rows start at multiples of 16 bytes.
template <typename X>
__device__ inline float rms_scale(const X* row, int width, float epsilon, float* scratch) {
  float sum = 0.0f;
  for (int c = threadIdx.x * kVec; c < width; c += kNormThreads * kVec) {
    float x[kVec];
    load8(row + c, width - c, x);
#pragma unroll
    for (int i = 0; i < kVec; ++i) sum += x[i] * x[i];
  }
  return rsqrtf(block_reduce<Sum>(sum, scratch) / width + epsilon);
}

}  // namespace weft

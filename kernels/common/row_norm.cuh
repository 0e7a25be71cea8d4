// The statistics of one row, formed by a whole block, and what its product multiplies. NVRTC rule: device code only.
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

// Values of T that a normed element of a token that was drawn is multiplied as. One bf16 would cost a model's logits a tenth of their
// accuracy; the sum of two is exact to twice the bits. Prompts are long, and make do with one: a token's kind, not its company, decides.
template <typename T>
struct NormedParts {
  static constexpr int kCount = 1;
};
template <>
struct NormedParts<bf16> {
  static constexpr int kCount = 2;
};

// Rounds eight values; leaves what that lost of them.
template <typename T>
__device__ inline uint4 round8(float (&values)[kVec]) {
  const uint4 rounded = pack8<T>(values);
  float kept[kVec];
  unpack8<T>(rounded, kept);
#pragma unroll
  for (int i = 0; i < kVec; ++i) values[i] -= kept[i];
  return rounded;
}

}  // namespace weft

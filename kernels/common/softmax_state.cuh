// The state of a softmax over scores that come piece by piece (Milakov and Gimelshein 2018, arXiv 1805.02867), in units of log2.
// NVRTC rule: device code only.
#pragma once

#include "common/types.cuh"

namespace weft {

struct SoftmaxState {
  float max = -kInfinity;
  float sum = 0.0f;

  // What earlier exponentials are to be multiplied by when the maximum becomes `next`.
  __device__ float rescale(float next) const { return max == -kInfinity ? 0.0f : ptx::exp2_approx(max - next); }

  // exp2(s − max), 0 while nothing was seen.
  __device__ float weight(float s) const { return s == -kInfinity ? 0.0f : ptx::exp2_approx(s - max); }

  // Takes in another state; returns the factors for the two accumulators.
  __device__ void merge(const SoftmaxState& other, float& own_factor, float& other_factor) {
    const float next = fmaxf(max, other.max);
    own_factor = rescale(next);
    other_factor = other.rescale(next);
    sum = sum * own_factor + other.sum * other_factor;
    max = next;
  }

  __device__ float inverse() const { return sum > 0.0f ? 1.0f / sum : 0.0f; }
};

}  // namespace weft

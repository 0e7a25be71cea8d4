// Element by element, for blocks that carry a state; inputs are float32.
//   mix:   y = x + delta · (w + adjustment)      adjustment may be null
//   lerp:  y = x + (other − x) · amount
//   gate:  y = A(amount) · x
// All [N, stride] but w [C]. One block a row.
#include "common/activations.cuh"
#include "common/vec.cuh"

namespace weft {

struct MixParams {
  const float* x;
  const float* delta;
  const float* adjustment;
  const float* weight;
  void* y;
  int width;
  int stride;
  int y_stride;
};

constexpr int kMixThreads = 128;

// f(c, i) is the element in column c, i numbers into the inputs.
template <typename Y, typename F>
__device__ inline void each_element(const MixParams& p, F f) {
  Y* y = static_cast<Y*>(p.y) + static_cast<size_t>(blockIdx.x) * p.y_stride;
  for (int c = threadIdx.x; c < p.width; c += kMixThreads) y[c] = from_float<Y>(f(c, static_cast<size_t>(blockIdx.x) * p.stride + c));
}

template <typename Y>
__global__ void __launch_bounds__(kMixThreads) mix(MixParams p) {
  ptx::wait_for_previous_launch();
  each_element<Y>(p, [&](int c, size_t i) { return p.x[i] + p.delta[i] * (p.weight[c] + (p.adjustment ? p.adjustment[i] : 0.0f)); });
}

template <typename Y>
__global__ void __launch_bounds__(kMixThreads) lerp(MixParams p) {
  ptx::wait_for_previous_launch();
  each_element<Y>(p, [&](int, size_t i) { return p.x[i] + (p.delta[i] - p.x[i]) * p.adjustment[i]; });
}

// What a scan gives grows with its state, beyond the range of f16.
template <typename Y, typename A>
__global__ void __launch_bounds__(kMixThreads) gate(MixParams p) {
  ptx::wait_for_previous_launch();
  each_element<Y>(p, [&](int, size_t i) { return A::apply(p.adjustment[i]) * p.x[i]; });
}

}  // namespace weft

// y[n] = Σ_i w[n, i] · x[places[n, i]], float32: what the experts of a token gave, weighed, added up in the order in which they were
// chosen.
//   x [assignments, x_stride], places [N, A] or null for row n itself, weights [N, weight_stride], y [N, y_stride]; y may be x without
//   places
// One block a row.
#include "common/vec.cuh"

namespace weft {

struct CombineParams {
  const float* x;
  const int* places;
  const float* weights;
  float* y;
  int width;
  int active;  // A
  int x_stride;
  int weight_stride;
  int y_stride;
  int sigmoid;  // of the weights: they are a switch's logits
};

constexpr int kCombineThreads = 128;

__global__ void __launch_bounds__(kCombineThreads) combine(CombineParams p) {
  ptx::wait_for_previous_launch();
  ptx::allow_next_launch();
  const int n = blockIdx.x;
  const float* weights = p.weights + static_cast<size_t>(n) * p.weight_stride;
  for (int c = threadIdx.x * kVec; c < p.width; c += kCombineThreads * kVec) {
    float sums[kVec] = {};
    for (int i = 0; i < p.active; ++i) {
      const int row = p.places ? p.places[n * p.active + i] : n;
      const float weight = p.sigmoid ? 1.0f / (1.0f + __expf(-weights[i])) : weights[i];
      float given[kVec];
      load8(p.x + static_cast<size_t>(row) * p.x_stride + c, p.width - c, given);
#pragma unroll
      for (int j = 0; j < kVec; ++j) sums[j] += weight * given[j];
    }
    store8(p.y + static_cast<size_t>(n) * p.y_stride + c, p.width - c, sums);
  }
}

}  // namespace weft

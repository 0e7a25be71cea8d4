// x[r, v] = cap · tanh(scale · row_scale[v] · x[r, v] / cap), in place; without a cap scale · row_scale[v] · x[r, v].
//   x [R, stride] float32; row_scale [V] float32, or null: 1
#include "common/vec.cuh"

namespace weft {

struct ScaleLogitsParams {
  float* x;
  const float* row_scale;
  int width;
  int stride;
  float scale;
  float soft_cap;  // 0: none
};

constexpr int kScaleLogitsThreads = 256;

__global__ void __launch_bounds__(kScaleLogitsThreads) scale_logits(ScaleLogitsParams p) {
  ptx::wait_for_previous_launch();
  const int c = (blockIdx.x * kScaleLogitsThreads + threadIdx.x) * kVec;
  if (c >= p.width) return;
  const int count = p.width - c;
  float* x = p.x + static_cast<size_t>(blockIdx.y) * p.stride + c;
  float values[kVec], factors[kVec];
  load8(x, count, values);
  if (p.row_scale) load8(p.row_scale + c, count, factors);
#pragma unroll
  for (int i = 0; i < kVec; ++i) {
    values[i] *= p.row_scale ? p.scale * factors[i] : p.scale;
    if (p.soft_cap > 0.0f) values[i] = p.soft_cap * tanhf(values[i] / p.soft_cap);
  }
  store8(x, count, values);
}

}  // namespace weft

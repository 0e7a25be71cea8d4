// y[n] = scale · a[n] + b[n], float32; y may be a.
//   a [N, a_stride], b [N, b_stride], y [N, y_stride]
// One block a row.
#include "common/vec.cuh"

namespace weft {

struct AddParams {
  const float* a;
  const float* b;
  float* y;
  int width;
  int a_stride;
  int b_stride;
  int y_stride;
  float scale;
};

constexpr int kAddThreads = 128;

__global__ void __launch_bounds__(kAddThreads) add(AddParams p) {
  ptx::wait_for_previous_launch();
  const float* a = p.a + static_cast<size_t>(blockIdx.x) * p.a_stride;
  const float* b = p.b + static_cast<size_t>(blockIdx.x) * p.b_stride;
  float* y = p.y + static_cast<size_t>(blockIdx.x) * p.y_stride;
  for (int c = threadIdx.x * kVec; c < p.width; c += kAddThreads * kVec) {
    float values[kVec], added[kVec];
    load8(a + c, p.width - c, values);
    load8(b + c, p.width - c, added);
#pragma unroll
    for (int i = 0; i < kVec; ++i) values[i] = p.scale * values[i] + added[i];
    store8(y + c, p.width - c, values);
  }
}

}  // namespace weft

// RWKV-7 after its norm (arXiv 2503.14456): of each head y = gate · (x + v · Σᵢ r[i] · k'[i] · first[i]), k' = k · (1 + (a − 1) ·
// key_rate).
//   r, k, v, a, gate, x [N, stride] float32, key_rate, first [A], y [N, y_stride] Y
// One warp a token and head.
#include "common/reduce.cuh"

namespace weft {

struct BonusParams {
  const float* key_rate;
  const float* first;
  const float* r;
  const float* k;
  const float* v;
  const float* a;
  const float* gate;
  const float* x;
  void* y;
  int head_size;
  int stride;
  int y_stride;
};

template <typename Y>
__global__ void __launch_bounds__(kWarpSize) bonus(BonusParams p) {
  ptx::wait_for_previous_launch();
  const int c = blockIdx.x * p.head_size;
  const size_t row = static_cast<size_t>(blockIdx.y) * p.stride + c;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < p.head_size; i += kWarpSize)
    sum += p.r[row + i] * p.k[row + i] * (1.0f + (p.a[row + i] - 1.0f) * p.key_rate[c + i]) * p.first[c + i];
  sum = warp_reduce<Sum>(sum);
  Y* y = static_cast<Y*>(p.y) + static_cast<size_t>(blockIdx.y) * p.y_stride + c;
  for (int i = threadIdx.x; i < p.head_size; i += kWarpSize) y[i] = from_float<Y>(p.gate[row + i] * (p.x[row + i] + p.v[row + i] * sum));
}

}  // namespace weft

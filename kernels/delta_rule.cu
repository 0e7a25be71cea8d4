// RWKV-7's heads (arXiv 2503.14456), float32. With κ = key_scale · k of length one, k' = k · (1 + (a − 1) · key_rate) and w =
// e^(−sigmoid(d) / √e): S[i, j] = w[i] · S[i, j] − a[i] · κ[i] · Σₗ κ[l] · S[l, j] + k'[i] · v[j], then y[j] = Σᵢ r[i] · S[i, j].
//   r, d, k, v, a [N, stride], key_scale, key_rate [A], y [N, y_stride]
// A block takes a head of a sequence through its tokens, a thread column j of S [D, D], which stays where the state is.
#include "common/state.cuh"

namespace weft {

struct DeltaRuleParams {
  StateParams state;
  const float* key_scale;
  const float* key_rate;
  const float* r;
  const float* d;
  const float* k;
  const float* v;
  const float* a;
  float* y;
  int head_size;
  int stride;
  int y_stride;
};

constexpr int kMostHeadThreads = 256;
// 1/√e: the most that the logarithm of a decay falls below zero.
constexpr float kMostDecay = 0.60653066f;

__global__ void __launch_bounds__(kMostHeadThreads) delta_rule(DeltaRuleParams p) {
  ptx::wait_for_previous_launch();
  const State state(p.state);
  if (state.is_empty()) return;
  const int size = p.head_size;
  const int j = threadIdx.x;
  const int c = blockIdx.x * size;
  float* shared = reinterpret_cast<float*>(ptx::dynamic_shared());
  float* unit = shared;
  float* key = shared + size;
  float* w = shared + 2 * size;
  float* r = shared + 3 * size;
  float* a = shared + 4 * size;
  float* s = state.at(state.slot) + static_cast<size_t>(c) * size;
  for (int i = 0; i < size; ++i) s[i * size + j] = state.before(c * size + i * size + j);
  for (int n = state.first; n < state.end; ++n) {
    const size_t row = static_cast<size_t>(n) * p.stride + c;
    __syncthreads();
    const float k = p.k[row + j];
    a[j] = p.a[row + j];
    r[j] = p.r[row + j];
    unit[j] = k * p.key_scale[c + j];
    key[j] = k * (1.0f + (a[j] - 1.0f) * p.key_rate[c + j]);
    w[j] = expf(-kMostDecay / (1.0f + expf(-p.d[row + j])));
    __syncthreads();
    float squares = 0.0f;
    float held = 0.0f;
    for (int i = 0; i < size; ++i) {
      squares += unit[i] * unit[i];
      held += unit[i] * s[i * size + j];
    }
    const float length = fmaxf(sqrtf(squares), 1e-12f);
    const float v = p.v[row + j];
    held /= length * length;
    float sum = 0.0f;
    for (int i = 0; i < size; ++i) {
      const float value = w[i] * s[i * size + j] - a[i] * unit[i] * held + key[i] * v;
      s[i * size + j] = value;
      sum += r[i] * value;
    }
    p.y[static_cast<size_t>(n) * p.y_stride + c + j] = sum;
    const int copy = p.state.snapshots[n];
    if (copy >= 0)
      for (int i = 0; i < size; ++i) state.at(copy)[c * size + i * size + j] = s[i * size + j];
  }
}

}  // namespace weft

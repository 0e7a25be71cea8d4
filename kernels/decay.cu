// RWKV-5's and -6's heads (arXiv 2404.05892), float32: y[j] = Σᵢ r[i] · (S[i, j] + first[i] · k[i] · v[j]), then S[i, j] = w[i] · S[i, j] +
// k[i] · v[j], where w = e^decay, or with d in place of decay e^(−e^d).
//   r, k, v [N, stride], d [N, d_stride] or null, decay [A] or null, first [A], y [N, y_stride]
// A block takes a head of a sequence through its tokens, a thread column j of S [D, D], which stays where the state is.
#include "common/state.cuh"

namespace weft {

struct DecayParams {
  StateParams state;
  const float* decay;
  const float* first;
  const float* r;
  const float* k;
  const float* v;
  const float* d;
  float* y;
  int head_size;
  int stride;
  int d_stride;
  int y_stride;
};

constexpr int kMostHeadThreads = 256;

// One block a processor is enough: aiming for more, the compiler spills on sm_80.
__global__ void __launch_bounds__(kMostHeadThreads, 1) decay(DecayParams p) {
  ptx::wait_for_previous_launch();
  const State state(p.state);
  if (state.is_empty()) return;
  const int size = p.head_size;
  const int j = threadIdx.x;
  const int c = blockIdx.x * size;
  float* shared = reinterpret_cast<float*>(ptx::dynamic_shared());
  float* r = shared;
  float* k = shared + size;
  float* w = shared + 2 * size;
  float* now = shared + 3 * size;
  float* s = state.at(state.slot) + static_cast<size_t>(c) * size;
  for (int i = 0; i < size; ++i) s[i * size + j] = state.before(c * size + i * size + j);
  for (int n = state.first; n < state.end; ++n) {
    const size_t row = static_cast<size_t>(n) * p.stride + c;
    __syncthreads();
    r[j] = p.r[row + j];
    k[j] = p.k[row + j];
    w[j] = p.d ? expf(-expf(p.d[static_cast<size_t>(n) * p.d_stride + c + j])) : expf(p.decay[c + j]);
    now[j] = p.first[c + j] * k[j];
    __syncthreads();
    const float v = p.v[row + j];
    float sum = 0.0f;
    for (int i = 0; i < size; ++i) {
      const float old = s[i * size + j];
      sum += r[i] * (now[i] * v + old);
      s[i * size + j] = w[i] * old + k[i] * v;
    }
    p.y[static_cast<size_t>(n) * p.y_stride + c + j] = sum;
    const int copy = p.state.snapshots[n];
    if (copy >= 0)
      for (int i = 0; i < size; ++i) state.at(copy)[c * size + i * size + j] = s[i * size + j];
  }
}

}  // namespace weft

// RWKV-4's average (arXiv 2305.13048): y = (a + e^(first + k) · v) / (b + e^(first + k)), then a and b decay by e^decay and take e^k · v
// and e^k; float32.
//   k [N, k_stride], v [N, v_stride], decay, first [A], y [N, y_stride]
// A thread takes a channel through a sequence's tokens in order. The state is [3, A]: a and b divided by e^m, and m, the largest exponent
// so far, so that no key overflows.
#include "common/state.cuh"

namespace weft {

struct AverageParams {
  StateParams state;
  const float* decay;
  const float* first;
  const float* k;
  const float* v;
  float* y;
  int width;
  int k_stride;
  int v_stride;
  int y_stride;
};

constexpr int kAverageThreads = 128;
// Below any exponent, and still a number when another is subtracted.
constexpr float kLowest = -1e38f;

__global__ void __launch_bounds__(kAverageThreads) average(AverageParams p) {
  ptx::wait_for_previous_launch();
  const State state(p.state);
  const int c = blockIdx.x * kAverageThreads + threadIdx.x;
  if (state.is_empty() || c >= p.width) return;
  float a = state.before(c);
  float b = state.before(p.width + c);
  float m = state.before(2 * p.width + c, kLowest);
  const float decay = p.decay[c];
  const float first = p.first[c];
  for (int n = state.first; n < state.end; ++n) {
    const float k = p.k[static_cast<size_t>(n) * p.k_stride + c];
    const float v = p.v[static_cast<size_t>(n) * p.v_stride + c];
    float most = fmaxf(m, k + first);
    float old = expf(m - most);
    float now = expf(k + first - most);
    p.y[static_cast<size_t>(n) * p.y_stride + c] = (old * a + now * v) / (old * b + now);
    most = fmaxf(m + decay, k);
    old = expf(m + decay - most);
    now = expf(k - most);
    a = old * a + now * v;
    b = old * b + now;
    m = most;
    const int copy = p.state.snapshots[n];
    if (copy >= 0) {
      state.at(copy)[c] = a;
      state.at(copy)[p.width + c] = b;
      state.at(copy)[2 * p.width + c] = m;
    }
  }
  state.at(state.slot)[c] = a;
  state.at(state.slot)[p.width + c] = b;
  state.at(state.slot)[2 * p.width + c] = m;
}

}  // namespace weft

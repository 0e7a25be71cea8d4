// A selective state space (Mamba, arXiv 2312.00752; Mamba-2, arXiv 2405.21060), float32. With Δ = softplus(step) within its limits, of each
// channel h[i] = e^(−Δ · e^decay[i]) · h[i] + Δ · b[i] · x, y = Σᵢ c[i] · h[i] + skip · x.
//   x [N, x_stride], step [N, step_stride], b, c [N, groups · D], decay [I, D] or, where heads share it, [H], skip [I] or [H], y [N,
//   y_stride]
// A thread takes a channel through a sequence's tokens. The state is [D, I], so that neighbouring threads touch neighbouring numbers.
#include "common/state.cuh"

namespace weft {

struct ScanParams {
  StateParams state;
  const float* decay;
  const float* skip;
  const float* x;
  const float* step;
  const float* b;
  const float* c;
  float* y;
  int width;
  int head_size;
  int group_size;
  int state_size;
  int x_stride;
  int step_stride;
  int row_stride;
  int y_stride;
  float step_min;
  float step_max;
};

constexpr int kScanThreads = 128;

// Shared: a head's channels have one decay. Otherwise every number of a state has its own.
// One block a processor is enough: aiming for more, the compiler spills on sm_80.
template <bool Shared>
__global__ void __launch_bounds__(kScanThreads, 1) scan(ScanParams p) {
  ptx::wait_for_previous_launch();
  const State state(p.state);
  const int channel = blockIdx.x * kScanThreads + threadIdx.x;
  if (state.is_empty() || channel >= p.width) return;
  const int head = channel / p.head_size;
  const int group = channel / p.group_size * p.state_size;
  const float rate = Shared ? -expf(p.decay[head]) : 0.0f;
  float* h = state.at(state.slot) + channel;
  for (int i = 0; i < p.state_size; ++i) h[static_cast<size_t>(i) * p.width] = state.before(i * p.width + channel);
  for (int n = state.first; n < state.end; ++n) {
    const float x = p.x[static_cast<size_t>(n) * p.x_stride + channel];
    const float raw = p.step[static_cast<size_t>(n) * p.step_stride + head];
    const float delta = fminf(fmaxf(raw > 20.0f ? raw : log1pf(expf(raw)), p.step_min), p.step_max);
    const float* b = p.b + static_cast<size_t>(n) * p.row_stride + group;
    const float* c = p.c + static_cast<size_t>(n) * p.row_stride + group;
    const float shared = Shared ? expf(delta * rate) : 0.0f;
    float sum = 0.0f;
    for (int i = 0; i < p.state_size; ++i) {
      const float factor = Shared ? shared : expf(-delta * expf(p.decay[static_cast<size_t>(channel) * p.state_size + i]));
      const float value = factor * h[static_cast<size_t>(i) * p.width] + delta * x * b[i];
      h[static_cast<size_t>(i) * p.width] = value;
      sum += c[i] * value;
    }
    p.y[static_cast<size_t>(n) * p.y_stride + channel] = sum + p.skip[head] * x;
    const int copy = p.state.snapshots[n];
    if (copy >= 0)
      for (int i = 0; i < p.state_size; ++i) state.at(copy)[i * p.width + channel] = h[static_cast<size_t>(i) * p.width];
  }
}

}  // namespace weft

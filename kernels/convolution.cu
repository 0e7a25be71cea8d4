// y[n] = silu(bias + Σₜ weight[t] · x[n − taps + 1 + t]) by channel, zeros before a sequence's first token; float32.
//   x [N, x_stride], weight [taps, C], bias [C] or null, y [N, y_stride]
// A thread takes a channel through a sequence's tokens. The state is the last taps − 1 rows of x, [taps − 1, C].
#include "common/state.cuh"

namespace weft {

struct ConvolutionParams {
  StateParams state;
  const float* weight;
  const float* bias;
  const float* x;
  float* y;
  int taps;
  int width;
  int x_stride;
  int y_stride;
};

constexpr int kConvolutionThreads = 128;

__global__ void __launch_bounds__(kConvolutionThreads) convolution(ConvolutionParams p) {
  ptx::wait_for_previous_launch();
  const State state(p.state);
  const int c = blockIdx.x * kConvolutionThreads + threadIdx.x;
  if (state.is_empty() || c >= p.width) return;
  const int kept = p.taps - 1;
  // x of a token, or of one before the step.
  auto row = [&](int n) {
    return n >= state.first ? p.x[static_cast<size_t>(n) * p.x_stride + c] : state.before((n - state.first + kept) * p.width + c);
  };
  // The rows that are kept after token n. Each is read before the place it is in is written, also where source and target are one slot.
  auto keep = [&](int slot, int n) {
    for (int t = 0; t < kept; ++t) state.at(slot)[t * p.width + c] = row(n - kept + 1 + t);
  };
  for (int n = state.first; n < state.end; ++n) {
    float sum = p.bias ? p.bias[c] : 0.0f;
    for (int t = 0; t < p.taps; ++t) sum += p.weight[t * p.width + c] * row(n - kept + t);
    p.y[static_cast<size_t>(n) * p.y_stride + c] = sum / (1.0f + expf(-sum));
    const int copy = p.state.snapshots[n];
    if (copy >= 0) keep(copy, n);
  }
  keep(state.slot, state.end - 1);
}

}  // namespace weft

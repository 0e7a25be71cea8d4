// y[n] = x[n − 1] − x[n] of each sequence, zeros before its first token; float32. The state is x of the last token.
//   x [N, x_stride], y [N, y_stride]
// A thread takes a channel through a sequence's tokens in order.
#include "common/state.cuh"

namespace weft {

struct TokenShiftParams {
  StateParams state;
  const float* x;
  float* y;
  int width;
  int x_stride;
  int y_stride;
};

constexpr int kShiftThreads = 128;

__global__ void __launch_bounds__(kShiftThreads) token_shift(TokenShiftParams p) {
  ptx::wait_for_previous_launch();
  const State state(p.state);
  const int c = blockIdx.x * kShiftThreads + threadIdx.x;
  if (state.is_empty() || c >= p.width) return;
  float last = state.before(c);
  for (int n = state.first; n < state.end; ++n) {
    const float x = p.x[static_cast<size_t>(n) * p.x_stride + c];
    p.y[static_cast<size_t>(n) * p.y_stride + c] = last - x;
    last = x;
    const int copy = p.state.snapshots[n];
    if (copy >= 0) state.at(copy)[c] = last;
  }
  state.at(state.slot)[c] = last;
}

}  // namespace weft

// y[n] = scale · E[token_ids[n]] (+ P[positions[n] + offset]).
//   table      [V, stride] T          y [N, y_stride] float32, the residual stream
//   token_ids  [N]; −1 − r is the token that the step before drew for its row r of logits, drawn[r]: the host need not know it yet
//   positions_table [positions, position_stride] T, or null
// One block a token.
#include "common/vec.cuh"

namespace weft {

struct EmbeddingParams {
  const void* table;
  const void* position_table;
  const int* token_ids;
  const int* drawn;
  const int* positions;
  float* y;
  int width;
  int stride;
  int position_stride;
  int y_stride;
  int position_offset;
  float scale;
};

template <typename T>
__global__ void __launch_bounds__(128) embedding(EmbeddingParams p) {
  ptx::wait_for_previous_launch();
  const int id = p.token_ids[blockIdx.x];
  // A row of which none could be drawn ends here; its sequence is given up as soon as the host sees it.
  const int token = id >= 0 ? id : max(p.drawn[-1 - id], 0);
  const T* row = static_cast<const T*>(p.table) + static_cast<size_t>(token) * p.stride;
  float* y = p.y + static_cast<size_t>(blockIdx.x) * p.y_stride;
  for (int c = threadIdx.x * kVec; c < p.width; c += 128 * kVec) {
    float values[kVec];
    load8(row + c, p.width - c, values);
#pragma unroll
    for (int i = 0; i < kVec; ++i) values[i] *= p.scale;
    if (p.position_table) {
      const int position = p.positions[blockIdx.x] + p.position_offset;
      float added[kVec];
      load8(static_cast<const T*>(p.position_table) + static_cast<size_t>(position) * p.position_stride + c, p.width - c, added);
#pragma unroll
      for (int i = 0; i < kVec; ++i) values[i] += added[i];
    }
    store8(y + c, p.width - c, values);
  }
}

}  // namespace weft

// RWKV-5's and -6's heads (arXiv 2404.05892), float32: y[j] = Σᵢ r[i] · (S[i, j] + first[i] · k[i] · v[j]), then S[i, j] = w[i] · S[i, j] +
// k[i] · v[j], where w = e^decay, or with d in place of decay e^(−e^d).
//   r, k, v [N, stride], d [N, d_stride] or null, decay [A] or null, first [A], y [N, y_stride]
// A block takes columns of a head of a sequence through its tokens (common/head_state.cuh). first's part of y is one number for all
// columns.
#include "common/head_state.cuh"

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
  int lanes;
  int stride;
  int d_stride;
  int y_stride;
};

// A staged token: r, k and w of all rows, v of the block's columns.
struct DecayInput {
  const DecayParams& p;
  const int numbers;
  float now[kHeadRows];  // first

  __device__ DecayInput(const DecayParams& params, const HeadState& head) : p(params), numbers(3 * head.rows + head.columns) {
#pragma unroll
    for (int i = 0; i < kHeadRows; ++i) now[i] = head.row(i) < head.size ? p.first[head.head * head.size + head.row(i)] : 0.0f;
  }

  __device__ void stage(const HeadState& head, int n, float* stage) const {
    head.stage_rows(stage, numbers, p.r, n, p.stride);
    head.stage_rows(stage + head.rows, numbers, p.k, n, p.stride);
    if (p.d) head.stage_rows(stage + 2 * head.rows, numbers, p.d, n, p.d_stride);
    head.stage_columns(stage + 3 * head.rows, numbers, p.v, n, p.stride);
  }

  __device__ void prepare(const HeadState& head, float* stage) const {
    float* staged = stage + head.staged_token * numbers + 2 * head.rows + head.staged_row;
    float w[kHeadQuad] = {};
    if (p.d) load4(staged, w);
#pragma unroll
    for (int i = 0; i < kHeadQuad; ++i) {
      if (head.staged_row >= head.size) break;
      w[i] = p.d ? expf(-expf(w[i])) : expf(p.decay[head.head * head.size + head.staged_row + i]);
    }
    store4(staged, w);
  }

  __device__ void step(HeadState& head, const float* token, float* sums) const {
    float v[kHeadColumns];
    load4(token + 3 * head.rows + head.local, v);
    float bonus = 0.0f;
#pragma unroll
    for (int first = 0; first < kHeadRows; first += kHeadQuad) {
      const float* rows = token + head.row(first);
      float r[kHeadQuad], k[kHeadQuad], w[kHeadQuad];
      load4(rows, r);
      load4(rows + head.rows, k);
      load4(rows + 2 * head.rows, w);
#pragma unroll
      for (int i = 0; i < kHeadQuad; ++i) {
        bonus += r[i] * (now[first + i] * k[i]);
#pragma unroll
        for (int j = 0; j < kHeadColumns; ++j) {
          float& s = head.s[first + i][j];
          sums[j] += r[i] * s;
          s = w[i] * s + k[i] * v[j];
        }
      }
    }
#pragma unroll
    for (int j = 0; j < kHeadColumns; ++j) sums[j] += bonus * v[j];
  }
};

__global__ void __launch_bounds__(kHeadThreads, kHeadBlocks) decay(DecayParams p) {
  ptx::wait_for_previous_launch();
  const State state(p.state);
  if (state.is_empty()) return;
  HeadState head(state, p.head_size, p.lanes);
  const DecayInput input(p, head);
  head.run(input, input.numbers, p.y, p.y_stride);
}

}  // namespace weft

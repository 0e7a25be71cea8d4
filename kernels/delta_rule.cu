// RWKV-7's heads (arXiv 2503.14456), float32. With κ = key_scale · k of length one, k' = k · (1 + (a − 1) · key_rate) and w =
// e^(−sigmoid(d) / √e): S[i, j] = w[i] · S[i, j] − a[i] · κ[i] · Σₗ κ[l] · S[l, j] + k'[i] · v[j], then y[j] = Σᵢ r[i] · S[i, j].
//   r, d, k, v, a [N, stride], key_scale, key_rate [A], y [N, y_stride]
// A block takes columns of a head of a sequence through its tokens (common/head_state.cuh).
#include "common/head_state.cuh"

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
  int lanes;
  int stride;
  int y_stride;
};

// 1/√e: the most that the logarithm of a decay falls below zero.
constexpr float kMostDecay = 0.60653066f;

// A staged token: r, k', w, a · κ and κ of all rows, κ before it has a length of one, and v of the block's columns.
struct DeltaRuleInput {
  const DeltaRuleParams& p;
  const int numbers;

  __device__ DeltaRuleInput(const DeltaRuleParams& params, const HeadState& head) : p(params), numbers(5 * head.rows + head.columns) {}

  __device__ void stage(const HeadState& head, int n, float* stage) const {
    head.stage_rows(stage, numbers, p.r, n, p.stride);
    head.stage_rows(stage + head.rows, numbers, p.k, n, p.stride);
    head.stage_rows(stage + 2 * head.rows, numbers, p.d, n, p.stride);
    head.stage_rows(stage + 3 * head.rows, numbers, p.a, n, p.stride);
    head.stage_columns(stage + 5 * head.rows, numbers, p.v, n, p.stride);
  }

  __device__ void prepare(const HeadState& head, float* stage) const {
    float* staged = stage + head.staged_token * numbers + head.rows + head.staged_row;
    const int c = head.head * head.size + head.staged_row;
    float key[kHeadQuad], w[kHeadQuad], rate[kHeadQuad], unit[kHeadQuad] = {};
    load4(staged, key);
    load4(staged + head.rows, w);
    load4(staged + 2 * head.rows, rate);
#pragma unroll
    for (int i = 0; i < kHeadQuad; ++i) {
      if (head.staged_row >= head.size) break;
      unit[i] = key[i] * p.key_scale[c + i];
      key[i] *= 1.0f + (rate[i] - 1.0f) * p.key_rate[c + i];
      w[i] = expf(-kMostDecay / (1.0f + expf(-w[i])));
      rate[i] *= unit[i];
    }
    store4(staged, key);
    store4(staged + head.rows, w);
    store4(staged + 2 * head.rows, rate);
    store4(staged + 3 * head.rows, unit);
  }

  __device__ void step(HeadState& head, const float* token, float* sums) const {
    float v[kHeadColumns];
    load4(token + 5 * head.rows + head.local, v);
    float held[kHeadColumns] = {};
    float squares = 0.0f;
#pragma unroll
    for (int first = 0; first < kHeadRows; first += kHeadQuad) {
      float unit[kHeadQuad];
      load4(token + 4 * head.rows + head.row(first), unit);
#pragma unroll
      for (int i = 0; i < kHeadQuad; ++i) {
        squares += unit[i] * unit[i];
#pragma unroll
        for (int j = 0; j < kHeadColumns; ++j) held[j] += unit[i] * head.s[first + i][j];
      }
    }
    for (int offset = 1; offset < head.lanes; offset *= 2) {
      squares += __shfl_xor_sync(kFullMask, squares, offset);
#pragma unroll
      for (int j = 0; j < kHeadColumns; ++j) held[j] += __shfl_xor_sync(kFullMask, held[j], offset);
    }
    const float length = fmaxf(sqrtf(squares), 1e-12f);
#pragma unroll
    for (int j = 0; j < kHeadColumns; ++j) held[j] /= length * length;
#pragma unroll
    for (int first = 0; first < kHeadRows; first += kHeadQuad) {
      const float* rows = token + head.row(first);
      float r[kHeadQuad], key[kHeadQuad], w[kHeadQuad], rate[kHeadQuad];
      load4(rows, r);
      load4(rows + head.rows, key);
      load4(rows + 2 * head.rows, w);
      load4(rows + 3 * head.rows, rate);
#pragma unroll
      for (int i = 0; i < kHeadQuad; ++i) {
#pragma unroll
        for (int j = 0; j < kHeadColumns; ++j) {
          float& s = head.s[first + i][j];
          s = w[i] * s - rate[i] * held[j] + key[i] * v[j];
          sums[j] += r[i] * s;
        }
      }
    }
  }
};

__global__ void __launch_bounds__(kHeadThreads, kHeadBlocks) delta_rule(DeltaRuleParams p) {
  ptx::wait_for_previous_launch();
  const State state(p.state);
  if (state.is_empty()) return;
  HeadState head(state, p.head_size, p.lanes);
  const DeltaRuleInput input(p, head);
  head.run(input, input.numbers, p.y, p.y_stride);
}

}  // namespace weft

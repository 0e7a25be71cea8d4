// A selective state space (Mamba, arXiv 2312.00752; Mamba-2, arXiv 2405.21060), float32. With Δ = softplus(step) within its limits, of each
// channel h[i] = e^(−Δ · e^decay[i]) · h[i] + Δ · b[i] · x, y = Σᵢ c[i] · h[i] + skip · x.
//   x [N, x_stride], step [N, step_stride], b, c [N, groups · D], decay [I, D] or, where heads share it, [H], skip [I] or [H], y [N,
//   y_stride]
// A block takes channels of a group through a sequence's tokens. `lanes` neighbouring lanes, a power of two, share a channel's state [I,
// D], which stays in registers: four numbers of it a thread where each has its own decay, because exponentials bound it; eight numbers of
// four channels where decay is a head's, so that b and c are read from shared memory once for four channels. Tokens are staged eight at a
// time.
#include "common/reduce.cuh"
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
  int head_size;
  int group_size;
  int state_size;
  int lanes;
  int x_stride;
  int step_stride;
  int row_stride;
  int y_stride;
  float step_min;
  float step_max;
};

constexpr int kScanThreads = 128;
constexpr int kScanTokens = 8;
constexpr int kScanQuad = 4;  // neighbouring numbers of a state, which move together

template <bool Shared>
struct ScanTile {
  static constexpr int kChannels = Shared ? 4 : 1;
  static constexpr int kNumbers = Shared ? 8 : 4;
  static constexpr int kTokens = Shared ? 2 : 4;  // whose sums are added up together
  static constexpr int kSums = kTokens * kChannels;
};

// A staged token: b and c with zeros beyond D, then x, Δ and, where it is a head's, the decay of the block's channels.
struct ScanStage {
  const int numbers;  // of b
  const int channels;
  const int size;

  __device__ float* b(float* stage, int t) const { return stage + t * size; }
  __device__ float* c(float* stage, int t) const { return b(stage, t) + numbers; }
  __device__ float* x(float* stage, int t) const { return c(stage, t) + numbers; }
  __device__ float* delta(float* stage, int t) const { return x(stage, t) + channels; }
  __device__ float* decay(float* stage, int t) const { return delta(stage, t) + channels; }
};

// Shared: a head's channels have one decay. Otherwise every number of a state has its own.
template <bool Shared>
__global__ void __launch_bounds__(kScanThreads) scan(ScanParams p) {
  using Tile = ScanTile<Shared>;
  constexpr int kChannels = Tile::kChannels;
  constexpr int kQuads = Tile::kNumbers / kScanQuad;
  ptx::wait_for_previous_launch();
  const State state(p.state);
  if (state.is_empty()) return;
  const int lane = threadIdx.x % p.lanes;
  const int own = threadIdx.x / p.lanes * kChannels;  // first channel of this thread, of its block
  const int channels = kScanThreads / p.lanes * kChannels;
  const int blocks = (p.group_size + channels - 1) / channels;
  const int group = blockIdx.x / blocks;
  const int count = min(channels, p.group_size - static_cast<int>(blockIdx.x) % blocks * channels);
  const int first = group * p.group_size + static_cast<int>(blockIdx.x) % blocks * channels;  // channel
  const ScanStage layout{p.lanes * Tile::kNumbers, channels, 2 * p.lanes * Tile::kNumbers + (Shared ? 3 : 2) * channels};

  const auto quad = [&](int q) { return (q * p.lanes + lane) * kScanQuad; };  // first of this thread's four numbers of a state
  const auto place = [&](int channel, int q) { return (first + own + channel) * p.state_size + quad(q); };
  const auto holds = [&](int channel, int q) { return own + channel < count ? p.state_size - quad(q) : 0; };
  float h[kChannels][kQuads][kScanQuad];
#pragma unroll
  for (int channel = 0; channel < kChannels; ++channel) {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) state.load4(place(channel, q), holds(channel, q), h[channel][q]);
  }
  const auto store = [&](int slot) {
#pragma unroll
    for (int channel = 0; channel < kChannels; ++channel) {
#pragma unroll
      for (int q = 0; q < kQuads; ++q) state.store4(slot, place(channel, q), holds(channel, q), h[channel][q]);
    }
  };
  float rate[kQuads][kScanQuad] = {};  // where every number has its own
  if constexpr (!Shared) {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
#pragma unroll
      for (int i = 0; i < kScanQuad; ++i) rate[q][i] = i < holds(0, q) ? -expf(p.decay[place(0, q) + i]) * kLog2e : 0.0f;
    }
  }

  // Begins the copies of the tokens from n on.
  const auto fetch = [&](int n, float* stage) {
    for (int i = threadIdx.x; i < kScanTokens * layout.numbers / kScanQuad; i += kScanThreads) {
      const int t = i / (layout.numbers / kScanQuad);
      const int number = i % (layout.numbers / kScanQuad) * kScanQuad;
      const bool valid = n + t < state.end && number < p.state_size;
      const size_t row = static_cast<size_t>(n + t) * p.row_stride + group * p.state_size + number;
      if (p.state_size % kScanQuad == 0) {
        ptx::cp_async_16(layout.b(stage, t) + number, p.b + row, valid);
        ptx::cp_async_16(layout.c(stage, t) + number, p.c + row, valid);
        continue;
      }
      for (int j = 0; j < kScanQuad; ++j) {
        ptx::cp_async_4(layout.b(stage, t) + number + j, p.b + row + j, valid && number + j < p.state_size);
        ptx::cp_async_4(layout.c(stage, t) + number + j, p.c + row + j, valid && number + j < p.state_size);
      }
    }
    for (int i = threadIdx.x; i < kScanTokens * channels; i += kScanThreads) {
      const int t = i / channels;
      const int channel = i % channels;
      const bool valid = n + t < state.end && channel < count;
      const size_t token = n + t;
      ptx::cp_async_4(layout.x(stage, t) + channel, p.x + token * p.x_stride + first + channel, valid);
      ptx::cp_async_4(layout.delta(stage, t) + channel, p.step + token * p.step_stride + (first + channel) / p.head_size, valid);
    }
    ptx::cp_async_commit();
  };
  // Of the steps that this thread has copied.
  const auto prepare = [&](float* stage) {
    for (int i = threadIdx.x; i < kScanTokens * channels; i += kScanThreads) {
      const int t = i / channels;
      const int channel = i % channels;
      const float raw = layout.delta(stage, t)[channel];
      const float delta = fminf(fmaxf(raw > 20.0f ? raw : log1pf(expf(raw)), p.step_min), p.step_max);
      layout.delta(stage, t)[channel] = delta;
      if constexpr (Shared)
        layout.decay(stage, t)[channel] = channel < count ? expf(-delta * expf(p.decay[(first + channel) / p.head_size])) : 0.0f;
    }
  };

  const int result = scattered<Tile::kSums>(lane);
  const int result_channel = own + result % kChannels;
  const bool writes = lane < Tile::kSums && result_channel < count;
  const float skip = writes ? p.skip[(first + result_channel) / p.head_size] : 0.0f;
  float* stages = reinterpret_cast<float*>(ptx::dynamic_shared());
  if (state.first < state.end) fetch(state.first, stages);
  int turn = 0;
  for (int n = state.first; n < state.end; n += kScanTokens, turn ^= 1) {
    float* stage = stages + turn * kScanTokens * layout.size;
    const Snapshots snapshots(state, n);
    ptx::cp_async_wait<0>();
    prepare(stage);
    // From here on everybody is done with the other stage.
    __syncthreads();
    if (n + kScanTokens < state.end) fetch(n + kScanTokens, stages + (turn ^ 1) * kScanTokens * layout.size);
    const int tokens = min(kScanTokens, state.end - n);
    for (int from = 0; from < tokens; from += Tile::kTokens) {
      float sums[Tile::kSums] = {};
#pragma unroll
      for (int k = 0; k < Tile::kTokens; ++k) {
        const int t = from + k;
        if (t >= tokens) break;
        float input[kChannels], delta[kChannels], decay[kChannels];
        if constexpr (Shared) {
          load4(layout.x(stage, t) + own, input);
          load4(layout.delta(stage, t) + own, delta);
          load4(layout.decay(stage, t) + own, decay);
        } else {
          input[0] = layout.x(stage, t)[own];
          delta[0] = layout.delta(stage, t)[own];
        }
#pragma unroll
        for (int channel = 0; channel < kChannels; ++channel) input[channel] *= delta[channel];
#pragma unroll
        for (int q = 0; q < kQuads; ++q) {
          float b[kScanQuad], c[kScanQuad];
          load4(layout.b(stage, t) + quad(q), b);
          load4(layout.c(stage, t) + quad(q), c);
#pragma unroll
          for (int i = 0; i < kScanQuad; ++i) {
#pragma unroll
            for (int channel = 0; channel < kChannels; ++channel) {
              float& value = h[channel][q][i];
              const float factor = Shared ? decay[channel] : ptx::exp2_approx(delta[channel] * rate[q][i]);
              value = factor * value + input[channel] * b[i];
              sums[k * kChannels + channel] += c[i] * value;
            }
          }
        }
        const int copy = snapshots.after(t);
        if (copy >= 0) store(copy);
      }
      const float sum = reduce_scatter(sums, lane, p.lanes);
      const int t = from + result / kChannels;
      if (writes && t < tokens)
        p.y[static_cast<size_t>(n + t) * p.y_stride + first + result_channel] = sum + skip * layout.x(stage, t)[result_channel];
    }
  }
  store(state.slot);
}

}  // namespace weft

// Attention of one query a sequence over the paged cache, split along the cache so that every multiprocessor has work.
//   q  [N, q_stride] C, head h at h·D; rows [sequences]: which row of the step, or −1 for a place that a captured batch leaves empty
//   keys, values [blocks, G, 16, D] C through block_tables [*, max_blocks], row tables[i] for place i
//   y  [N, y_stride] T
//   partial [places, H, splits, D + 2] float32 and counters [places, G · parts] (zero, and left zero) when there is more than one split
// A block owns kSplitPositions positions of one place, one key/value head and Heads of its query heads. Groups of lanes take a position
// each; a lane holds eight elements of D. The states of lanes, warps and splits are merged in a fixed order; the last block to finish a
// place merges the splits (FlashDecoding, Dao et al. 2023). What a sequence gets does not depend on the others.
#include "common/attention_variant.cuh"
#include "common/softmax_state.cuh"
#include "common/vec.cuh"

namespace weft {

struct AttentionDecodeParams {
  const void* q;
  const void* keys;
  const void* values;
  void* y;
  float* partial;
  unsigned* counters;
  const int* rows;
  const int* tables;
  const int* positions;
  const int* block_tables;
  ScoreParams score;
  int query_heads;
  int key_heads;
  int q_stride;
  int y_stride;
  int max_blocks;
  int splits;  // that the launch has
};

constexpr int kDecodeThreads = 128;
constexpr int kDecodeWarps = kDecodeThreads / kWarpSize;
constexpr int kSplitPositions = 256;
constexpr int kPagePositions = 16;

// Lanes that share a position: D / 8, rounded up to a power of two.
template <int D>
struct Lanes {
  static constexpr int kNeeded = D / kVec;
  static constexpr int kCount = kNeeded <= 4 ? 4 : kNeeded <= 8 ? 8 : kNeeded <= 16 ? 16 : 32;
};

template <typename T, typename C, int D, int Heads, int V>
__global__ void __launch_bounds__(kDecodeThreads) attention_decode(AttentionDecodeParams p) {
  constexpr int kLanes = Lanes<D>::kCount;
  constexpr int kTogether = kWarpSize / kLanes;
  ptx::wait_for_previous_launch();
  const int place = blockIdx.z;
  const int row = p.rows[place];
  if (row < 0) return;
  const int group_heads = p.query_heads / p.key_heads;
  const int parts = (group_heads + Heads - 1) / Heads;
  const int group = blockIdx.y / parts;
  const int first_head = group * group_heads + blockIdx.y % parts * Heads;
  const int heads = min(Heads, (group + 1) * group_heads - first_head);

  const int query = p.positions[row];
  const int context = query + 1;
  const int begin = V & kWindow ? max(0, context - p.score.window) : 0;
  const int first_split = begin / kSplitPositions;
  const int splits = (context + kSplitPositions - 1) / kSplitPositions - first_split;
  const int split = blockIdx.x;
  if (split >= splits) return;
  const int key_begin = max(begin, (first_split + split) * kSplitPositions);
  const int key_end = min(context, (first_split + split + 1) * kSplitPositions);

  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const int part = lane / kLanes;
  const int column = lane % kLanes * kVec;
  const bool holds = column < D;

  float q[Heads][kVec];
  float output[Heads][kVec] = {};
  SoftmaxState state[Heads];
#pragma unroll
  for (int h = 0; h < Heads; ++h) {
#pragma unroll
    for (int i = 0; i < kVec; ++i) q[h][i] = 0.0f;
    if (holds && h < heads) load8(static_cast<const C*>(p.q) + static_cast<size_t>(row) * p.q_stride + (first_head + h) * D + column, q[h]);
  }

  const int* table = p.block_tables + static_cast<size_t>(p.tables[place]) * p.max_blocks;
  for (int base = key_begin + warp * kTogether; base < key_end; base += kDecodeWarps * kTogether) {
    const int key = base + part;
    const bool valid = key < key_end;
    uint4 key_vector = make_uint4(0, 0, 0, 0), value_vector = make_uint4(0, 0, 0, 0);
    if (valid && holds) {
      const size_t at =
          ((static_cast<size_t>(table[key / kPagePositions]) * p.key_heads + group) * kPagePositions + key % kPagePositions) * D + column;
      key_vector = *reinterpret_cast<const uint4*>(static_cast<const C*>(p.keys) + at);
      value_vector = *reinterpret_cast<const uint4*>(static_cast<const C*>(p.values) + at);
    }
    float k[kVec], v[kVec];
    unpack8<C>(key_vector, k);
    unpack8<C>(value_vector, v);
#pragma unroll
    for (int h = 0; h < Heads; ++h) {
      float product = 0.0f;
#pragma unroll
      for (int i = 0; i < kVec; ++i) product = fmaf(q[h][i], k[i], product);
#pragma unroll
      for (int offset = kLanes / 2; offset > 0; offset /= 2) product += __shfl_xor_sync(kFullMask, product, offset);
      const float s = valid && h < heads ? score<V>(p.score, product, first_head + h, query, key) : -kInfinity;
      const float next = fmaxf(state[h].max, s);
      const float factor = state[h].rescale(next);
      state[h].max = next;
      const float weight = state[h].weight(s);
      state[h].sum = state[h].sum * factor + weight;
#pragma unroll
      for (int i = 0; i < kVec; ++i) output[h][i] = output[h][i] * factor + weight * v[i];
    }
  }
  ptx::allow_next_launch();

  // Positions of a warp, then warps.
  float* shared = reinterpret_cast<float*>(ptx::dynamic_shared());  // [warps][Heads][D + 2]
#pragma unroll
  for (int h = 0; h < Heads; ++h) {
#pragma unroll
    for (int offset = kLanes; offset < kWarpSize; offset *= 2) {
      SoftmaxState other;
      other.max = __shfl_xor_sync(kFullMask, state[h].max, offset);
      other.sum = __shfl_xor_sync(kFullMask, state[h].sum, offset);
      float own_factor, other_factor;
      state[h].merge(other, own_factor, other_factor);
#pragma unroll
      for (int i = 0; i < kVec; ++i)
        output[h][i] = output[h][i] * own_factor + __shfl_xor_sync(kFullMask, output[h][i], offset) * other_factor;
    }
    float* own = shared + (warp * Heads + h) * (D + 2);
    if (part == 0 && holds) {
#pragma unroll
      for (int i = 0; i < kVec; ++i) own[column + i] = output[h][i];
    }
    if (lane == 0) own[D] = state[h].max, own[D + 1] = state[h].sum;
  }
  __syncthreads();

  // pieces [count] of one head, piece_stride floats apart: element d of the merged and normalised result.
  const auto merged = [&](const float* pieces, int count, size_t piece_stride, int head, int d, bool last, SoftmaxState& total) {
    float sum = 0.0f;
    total = SoftmaxState();
    for (int i = 0; i < count; ++i) {
      const float* piece = pieces + i * piece_stride;
      SoftmaxState other;
      other.max = piece[D];
      other.sum = piece[D + 1];
      float own_factor, other_factor;
      total.merge(other, own_factor, other_factor);
      sum = sum * own_factor + piece[d] * other_factor;
    }
    if (!last) return sum;
    if (V & kSinks) {
      SoftmaxState sink;
      sink.max = p.score.sinks[head] * kLog2e;
      sink.sum = 1.0f;
      float own_factor, other_factor;
      total.merge(sink, own_factor, other_factor);
      sum *= own_factor;
    }
    return sum * total.inverse();
  };

  SoftmaxState total;
  T* y = static_cast<T*>(p.y) + static_cast<size_t>(row) * p.y_stride;
  const size_t partial_head = static_cast<size_t>(p.splits) * (D + 2);
  float* partial = p.partial + (static_cast<size_t>(place) * p.query_heads + first_head) * partial_head;
  for (int i = threadIdx.x; i < heads * D; i += kDecodeThreads) {
    const int h = i / D;
    const int d = i % D;
    const float value =
        merged(shared + h * (D + 2), kDecodeWarps, static_cast<size_t>(Heads) * (D + 2), first_head + h, d, splits == 1, total);
    if (splits == 1) {
      y[(first_head + h) * D + d] = from_float<T>(value);
      continue;
    }
    float* own = partial + h * partial_head + static_cast<size_t>(split) * (D + 2);
    own[d] = value;
    if (d == 0) own[D] = total.max, own[D + 1] = total.sum;
  }
  if (splits == 1) return;

  // The last block of the place and heads to come here finds all parts written.
  __threadfence();
  __syncthreads();
  int* is_last = reinterpret_cast<int*>(shared);
  unsigned* counter = p.counters + static_cast<size_t>(place) * gridDim.y + blockIdx.y;
  if (threadIdx.x == 0) *is_last = atomicAdd(counter, 1u) == static_cast<unsigned>(splits - 1);
  __syncthreads();
  if (!*is_last) return;
  __threadfence();
  if (threadIdx.x == 0) *counter = 0;
  for (int i = threadIdx.x; i < heads * D; i += kDecodeThreads) {
    const int h = i / D;
    const float value = merged(partial + h * partial_head, splits, D + 2, first_head + h, i % D, true, total);
    y[(first_head + h) * D + i % D] = from_float<T>(value);
  }
}

}  // namespace weft

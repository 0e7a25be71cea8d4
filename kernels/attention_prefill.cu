// y[n, h] = softmax(score(q[n, h], k[t, g]) over the positions t that n sees) · v[t, g], for many queries a sequence.
//   q  [N, q_stride] T, head h at h·D        y [N, y_stride] T
//   keys, values [blocks, G, 16, D] T through block_tables [B, max_blocks]; the step's own keys and values are there already
//   tiles [count] {sequence, first token of the step}: a tile has up to 64 rows, row r = token first + r / (H/G), head g·(H/G) + r % (H/G),
//   so that a group's heads share every key and value that is loaded.
// A block owns one tile and one key/value head; a warp 16 of its rows. Keys and values pass in tiles of KeyTile positions through Stages
// buffers of shared memory (FlashAttention-2, Dao 2023, arXiv 2307.08691): scores and weights never leave registers.
#include "common/attention_variant.cuh"
#include "common/softmax_state.cuh"
#include "common/vec.cuh"

namespace weft {

struct AttentionPrefillParams {
  const void* q;
  const void* keys;
  const void* values;
  void* y;
  const int2* tiles;
  const int* sequence_starts;
  const int* positions;
  const int* block_tables;
  ScoreParams score;
  int query_heads;
  int key_heads;
  int q_stride;
  int y_stride;
  int max_blocks;
  int tile_tokens;  // at most 64 / (H/G)
};

constexpr int kPrefillThreads = 128;
constexpr int kPrefillRows = 64;
constexpr int kPagePositions = 16;

template <typename T, int D, int KeyTile, int Stages, int V>
__global__ void __launch_bounds__(kPrefillThreads, 1) attention_prefill(AttentionPrefillParams p) {
  // Eight elements more a row: the rows of an 8×8 matrix then lie in different banks.
  constexpr int kStride = D + 8;
  constexpr int kVecs = D / kVec;
  constexpr int kScoreTiles = KeyTile / 8;
  constexpr int kOutputTiles = D / 8;
  T* q_tile = reinterpret_cast<T*>(ptx::dynamic_shared());
  T* k_tiles = q_tile + kPrefillRows * kStride;
  T* v_tiles = k_tiles + Stages * KeyTile * kStride;

  ptx::wait_for_previous_launch();
  const int2 tile = p.tiles[blockIdx.x];
  const int group = blockIdx.y;
  const int group_heads = p.query_heads / p.key_heads;
  const int end = p.sequence_starts[tile.x + 1];
  const int tokens = min(p.tile_tokens, end - tile.y);
  const int rows = tokens * group_heads;
  const int* table = p.block_tables + static_cast<size_t>(tile.x) * p.max_blocks;
  const int prefix = V & kPrefix ? p.score.prefix_lengths[tile.x] : 0;
  const int context = p.positions[end - 1] + 1;
  const int first_query = p.positions[tile.y];
  const int last_query = p.positions[tile.y + tokens - 1];

  // The positions that some row of the tile sees.
  const int key_end = V & kCausal ? max(last_query + 1, min(prefix, context)) : context;
  const int key_begin = V & kWindow ? max(0, first_query - p.score.window + 1) / KeyTile * KeyTile : 0;

  for (int i = threadIdx.x; i < kPrefillRows * kVecs; i += kPrefillThreads) {
    const int row = i / kVecs;
    const int column = i % kVecs * kVec;
    const int token = tile.y + row / group_heads;
    const int head = group * group_heads + row % group_heads;
    const bool valid = row < rows;
    const T* source =
        static_cast<const T*>(p.q) + static_cast<size_t>(valid ? token : tile.y) * p.q_stride + (valid ? head : 0) * D + column;
    ptx::cp_async_16(q_tile + row * kStride + column, source, valid);
  }

  // Positions beyond the context are zeros: what the cache holds there may be anything, and 0 · NaN is NaN.
  const auto load = [&](int key, int stage) {
    for (int i = threadIdx.x; i < KeyTile * kVecs; i += kPrefillThreads) {
      const int row = i / kVecs;
      const int column = i % kVecs * kVec;
      const int position = key + row;
      const bool valid = position < context;
      const size_t page = valid ? static_cast<size_t>(table[position / kPagePositions]) : 0;
      const size_t at = ((page * p.key_heads + group) * kPagePositions + (valid ? position % kPagePositions : 0)) * D + column;
      const int target = (stage * KeyTile + row) * kStride + column;
      ptx::cp_async_16(k_tiles + target, static_cast<const T*>(p.keys) + at, valid);
      ptx::cp_async_16(v_tiles + target, static_cast<const T*>(p.values) + at, valid);
    }
  };

  const int lane = threadIdx.x % kWarpSize;
  const int warp_row = threadIdx.x / kWarpSize * 16;
  // A thread holds two rows of the fragments: lane / 4 and 8 more.
  int query[2], head[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = min(warp_row + lane / 4 + 8 * i, rows - 1);
    query[i] = p.positions[tile.y + row / group_heads];
    head[i] = group * group_heads + row % group_heads;
  }

  float output[kOutputTiles][4] = {};
  SoftmaxState state[2];

  load(key_begin, 0);
  ptx::cp_async_commit();
  int stage = 0;
  for (int key = key_begin; key < key_end; key += KeyTile) {
    if (Stages > 1 && key + KeyTile < key_end) load(key + KeyTile, stage ^ 1);
    if (Stages > 1) ptx::cp_async_commit();
    ptx::cp_async_wait<Stages - 1>();
    __syncthreads();
    const T* k_tile = k_tiles + stage * KeyTile * kStride;
    const T* v_tile = v_tiles + stage * KeyTile * kStride;

    float scores[kScoreTiles][4] = {};
#pragma unroll
    for (int d = 0; d < D; d += 16) {
      unsigned a[4];
      ptx::ldmatrix_x4(a, q_tile + (warp_row + lane % 16) * kStride + d + lane / 16 * 8);
#pragma unroll
      for (int n = 0; n < KeyTile; n += 16) {
        unsigned b[4];
        ptx::ldmatrix_x4(b, k_tile + (n + lane % 8 + lane / 16 * 8) * kStride + d + lane / 8 % 2 * 8);
        ptx::mma_m16n8k16<T>(scores[n / 8], a, b[0], b[1]);
        ptx::mma_m16n8k16<T>(scores[n / 8 + 1], a, b[2], b[3]);
      }
    }

    // Only tiles on an edge of what the rows see pay for the mask.
    const bool whole = key + KeyTile <= context && (!(V & kCausal) || key + KeyTile - 1 <= first_query || key + KeyTile <= prefix) &&
                       (!(V & kWindow) || key > last_query - p.score.window);
    float largest[2] = {-kInfinity, -kInfinity};
#pragma unroll
    for (int n = 0; n < kScoreTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int position = key + n * 8 + lane % 4 * 2 + i % 2;
        float s = score<V>(p.score, scores[n][i], head[i / 2], p.query_heads, query[i / 2], position);
        if (!whole && !(position < context && sees<V>(p.score, query[i / 2], position, prefix))) s = -kInfinity;
        scores[n][i] = s;
        largest[i / 2] = fmaxf(largest[i / 2], s);
      }
    }

    float factor[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      // The four lanes of a row.
      largest[i] = fmaxf(largest[i], __shfl_xor_sync(kFullMask, largest[i], 1));
      largest[i] = fmaxf(largest[i], __shfl_xor_sync(kFullMask, largest[i], 2));
      const float next = fmaxf(state[i].max, largest[i]);
      factor[i] = state[i].rescale(next);
      state[i].max = next;
      state[i].sum *= factor[i];
    }
#pragma unroll
    for (int d = 0; d < kOutputTiles; ++d) {
#pragma unroll
      for (int i = 0; i < 4; ++i) output[d][i] *= factor[i / 2];
    }

    // The accumulator layout of the scores is the operand layout of the weights.
#pragma unroll
    for (int n = 0; n < KeyTile; n += 16) {
      float w[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        w[i] = state[i / 2 % 2].weight(scores[n / 8 + i / 4][i % 4]);
        state[i / 2 % 2].sum += w[i];
      }
      const unsigned a[4] = {pack2<T>(w[0], w[1]), pack2<T>(w[2], w[3]), pack2<T>(w[4], w[5]), pack2<T>(w[6], w[7])};
#pragma unroll
      for (int d = 0; d < D; d += 16) {
        unsigned b[4];
        ptx::ldmatrix_x4_trans(b, v_tile + (n + lane % 16) * kStride + d + lane / 16 * 8);
        ptx::mma_m16n8k16<T>(output[d / 8], a, b[0], b[1]);
        ptx::mma_m16n8k16<T>(output[d / 8 + 1], a, b[2], b[3]);
      }
    }

    // Everyone is done with this buffer before it is filled again.
    __syncthreads();
    if (Stages > 1) {
      stage ^= 1;
    } else if (key + KeyTile < key_end) {
      load(key + KeyTile, 0);
      ptx::cp_async_commit();
    }
  }
  ptx::allow_next_launch();

#pragma unroll
  for (int i = 0; i < 2; ++i) {
    state[i].sum += __shfl_xor_sync(kFullMask, state[i].sum, 1);
    state[i].sum += __shfl_xor_sync(kFullMask, state[i].sum, 2);
    float factor = 1.0f;
    if (V & kSinks) {
      float unused;
      SoftmaxState sink;
      sink.max = p.score.sinks[head[i]] * kLog2e;
      sink.sum = 1.0f;
      state[i].merge(sink, factor, unused);
    }
    factor *= state[i].inverse();
    const int row = warp_row + lane / 4 + 8 * i;
    if (row >= rows) continue;
    T* y = static_cast<T*>(p.y) + static_cast<size_t>(tile.y + row / group_heads) * p.y_stride + head[i] * D;
#pragma unroll
    for (int d = 0; d < kOutputTiles; ++d)
      *reinterpret_cast<unsigned*>(y + d * 8 + lane % 4 * 2) = pack2<T>(output[d][2 * i] * factor, output[d][2 * i + 1] * factor);
  }
}

}  // namespace weft

// y[n, h] = softmax(score(q[n, h], k[t, g]) over the positions t that n sees) · v[t, g], for many queries a sequence.
//   q  [N, q_stride] C, head h at h·D        y [N, y_stride] T
//   keys, values [blocks, G, 16, D] C through block_tables [B, max_blocks]; the step's own keys and values are there already
//   tiles [count] {sequence, first token of the step} of tokens up to prompt_ends [B]: a tile has up to 64 rows, row r = token first + r /
//   (H/G), head g·(H/G) + r % (H/G), so that a group's heads share every key and value that is loaded.
// A block owns one tile and one key/value head; a warp 16 of its rows. Keys and values pass in tiles of KeyTile positions through Stages
// buffers of shared memory (FlashAttention-2, Dao 2023, arXiv 2307.08691): scores and weights never leave registers.
// Products says which tensor-core instruction multiplies; what surrounds the products is the same, for both leave row lane / 4 (and 8
// more) of a warp's 16 in the same registers.
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
  const int* prompt_ends;
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

// mma.sync, for every architecture: a warp multiplies alone and loads each fragment from shared memory.
template <typename T, int D, int KeyTile>
struct WarpProducts {
  // Eight elements more a row: the rows of an 8×8 matrix then lie in different banks.
  static constexpr int kRow = D + 8;

  // The order in which a tile's vectors are loaded: row by row.
  __device__ static int row_of(int i) { return i / (D / kVec); }
  __device__ static int column_of(int i) { return i % (D / kVec) * kVec; }
  __device__ static int at(int row, int column) { return row * kRow + column; }

  const T* queries;

  __device__ void take_queries(const T* q_tile) { queries = q_tile + at(threadIdx.x / kWarpSize * 16 + threadIdx.x % 16, 0); }

  __device__ static void publish_loads() {}

  // scores[row, n] = Σ_d q[row, d] · k[n, d]
  __device__ void score(float (&scores)[KeyTile / 8][4], const T* k_tile) {
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int d = 0; d < D; d += 16) {
      unsigned a[4];
      ptx::ldmatrix_x4(a, queries + d + lane / 16 * 8);
#pragma unroll
      for (int n = 0; n < KeyTile; n += 16) {
        unsigned b[4];
        ptx::ldmatrix_x4(b, k_tile + at(n + lane % 8 + lane / 16 * 8, d + lane / 8 % 2 * 8));
        ptx::mma_m16n8k16<T>(scores[n / 8], a, b[0], b[1]);
        ptx::mma_m16n8k16<T>(scores[n / 8 + 1], a, b[2], b[3]);
      }
    }
  }

  // output[row, d] += Σ_n weights[row, n] · v[n, d]
  __device__ void add_weighted(float (&output)[D / 8][4], unsigned (&weights)[KeyTile / 16][4], const T* v_tile) {
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int n = 0; n < KeyTile; n += 16) {
#pragma unroll
      for (int d = 0; d < D; d += 16) {
        unsigned b[4];
        ptx::ldmatrix_x4_trans(b, v_tile + at(n + lane % 16, d + lane / 16 * 8));
        ptx::mma_m16n8k16<T>(output[d / 8], weights[n / 16], b[0], b[1]);
        ptx::mma_m16n8k16<T>(output[d / 8 + 1], weights[n / 16], b[2], b[3]);
      }
    }
  }
};

// wgmma (sm_90a): the four warps multiply together, queries and weights from registers, keys and values from shared memory. Those lie
// in 8×8 matrices of 128 bytes, [position / 8][d / 8], which serves keys (the sum runs along a row) and values (it runs down a
// column) at every head size, and which cp.async writes without bank conflicts. No TMA: it wants boxes of one tensor, and a tile is made
// of pages of 16 positions that a table finds.
template <typename T, int D, int KeyTile>
struct WarpgroupProducts {
  static constexpr int kRow = D;
  static constexpr int kMatrixBytes = 128;
  static constexpr int kMatrixRowBytes = D / 8 * kMatrixBytes;

  // Eight threads fill one 8×8 matrix; a warp reads 64 bytes of each of eight rows.
  __device__ static int row_of(int i) { return i / (8 * (D / kVec)) * 8 + i % 8; }
  __device__ static int column_of(int i) { return i / 8 % (D / kVec) * kVec; }
  __device__ static int at(int row, int column) { return (row / 8 * (D / 8) + column / 8) * 64 + row % 8 * 8; }

  unsigned queries[D / 16][4];

  __device__ void take_queries(const T* q_tile) {
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int d = 0; d < D; d += 16)
      ptx::ldmatrix_x4(queries[d / 16], q_tile + at(threadIdx.x / kWarpSize * 16 + lane % 16, d + lane / 16 * 8));
  }

  __device__ static void publish_loads() { ptx::async_proxy_fence(); }

  __device__ void score(float (&scores)[KeyTile / 8][4], const T* k_tile) {
    ptx::wgmma_begin<KeyTile / 8, D / 16>(scores, queries);
#pragma unroll
    for (int d = 0; d < D; d += 16)
      ptx::wgmma_m64k16<T, KeyTile, false>(scores, queries[d / 16], ptx::shared_matrix(k_tile + at(0, d), kMatrixBytes, kMatrixRowBytes));
    ptx::wgmma_finish<KeyTile / 8, D / 16>(scores, queries);
  }

  __device__ void add_weighted(float (&output)[D / 8][4], unsigned (&weights)[KeyTile / 16][4], const T* v_tile) {
    ptx::wgmma_begin<D / 8, KeyTile / 16>(output, weights);
#pragma unroll
    for (int n = 0; n < KeyTile; n += 16) add_columns<0>(output, weights[n / 16], v_tile + at(n, 0));
    ptx::wgmma_finish<D / 8, KeyTile / 16>(output, weights);
  }

 private:
  // One instruction takes 64, 32 or 16 columns.
  template <int First>
  __device__ void add_columns(float (&output)[D / 8][4], const unsigned (&weights)[4], const T* v_tile) {
    if constexpr (First < D) {
      constexpr int kColumns = D - First >= 64 ? 64 : D - First >= 32 ? 32 : 16;
      ptx::wgmma_m64k16<T, kColumns, true>(output + First / 8, weights,
                                           ptx::shared_matrix(v_tile + at(0, First), kMatrixRowBytes, kMatrixBytes));
      add_columns<First + kColumns>(output, weights, v_tile);
    }
  }
};

template <typename T, typename C, int D, int KeyTile, int Stages, int V, template <typename, int, int> class Products>
__global__ void __launch_bounds__(kPrefillThreads, 1) attention_prefill(AttentionPrefillParams p) {
  using Tiles = Products<C, D, KeyTile>;
  constexpr int kVecs = D / kVec;
  constexpr int kScoreTiles = KeyTile / 8;
  constexpr int kOutputTiles = D / 8;
  constexpr int kTileElements = KeyTile * Tiles::kRow;
  C* q_tile = reinterpret_cast<C*>(ptx::dynamic_shared());
  C* k_tiles = q_tile + kPrefillRows * Tiles::kRow;
  C* v_tiles = k_tiles + Stages * kTileElements;

  ptx::wait_for_previous_launch();
  const int2 tile = p.tiles[blockIdx.x];
  const int group = blockIdx.y;
  const int group_heads = p.query_heads / p.key_heads;
  const int end = p.prompt_ends[tile.x];
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
    const int row = Tiles::row_of(i);
    const int column = Tiles::column_of(i);
    const int token = tile.y + row / group_heads;
    const int head = group * group_heads + row % group_heads;
    const bool valid = row < rows;
    const C* source =
        static_cast<const C*>(p.q) + static_cast<size_t>(valid ? token : tile.y) * p.q_stride + (valid ? head : 0) * D + column;
    ptx::cp_async_16(q_tile + Tiles::at(row, column), source, valid);
  }
  ptx::cp_async_commit();

  // Positions beyond the context are zeros: what the cache holds there may be anything, and 0 · NaN is NaN.
  const auto load = [&](int key, int stage) {
    for (int i = threadIdx.x; i < KeyTile * kVecs; i += kPrefillThreads) {
      const int row = Tiles::row_of(i);
      const int column = Tiles::column_of(i);
      const int position = key + row;
      const bool valid = position < context;
      const size_t page = valid ? static_cast<size_t>(table[position / kPagePositions]) : 0;
      const size_t at = ((page * p.key_heads + group) * kPagePositions + (valid ? position % kPagePositions : 0)) * D + column;
      const int target = stage * kTileElements + Tiles::at(row, column);
      ptx::cp_async_16(k_tiles + target, static_cast<const C*>(p.keys) + at, valid);
      ptx::cp_async_16(v_tiles + target, static_cast<const C*>(p.values) + at, valid);
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
  ptx::cp_async_wait<1>();
  __syncthreads();
  Tiles products;
  products.take_queries(q_tile);
  int stage = 0;
  for (int key = key_begin; key < key_end; key += KeyTile) {
    if (Stages > 1 && key + KeyTile < key_end) load(key + KeyTile, stage ^ 1);
    if (Stages > 1) ptx::cp_async_commit();
    ptx::cp_async_wait<Stages - 1>();
    Tiles::publish_loads();
    __syncthreads();

    float scores[kScoreTiles][4] = {};
    products.score(scores, k_tiles + stage * kTileElements);

    // Only tiles on an edge of what the rows see pay for the mask.
    const bool whole = key + KeyTile <= context && (!(V & kCausal) || key + KeyTile - 1 <= first_query || key + KeyTile <= prefix) &&
                       (!(V & kWindow) || key > last_query - p.score.window);
    float largest[2] = {-kInfinity, -kInfinity};
#pragma unroll
    for (int n = 0; n < kScoreTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int position = key + n * 8 + lane % 4 * 2 + i % 2;
        float s = score<V>(p.score, scores[n][i], head[i / 2], query[i / 2], position);
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
    unsigned weights[KeyTile / 16][4];
#pragma unroll
    for (int n = 0; n < kScoreTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float low = state[i].weight(scores[n][2 * i]);
        const float high = state[i].weight(scores[n][2 * i + 1]);
        state[i].sum += low + high;
        weights[n / 2][n % 2 * 2 + i] = pack2_in_range<C>(low, high);
      }
    }
    products.add_weighted(output, weights, v_tiles + stage * kTileElements);

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

// Attention over a cache of latent vectors: y[n, h] = softmax(score(q[n, h] · c[t]) over the positions t that n sees) · (the last L
// elements of c[t]).
//   q  [N, q_stride] C, head h at h·D, D = R + L        y [N, y_stride] T, head h at h·L
//   cache [blocks, 16, D] C through block_tables [*, max_blocks]; the step's own rows are there already
//   tokens: with tiles {sequence, first token of the step} those before prompt_ends of the sequence, blockIdx.z after the tile's first;
//   without, the row rows[blockIdx.x] of sequence tables[blockIdx.x], or none where it is negative
// All heads share one key, so 16 of them are the rows of one tile and a block owns one token and up to 16 heads. Latent vectors pass in
// tiles of 32 positions through shared memory and are read twice there, as keys and as values. Each of four warps scores 8 positions; all
// four then know every weight and mix a quarter of the columns each. A token is computed alike in a prompt and when it was drawn, whatever
// else is in the step.
#include "common/attention_variant.cuh"
#include "common/softmax_state.cuh"
#include "common/vec.cuh"

namespace weft {

struct AttentionLatentParams {
  const void* q;
  const void* cache;
  void* y;
  const int2* tiles;
  const int* prompt_ends;
  const int* rows;
  const int* tables;
  const int* positions;
  const int* block_tables;
  ScoreParams score;
  int heads;
  int q_stride;
  int y_stride;
  int max_blocks;
};

constexpr int kLatentThreads = 128;
constexpr int kLatentWarps = kLatentThreads / kWarpSize;
constexpr int kLatentHeads = 16;
constexpr int kLatentKeys = 32;
constexpr int kLatentScoreRow = kLatentKeys + 4;
constexpr int kPagePositions = 16;

template <typename T, typename C, int R, int L, int V>
__global__ void __launch_bounds__(kLatentThreads, 1) attention_latent(AttentionLatentParams p) {
  constexpr int kSize = R + L;
  constexpr int kVecs = kSize / kVec;
  // Scores take 32 elements at a time; eight more a row: the rows of an 8×8 matrix then lie in different banks.
  constexpr int kPadded = (kSize + 31) / 32 * 32;
  constexpr int kRow = kPadded + 8;
  constexpr int kPairs = ((L + 15) / 16 + kLatentWarps - 1) / kLatentWarps;  // of 8 columns, of a warp
  C* q_tile = reinterpret_cast<C*>(ptx::dynamic_shared());
  C* k_tile = q_tile + kLatentHeads * kRow;
  float* score_tile = reinterpret_cast<float*>(k_tile + kLatentKeys * kRow);

  ptx::wait_for_previous_launch();
  int token, sequence;
  if (p.tiles) {
    const int2 tile = p.tiles[blockIdx.x];
    sequence = tile.x;
    token = tile.y + blockIdx.z;
    if (token >= p.prompt_ends[sequence]) return;
  } else {
    token = p.rows[blockIdx.x];
    if (token < 0) return;
    sequence = p.tables[blockIdx.x];
  }
  const int first_head = blockIdx.y * kLatentHeads;
  const int heads = min(kLatentHeads, p.heads - first_head);
  const int query = p.positions[token];
  const int context = query + 1;
  const int key_begin = V & kWindow ? max(0, context - p.score.window) / kLatentKeys * kLatentKeys : 0;
  const int* table = p.block_tables + static_cast<size_t>(sequence) * p.max_blocks;

  for (int i = threadIdx.x; i < kLatentHeads * kVecs; i += kLatentThreads) {
    const int row = i / kVecs;
    const int column = i % kVecs * kVec;
    const C* source =
        static_cast<const C*>(p.q) + static_cast<size_t>(token) * p.q_stride + (first_head + (row < heads ? row : 0)) * kSize + column;
    ptx::cp_async_16(q_tile + row * kRow + column, source, row < heads);
  }
  if constexpr (kPadded > kSize) {
    constexpr int kMissing = (kPadded - kSize) / kVec;
    for (int i = threadIdx.x; i < (kLatentHeads + kLatentKeys) * kMissing; i += kLatentThreads)
      *reinterpret_cast<uint4*>(q_tile + i / kMissing * kRow + kSize + i % kMissing * kVec) = make_uint4(0, 0, 0, 0);
  }

  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  float output[2 * kPairs][4] = {};
  SoftmaxState state[2];  // of rows lane / 4 and 8 more
  for (int key = key_begin; key < context; key += kLatentKeys) {
    // Positions beyond the context are zeros: what the cache holds there may be anything, and 0 · NaN is NaN.
    for (int i = threadIdx.x; i < kLatentKeys * kVecs; i += kLatentThreads) {
      const int row = i / kVecs;
      const int column = i % kVecs * kVec;
      const int position = key + row;
      const bool valid = position < context;
      const size_t page = valid ? static_cast<size_t>(table[position / kPagePositions]) : 0;
      const size_t at = (page * kPagePositions + (valid ? position % kPagePositions : 0)) * kSize + column;
      ptx::cp_async_16(k_tile + row * kRow + column, static_cast<const C*>(p.cache) + at, valid);
    }
    ptx::cp_async_commit();
    ptx::cp_async_wait<0>();
    __syncthreads();

    float scores[4] = {};
#pragma unroll
    for (int d = 0; d < kPadded; d += 32) {
      unsigned b[4];
      ptx::ldmatrix_x4(b, k_tile + (warp * 8 + lane % 8) * kRow + d + lane / 8 * 8);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        unsigned a[4];
        ptx::ldmatrix_x4(a, q_tile + lane % 16 * kRow + d + i * 16 + lane / 16 * 8);
        ptx::mma_m16n8k16<C>(scores, a, b[2 * i], b[2 * i + 1]);
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8;
      const int column = warp * 8 + lane % 4 * 2 + i % 2;
      const int position = key + column;
      const int head = first_head + min(row, heads - 1);
      const bool seen = position < context && sees<V>(p.score, query, position, 0);
      score_tile[row * kLatentScoreRow + column] = seen ? score<V>(p.score, scores[i], head, query, position) : -kInfinity;
    }
    __syncthreads();

    // What a lane multiplies: of two rows, and of each 16 positions, four.
    unsigned weights[kLatentKeys / 16][4];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float* own = score_tile + (lane / 4 + i * 8) * kLatentScoreRow + lane % 4 * 2;
      float values[kLatentKeys / 8][2];
      float largest = -kInfinity;
#pragma unroll
      for (int n = 0; n < kLatentKeys / 8; ++n) {
        values[n][0] = own[n * 8];
        values[n][1] = own[n * 8 + 1];
        largest = fmaxf(largest, fmaxf(values[n][0], values[n][1]));
      }
      // The four lanes of a row.
      largest = fmaxf(largest, __shfl_xor_sync(kFullMask, largest, 1));
      largest = fmaxf(largest, __shfl_xor_sync(kFullMask, largest, 2));
      const float next = fmaxf(state[i].max, largest);
      const float factor = state[i].rescale(next);
      state[i].max = next;
      state[i].sum *= factor;
#pragma unroll
      for (int n = 0; n < kLatentKeys / 8; ++n) {
        const float low = state[i].weight(values[n][0]);
        const float high = state[i].weight(values[n][1]);
        state[i].sum += low + high;
        weights[n / 2][n % 2 * 2 + i] = pack2_in_range<C>(low, high);
      }
#pragma unroll
      for (int d = 0; d < 2 * kPairs; ++d) {
        output[d][2 * i] *= factor;
        output[d][2 * i + 1] *= factor;
      }
    }

#pragma unroll
    for (int pair = 0; pair < kPairs; ++pair) {
      const int column = (warp + pair * kLatentWarps) * 16;
      if (column >= L) continue;
#pragma unroll
      for (int n = 0; n < kLatentKeys / 16; ++n) {
        unsigned b[4];
        ptx::ldmatrix_x4_trans(b, k_tile + (n * 16 + lane % 16) * kRow + R + column + lane / 16 * 8);
        ptx::mma_m16n8k16<C>(output[2 * pair], weights[n], b[0], b[1]);
        ptx::mma_m16n8k16<C>(output[2 * pair + 1], weights[n], b[2], b[3]);
      }
    }
    // Everyone is done with the tiles before they are filled again.
    __syncthreads();
  }
  ptx::allow_next_launch();

#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = lane / 4 + i * 8;
    state[i].sum += __shfl_xor_sync(kFullMask, state[i].sum, 1);
    state[i].sum += __shfl_xor_sync(kFullMask, state[i].sum, 2);
    float factor = 1.0f;
    if (V & kSinks) {
      float unused;
      SoftmaxState sink;
      sink.max = p.score.sinks[first_head + min(row, heads - 1)] * kLog2e;
      sink.sum = 1.0f;
      state[i].merge(sink, factor, unused);
    }
    factor *= state[i].inverse();
    if (row >= heads) continue;
    T* y = static_cast<T*>(p.y) + static_cast<size_t>(token) * p.y_stride + (first_head + row) * L;
#pragma unroll
    for (int d = 0; d < 2 * kPairs; ++d) {
      const int column = (warp + d / 2 * kLatentWarps) * 16 + d % 2 * 8;
      if (column < L)
        *reinterpret_cast<unsigned*>(y + column + lane % 4 * 2) = pack2<T>(output[d][2 * i] * factor, output[d][2 * i + 1] * factor);
    }
  }
}

}  // namespace weft

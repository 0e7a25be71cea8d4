// y[n, m] = Σ_k x[n, k] · W[m, k] for more rows n than gemv takes, to the last bit as gemv gives it: a row's result is the same alone and
// in any batch.
//   W [M, w_stride] T, zero beyond K      x [N, x_stride] T      y [N, y_stride] T or float32
//   low [N, x_stride] T, with Parts = 2: what rounding x lost, of rows whose token was drawn (NormedParts); it is multiplied, too
// A block owns Columns rows of x and 128 rows of W (when gated 64 of gate and the 64 of up beside them). Both pass in chunks of 32 elements
// of K through four stages of shared memory; a lane's 16 bytes of a row are its fragments of two products, as in gemv, whose order of sums
// this is: chunks c, c + 8, c + 16 … for each of gemv's eight warps c, then the eight sums one after another. Few blocks are made more by
// sharing out those eight: each leaves its sums, and the last to come adds them in the same order.
#include "common/expert_rows.cuh"
#include "common/product_tile.cuh"
#include "common/vec.cuh"

namespace weft {

struct GemmParams {
  const void* x;  // rows may be read to the next multiple of 8 elements; what lies there counts for nothing
  const void* low;
  const int* drawn;  // [N], with low
  const void* weight;
  const float* bias;  // [M] or null
  void* y;
  float* partial;      // [8, blocks, sums of a lane, threads]; not used by one split
  unsigned* counters;  // [grid.y, grid.x] zeros, left as zeros
  int rows;            // N
  int outputs;         // M; when gated, rows m and M + m of W make output m
  int inner;           // K
  int x_stride;
  int w_stride;
  int y_stride;
};

constexpr int kGemmRows = 128;  // of W in a block
constexpr int kGemmStages = 4;
constexpr int kGemmChunk = 32;     // elements of K in a stage
constexpr int kGemmPhases = 8;     // warps of gemv
constexpr int kGemmFragment = 16;  // rows of W in a fragment
constexpr int kGemmFragments = 4;  // of 8 rows of x in a warp's tile
constexpr int kGemmWarpColumns = kGemmFragments * 8;

template <int Columns, bool Gated>
using GemmTile = ProductTile<(Columns == kGemmWarpColumns ? 4 : 2), Columns / kGemmWarpColumns,
                             kGemmRows / kGemmFragment / (Columns == kGemmWarpColumns ? 4 : 2), kGemmFragments, Gated>;

// Rows says which rows of x meet which of W; with ExpertRows a block along grid.y has a tile of at most Columns, and nothing is split.
template <typename T, int Columns, int Parts, typename Output, typename Rows = OneMatrix>
__global__ void __launch_bounds__(GemmTile<Columns, Output::kGated>::kThreads) gemm(typename Rows::template With<GemmParams> p) {
  using Tile = GemmTile<Columns, Output::kGated>;
  constexpr int kSets = Tile::kSets;
  constexpr int kVectors = kGemmChunk / kVec;  // of a row in a stage
  constexpr int kStage = (kGemmRows + Parts * Columns) * kGemmChunk;
  T* staged = reinterpret_cast<T*>(ptx::dynamic_shared());  // [stage][128 + Parts · Columns][32]
  const int lane = threadIdx.x % kWarpSize;
  const int g = lane / 4;
  const int t = lane % 4;
  const Rows group(p, blockIdx.y);
  if (group.empty()) return;
  const int first_row = group.first(p, blockIdx.y, Columns);
  const int end_row = group.end(p);
  const int first_output = blockIdx.x * Tile::kOutputs;

  const int chunks = (p.inner + kGemmChunk - 1) / kGemmChunk;
  const int splits = gridDim.z;
  const int first_phase = blockIdx.z * (kGemmPhases / splits);
  const int end_phase = min(first_phase + kGemmPhases / splits, chunks);
  int chunks_left = 0;  // to be copied
  for (int phase = first_phase; phase < end_phase; ++phase) chunks_left += (chunks - phase + kGemmPhases - 1) / kGemmPhases;

  // A thread copies the same 16 bytes of each chunk of some rows. Rows of W beyond the last are read as the last and not stored.
  constexpr int kWeightLoads = kGemmRows * kVectors / Tile::kThreads;
  constexpr int kRowLoads = Columns * kVectors / Tile::kThreads;
  constexpr int kLoadedRows = Tile::kThreads / kVectors;
  const int own_k = threadIdx.x % kVectors * kVec;
  const T* weight[kWeightLoads];
#pragma unroll
  for (int i = 0; i < kWeightLoads; ++i) {
    const int slot = threadIdx.x / kVectors + i * kLoadedRows;
    const int row = group.weight(p, min(first_output + Tile::output(slot), p.outputs - 1), Tile::is_up(slot));
    weight[i] = static_cast<const T*>(p.weight) + static_cast<size_t>(row) * p.w_stride;
  }
  const auto fill_weights = [&](T* stage, int chunk) {
    const int k = chunk * kGemmChunk + own_k;
#pragma unroll
    for (int i = 0; i < kWeightLoads; ++i) {
      ptx::cp_async_16(stage + (threadIdx.x + i * Tile::kThreads) * kVec, weight[i] + (k < p.inner ? k : 0), k < p.inner);
    }
  };
  const auto fill_rows = [&](T* stage, int chunk) {
    const int k = chunk * kGemmChunk + own_k;
#pragma unroll
    for (int i = 0; i < kRowLoads; ++i) {
      const int n = first_row + threadIdx.x / kVectors + i * kLoadedRows;
      const bool valid = n < end_row && k < p.inner;
      const size_t at = valid ? static_cast<size_t>(group.source(p, n)) * p.x_stride + k : 0;
      T* target = stage + kGemmRows * kGemmChunk + (threadIdx.x + i * Tile::kThreads) * kVec;
      ptx::cp_async_16(target, static_cast<const T*>(p.x) + at, valid);
      if constexpr (Parts == 2) {
        ptx::cp_async_16(target + Columns * kGemmChunk, static_cast<const T*>(p.low) + at, valid && p.drawn[n]);
      }
    }
  };
  // The chunk after one, in gemv's order: of the same phase, or the first of the next.
  const auto after = [&](int chunk) { return chunk + kGemmPhases < chunks ? chunk + kGemmPhases : chunk % kGemmPhases + 1; };

  // Weights of one matrix do not depend on the launch before: the first are under way while it finishes.
  int ahead = first_phase;
#pragma unroll
  for (int i = 0; i < kGemmStages - 1; ++i) {
    if (i < chunks_left) fill_weights(staged + i * kStage, ahead);
    ahead = after(ahead);
  }
  if constexpr (Rows::kKnownAhead) ptx::wait_for_previous_launch();
  ptx::allow_next_launch();
  ahead = first_phase;
#pragma unroll
  for (int i = 0; i < kGemmStages - 1; ++i) {
    if (i < chunks_left) fill_rows(staged + i * kStage, ahead);
    ptx::cp_async_commit();
    ahead = after(ahead);
  }
  chunks_left -= kGemmStages - 1;

  // Fragments with a row of two parts; elsewhere the second is nothing but zeros.
  bool has_low[kGemmFragments] = {};
  if constexpr (Parts == 2) {
#pragma unroll
    for (int f = 0; f < kGemmFragments; ++f) {
      const int n = first_row + Tile::warp_x() * kGemmWarpColumns + f * 8 + g;
      has_low[f] = __ballot_sync(kFullMask, n < end_row && p.drawn[n]) != 0;
    }
  }

  float totals[kSets][kGemmFragments][4] = {};
  int stage = 0;
  for (int phase = first_phase; phase < end_phase; ++phase) {
    float sums[kSets][kGemmFragments][4] = {};
    for (int chunk = phase; chunk < chunks; chunk += kGemmPhases) {
      ptx::cp_async_wait<kGemmStages - 2>();
      __syncthreads();
      if (chunks_left > 0) {
        T* next = staged + (stage + kGemmStages - 1) % kGemmStages * kStage;
        fill_weights(next, ahead);
        fill_rows(next, ahead);
        ahead = after(ahead);
      }
      --chunks_left;
      ptx::cp_async_commit();

      const T* weights = staged + stage * kStage + (Tile::warp_w() * kSets * kGemmFragment + g) * kGemmChunk + t * kVec;
      const T* rows = staged + stage * kStage + (kGemmRows + Tile::warp_x() * kGemmWarpColumns + g) * kGemmChunk + t * kVec;
      const int count = p.inner - chunk * kGemmChunk - t * kVec;
      stage = (stage + 1) % kGemmStages;
      uint4 x[Parts][kGemmFragments];
#pragma unroll
      for (int part = 0; part < Parts; ++part) {
#pragma unroll
        for (int f = 0; f < kGemmFragments; ++f) {
          if (part == 1 && !has_low[f]) continue;
          x[part][f] = *reinterpret_cast<const uint4*>(rows + (part * Columns + f * 8) * kGemmChunk);
          if (count < kVec) x[part][f] = first_of8(x[part][f], count);
        }
      }
#pragma unroll
      for (int s = 0; s < kSets; ++s) {
        const uint4 upper = *reinterpret_cast<const uint4*>(weights + s * kGemmFragment * kGemmChunk);
        const uint4 lower = *reinterpret_cast<const uint4*>(weights + (s * kGemmFragment + 8) * kGemmChunk);
        const unsigned low[4] = {upper.x, lower.x, upper.y, lower.y};
        const unsigned high[4] = {upper.z, lower.z, upper.w, lower.w};
#pragma unroll
        for (int part = 0; part < Parts; ++part) {
#pragma unroll
          for (int f = 0; f < kGemmFragments; ++f) {
            if (part == 1 && !has_low[f]) continue;
            ptx::mma_m16n8k16<T>(sums[s][f], low, x[part][f].x, x[part][f].y);
            ptx::mma_m16n8k16<T>(sums[s][f], high, x[part][f].z, x[part][f].w);
          }
        }
      }
    }

    if (splits > 1) {
      leave_part<Tile>(p.partial, phase, end_row - first_row, sums);
      continue;
    }
    for_sums<Tile>([&](int s, int f, int j) { totals[s][f][j] += sums[s][f][j]; });
  }

  float* places = reinterpret_cast<float*>(staged);
  if (splits > 1) {
    if (!is_last_part(p.counters, reinterpret_cast<int*>(staged))) return;
    add_parts<Tile>(p.partial, min(kGemmPhases, chunks), end_row - first_row, places);
  } else {
    __syncthreads();  // the stages are free
    for_sums<Tile>([&](int s, int f, int j) { places[Tile::own_place(s, f, j)] = totals[s][f][j]; });
  }
  store_tile<T, Tile, Output>(p, group, places, first_row, first_output);
}

}  // namespace weft

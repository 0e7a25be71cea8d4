// y[n, m] = Σ_k x[n, k] · W[m, k] for more rows n than quantized_gemv takes and quantized W: codes go from memory to registers and become
// numbers there, x is shared by a block's warps.
//   W tiles of codes, scales and zero points (common/codes.cuh)      x [N, x_stride] T, K even      y [N, y_stride] T or float32
// A block owns Columns rows of x and 128 rows of W (when gated 64 of gate and the 64 of up beside them), a warp 2 · 16 of those. x passes
// in tiles of 64 or 32 columns through three stages of shared memory; a warp multiplies 32 columns with tensor cores (Input says with
// which instruction), code − zero point being exact in T, and scales the sums in float32: what is rounded is x alone, but for zero points
// between codes. Tiles are added up in
// quantized_gemv's order, those of each of its eight warps and then the eight sums, so that with mma.sync a row's result is the same to the
// last bit alone and in any batch. Few blocks are made more by sharing out those eight: each leaves its sums, and the last to come adds
// them.
#include "common/codes.cuh"
#include "common/expert_rows.cuh"
#include "common/product_tile.cuh"

namespace weft {

struct QuantizedGemmParams {
  const void* x;
  QuantizedWeight weight;
  const float* bias;  // [M] or null
  void* y;
  float* partial;      // [8, blocks, sums of a lane, threads]; not used by one split
  unsigned* counters;  // [grid.y, grid.x] zeros, left as zeros
  int rows;            // N
  int outputs;         // M; when gated, of gate alone
  int inner;           // K
  int up_block;        // when gated: the row block where up begins
  int x_stride;
  int y_stride;
};

constexpr int kGemmWarps = 4;
constexpr int kGemmThreads = kGemmWarps * kWarpSize;
constexpr int kGemmSets = 2;  // row blocks of a warp
constexpr int kGemmStages = 3;
constexpr int kGemmScaled = 2;  // steps of 32 columns, the smallest group, share a scale
constexpr int kGemmBlocks = 2;  // of a multiprocessor
constexpr int kGemmPhases = 8;  // warps of quantized_gemv

// Tiles in quantized_gemv's order: those of a phase, then those of the next.
struct TileWalk {
  int tile;
  int tiles;

  __device__ int phase() const { return tile % kGemmPhases; }
  __device__ bool ends_phase() const { return tile + kGemmPhases >= tiles; }
  __device__ void advance() { tile = ends_phase() ? phase() + 1 : tile + kGemmPhases; }
};

// A tile of a warp's row block with what its codes mean, brought a tile ahead.
template <int Bits>
struct GemmTile {
  static constexpr int kScales = Codes<Bits>::kSteps / kGemmScaled;
  uint4 codes;
  float scale[kScales][2];  // of rows g and g + 8
  float zero[kScales][2];
};

// A stage of x as 8×8 matrices of 128 bytes, eight rows of eight columns, for ldmatrix and wgmma alike. A step's columns are put in the
// codes' order on their way: 4t and 4t + 1 stand at 2t of its first matrix, 4t + 2 and 4t + 3 at 2t of its second.
//   [half][row / 8][step][row % 8][8]
template <typename T, int Bits, int Columns>
struct StagedRows {
  static constexpr int kSteps = Codes<Bits>::kSteps;
  static constexpr int kMatrix = 64;
  // The second halves begin 16 banks further: the 4 bytes of a warp's lanes, four rows of a step, meet each bank once.
  static constexpr int kHalf = Columns * kSteps * 8 + kMatrix / 2;
  static constexpr int kElements = 2 * kHalf - kMatrix / 2;

  __device__ static int matrix(int half, int eighth, int step) { return half * kHalf + (eighth * kSteps + step) * kMatrix; }

  __device__ static void fill(T* stage, const QuantizedGemmParams& p, int first_row, int first_column) {
    constexpr int kWords = kStepColumns / 2;
    const int word = threadIdx.x % kWords;
#pragma unroll 1
    for (int row = threadIdx.x / kWords; row < Columns; row += kGemmThreads / kWords) {
      const int n = first_row + row;
      const T* x = static_cast<const T*>(p.x) + static_cast<size_t>(n) * p.x_stride;
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        const int k = first_column + step * kStepColumns + word * 2;
        const bool valid = n < p.rows && k < p.inner;
        ptx::cp_async_4(stage + matrix(word % 2, row / 8, step) + row % 8 * 8 + word / 2 * 2, valid ? x + k : static_cast<const T*>(p.x), valid);
      }
    }
  }
};

// sums[s][f …] += scales[s] · part[s]; scales are of rows g and g + 8.
template <int Fragments, int All>
__device__ inline void add_scaled(float (&sums)[kGemmSets][All][4], const float (&scales)[kGemmSets][2],
                                  const float (&part)[kGemmSets][Fragments][4], int f) {
#pragma unroll
  for (int s = 0; s < kGemmSets; ++s) {
#pragma unroll
    for (int i = 0; i < Fragments; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) sums[s][f + i][j] += scales[s][j / 2] * part[s][i][j];
    }
  }
}

// mma.sync, for every architecture.
template <typename T, int Bits, int Columns>
struct WarpInput {
  using Rows = StagedRows<T, Bits, Columns>;
  using Sums = float (&)[kGemmSets][Columns / 8][4];
  using Fragments = unsigned (&)[kGemmSets][kGemmScaled][4];
  using Scales = float (&)[kGemmSets][2];

  __device__ static void publish() {}

  // sums[s] += scales[s] · (a[s] · x) over kGemmScaled steps from `first` on.
  __device__ static void multiply(Sums sums, Fragments a, Scales scales, const T* stage, int first) {
    constexpr int kTogether = Columns / 8 < 4 ? Columns / 8 : 4;  // products enough to hide their latency; more would take more registers
    const int lane = threadIdx.x % kWarpSize;
    const T* own = stage + Rows::matrix(lane / 8 % 2, lane / 16, first) + lane % 8 * 8;
#pragma unroll
    for (int f = 0; f < Columns / 8; f += kTogether) {
      float part[kGemmSets][kTogether][4] = {};
#pragma unroll
      for (int i = 0; i < kGemmScaled; ++i) {
#pragma unroll
        for (int j = 0; j < kTogether; j += 2) {
#if __CUDA_ARCH__ < 800
          __syncwarp();  // or the compiler loads so far ahead that registers spill
#endif
          unsigned x[4];  // both halves of two fragments
          ptx::ldmatrix_x4(x, own + Rows::matrix(0, f + j, i));
#pragma unroll
          for (int s = 0; s < kGemmSets; ++s) {
            ptx::mma_m16n8k16<T>(part[s][j], a[s][i], x[0], x[1]);
            ptx::mma_m16n8k16<T>(part[s][j + 1], a[s][i], x[2], x[3]);
          }
        }
      }
      add_scaled<kTogether>(sums, scales, part, f);
    }
  }
};

// wgmma (sm_90a): the four warps' 64 rows of W together.
template <typename T, int Bits, int Columns>
struct WarpgroupInput {
  using Rows = StagedRows<T, Bits, Columns>;
  using Sums = float (&)[kGemmSets][Columns / 8][4];
  using Fragments = unsigned (&)[kGemmSets][kGemmScaled][4];
  using Scales = float (&)[kGemmSets][2];

  __device__ static void publish() { ptx::async_proxy_fence(); }

  __device__ static void multiply(Sums sums, Fragments a, Scales scales, const T* stage, int first) {
    constexpr int kBytes = static_cast<int>(sizeof(T));
    float part[kGemmSets][Columns / 8][4] = {};
    ptx::wgmma_begin<kGemmSets * Columns / 8, kGemmSets * kGemmScaled>(part[0], a[0]);
#pragma unroll
    for (int i = 0; i < kGemmScaled; ++i) {
      const auto x = ptx::shared_matrix(stage + Rows::matrix(0, 0, first + i), Rows::kHalf * kBytes, Rows::kSteps * Rows::kMatrix * kBytes);
#pragma unroll
      for (int s = 0; s < kGemmSets; ++s) ptx::wgmma_m64k16<T, Columns, false>(part[s], a[s][i], x);
    }
    ptx::wgmma_finish<kGemmSets * Columns / 8, kGemmSets * kGemmScaled>(part[0], a[0]);
    add_scaled<Columns / 8>(sums, scales, part, 0);
  }
};

template <typename T, int Bits, int Columns, typename Output, template <typename, int, int> class Input,
          template <typename, int> class Meaning = AffineMeaning>
__global__ void __launch_bounds__(kGemmThreads, kGemmBlocks) quantized_gemm(QuantizedGemmParams p) {
  using Rows = StagedRows<T, Bits, Columns>;
  using Product = Input<T, Bits, Columns>;
  using Tile = ProductTile<kGemmWarps, 1, kGemmSets, Columns / 8, Output::kGated>;
  constexpr int kFragments = Columns / 8;
  T* staged = reinterpret_cast<T*>(ptx::dynamic_shared());  // [stage][Rows::kElements]
  // The sums of the phases before, in Tile's places. In registers they would make others spill.
  float* totals = reinterpret_cast<float*>(staged + kGemmStages * Rows::kElements);
  const int lane = threadIdx.x % kWarpSize;
  const int g = lane / 4;
  const int first_row = blockIdx.y * Columns;
  const int splits = gridDim.z;
  const int tiles = p.weight.tiles;
  const int first_phase = blockIdx.z * (kGemmPhases / splits);
  const int end_phase = min(first_phase + kGemmPhases / splits, tiles);
  int steps = 0;
  for (int phase = first_phase; phase < end_phase; ++phase) steps += (tiles - phase + kGemmPhases - 1) / kGemmPhases;
  const int own = blockIdx.x * kGemmWarps + threadIdx.x / kWarpSize;
  const int last = (p.outputs + kTileRows - 1) / kTileRows - 1;

  const auto row_block = [&](int s) { return Output::kGated ? own : own * kGemmSets + s; };
  const auto load = [&](int tile, GemmTile<Bits>(&to)[kGemmSets]) {
#pragma unroll
    for (int s = 0; s < kGemmSets; ++s) {
      // Rows beyond the last are multiplied as the last are, for warps work together, and nothing of them is stored.
      const int block = min(row_block(s), last) + (Output::kGated ? s * p.up_block : 0);
      to[s].codes = ptx::load_streaming(p.weight.codes + (static_cast<size_t>(block) * p.weight.tiles + tile) * kWarpSize + lane);
#pragma unroll
      for (int i = 0; i < GemmTile<Bits>::kScales; ++i) {
        const int group = p.weight.group_of(tile * Codes<Bits>::kTileColumns + i * kGemmScaled * kStepColumns);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          to[s].scale[i][half] = Meaning<T, Bits>::scale(p.weight, block, group, g + 8 * half);
          to[s].zero[i][half] = Meaning<T, Bits>::zero(p.weight, block, group, g + 8 * half);
        }
      }
    }
  };
  const auto stage_of = [&](int step) { return staged + step % kGemmStages * Rows::kElements; };

  // Weights do not depend on the launch before: the first are under way while it finishes.
  TileWalk walk{first_phase, tiles};
  GemmTile<Bits> next[kGemmSets];
  if (steps > 0) load(first_phase, next);
  ptx::wait_for_previous_launch();
  ptx::allow_next_launch();

  TileWalk ahead = walk;
#pragma unroll
  for (int i = 0; i < kGemmStages - 1; ++i) {
    if (i < steps) Rows::fill(stage_of(i), p, first_row, ahead.tile * Codes<Bits>::kTileColumns);
    ptx::cp_async_commit();
    ahead.advance();
  }

  float sums[kGemmSets][kFragments][4] = {};
  for (int step = 0; step < steps; ++step) {
    GemmTile<Bits> now[kGemmSets];
#pragma unroll
    for (int s = 0; s < kGemmSets; ++s) now[s] = next[s];
    const bool ends_phase = walk.ends_phase();
    const int phase = walk.phase();
    walk.advance();
    if (step + 1 < steps) load(walk.tile, next);
    ptx::cp_async_wait<kGemmStages - 2>();
    Product::publish();
    __syncthreads();
    if (step + kGemmStages - 1 < steps) {
      Rows::fill(stage_of(step + kGemmStages - 1), p, first_row, ahead.tile * Codes<Bits>::kTileColumns);
      ahead.advance();
    }
    ptx::cp_async_commit();

#pragma unroll
    for (int i = 0; i < GemmTile<Bits>::kScales; ++i) {
      unsigned a[kGemmSets][kGemmScaled][4];
      float scales[kGemmSets][2];
#pragma unroll
      for (int s = 0; s < kGemmSets; ++s) {
        scales[s][0] = now[s].scale[i][0];
        scales[s][1] = now[s].scale[i][1];
        const unsigned words[4] = {now[s].codes.x, now[s].codes.y, now[s].codes.z, now[s].codes.w};
        const typename Meaning<T, Bits>::Numbers unpacker(now[s].zero[i][0], now[s].zero[i][1]);
#pragma unroll
        for (int step = 0; step < kGemmScaled; ++step) unpacker.unpack(words, i * kGemmScaled + step, a[s][step]);
      }
      Product::multiply(sums, a, scales, stage_of(step), i * kGemmScaled);
    }

    if (!ends_phase) continue;
    if (splits > 1) leave_part<Tile>(p.partial, phase, p.rows - first_row, sums);
    for_sums<Tile>([&](int s, int f, int j) {
      float& total = totals[Tile::own_place(s, f, j)];
      if (splits == 1) total = (phase == 0 ? 0.0f : total) + sums[s][f][j];
      sums[s][f][j] = 0.0f;
    });
  }

  if (splits > 1) {
    if (!is_last_part(p.counters, reinterpret_cast<int*>(staged))) return;
    add_parts<Tile>(p.partial, min(kGemmPhases, tiles), p.rows - first_row, totals);
  }
  store_tile<T, Tile, Output>(p, OneMatrix(p, blockIdx.y), totals, first_row, blockIdx.x * Tile::kOutputs);
}

}  // namespace weft

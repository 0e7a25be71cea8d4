// y[n, m] = Σ_k x[n, k] · W[m, k] for at most 8 rows n: every weight is read once, past L1, 16 bytes a lane.
//   W [M, w_stride] T, zero beyond K        x [N, x_stride] T, or float32 that is normed on the way (RmsInput)
//   y [N, y_stride] T or float32
// A block owns Sets · 16 rows of W; its eight warps take turns along K in chunks of 32, so that a block walks each row in one piece and
// even 2048 rows of W keep every multiprocessor busy. A warp multiplies a chunk with tensor cores: 16 rows of W by the 8 columns of the
// batch, float32 sums. What a lane loads is its fragment: the matrix unit sums over k in any order, so lane (g, t) may give it the 8
// neighbouring elements k = 8t … 8t + 7 of rows g and g + 8 where its layout says {2t, 2t + 1, 2t + 8, 2t + 9} of two chunks, as long as x
// does the same. No weight is converted and none goes through shared memory.
// A row's result depends on its own x only, in one order whatever N, Sets and the grid are; gemm.cu keeps to it for more rows.
// docs/kernels.md has the bytes.
#include "common/expert_rows.cuh"
#include "common/product_output.cuh"
#include "common/row_norm.cuh"

namespace weft {

struct GemvParams {
  const void* x;  // rows may be read to the next multiple of 8 elements; what lies there counts for nothing
  const void* weight;
  const float* bias;         // [M] or null
  const float* norm_weight;  // [K], RmsInput only
  const int* drawn;          // [N] whether a row's token was drawn, RmsInput only
  void* y;
  int rows;     // N ≤ 8
  int outputs;  // M; when gated, rows m and M + m of W make output m
  int inner;    // K
  int x_stride;
  int w_stride;
  int y_stride;
  float epsilon;
  float norm_offset;
};

constexpr int kGemvThreads = kNormThreads;
constexpr int kGemvWarps = kGemvThreads / kWarpSize;
constexpr int kGemvBlocks = 2;   // of a multiprocessor: one's sums and norms hide behind the others' loads
constexpr int kGemvRows = 16;    // of W in a fragment
constexpr int kGemvColumns = 8;  // of xᵀ in a fragment: the most rows of a batch
constexpr int kGemvChunk = 32;   // elements of K that a warp's load takes of each row
constexpr int kGemvStep = kGemvWarps * kGemvChunk;
constexpr int kGemvTile = kGemvRows * kGemvColumns;

// Staged rows lie an odd number of chunks apart: the two rows that a quarter of a warp reads are then in different banks.
__device__ inline int staged_stride(int inner) { return ((inner + kGemvChunk - 1) / kGemvChunk | 1) * kGemvChunk; }

// Rows as they are. A block reads each once, so there is nothing to share: fragments come straight from global memory.
struct PlainInput {
  static constexpr bool kStaged = false;

  template <typename T>
  __device__ static void stage(const GemvParams&, T*, float*) {}

  // Of row n of x.
  template <typename T>
  __device__ static uint4 load(const GemvParams& p, int n, int k) {
    const uint4 x = *reinterpret_cast<const uint4*>(static_cast<const T*>(p.x) + static_cast<size_t>(n) * p.x_stride + k);
    return p.inner - k < kVec ? first_of8(x, p.inner - k) : x;
  }
};

// Rows of the residual stream, normed and rounded as the norm's own kernel does it, to the last bit: more rows than these take that way.
// Those of two parts are multiplied twice: the matrix units have nothing else to do.
struct RmsInput {
  static constexpr bool kStaged = true;

  template <typename T>
  __device__ static void stage(const GemvParams& p, T* staged, float* scratch) {
    const int lane = threadIdx.x % kWarpSize;
    const int warp = threadIdx.x / kWarpSize;
    // rms_scale of every row at once: the same order of sums, but one wait for memory and one barrier.
    float scales[kGemvColumns] = {};
    for (int c = threadIdx.x * kVec; c < p.inner; c += kGemvThreads * kVec) {
#pragma unroll
      for (int n = 0; n < kGemvColumns; ++n) {
        if (n >= p.rows) break;
        float x[kVec];
        load_row(p, n, c, x);
#pragma unroll
        for (int i = 0; i < kVec; ++i) scales[n] += x[i] * x[i];
      }
    }
#pragma unroll
    for (int n = 0; n < kGemvColumns; ++n) {
      if (n >= p.rows) break;
      const float sum = warp_reduce<Sum>(scales[n]);
      if (lane == 0) scratch[n * kGemvWarps + warp] = sum;
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < kGemvColumns; ++n) {
      if (n >= p.rows) break;
      const float sum = warp_reduce<Sum>(lane < kGemvWarps ? scratch[n * kGemvWarps + lane] : 0.0f);
      scales[n] = rsqrtf(sum / p.inner + p.epsilon);
    }

    const int stride = staged_stride(p.inner);
    for (int c = threadIdx.x * kVec; c < p.inner; c += kGemvThreads * kVec) {
      float weight[kVec];
      load8(p.norm_weight + c, p.inner - c, weight);
#pragma unroll
      for (int n = 0; n < kGemvColumns; ++n) {
        if (n >= p.rows) break;
        float x[kVec];
        load_row(p, n, c, x);
#pragma unroll
        for (int i = 0; i < kVec; ++i) x[i] = x[i] * scales[n] * (weight[i] + p.norm_offset);
        *reinterpret_cast<uint4*>(staged + n * stride + c) = round8<T>(x);
        if constexpr (NormedParts<T>::kCount == 2) {
          *reinterpret_cast<uint4*>(staged + (p.rows + n) * stride + c) = p.drawn[n] ? pack8<T>(x) : make_uint4(0, 0, 0, 0);
        }
      }
    }
    __syncthreads();
  }

 private:
  __device__ static void load_row(const GemvParams& p, int n, int c, float (&x)[kVec]) {
    load8(static_cast<const float*>(p.x) + static_cast<size_t>(n) * p.x_stride + c, x);
    if (p.inner - c >= kVec) return;
#pragma unroll
    for (int i = 0; i < kVec; ++i) x[i] = c + i < p.inner ? x[i] : 0.0f;
  }
};

// The rows g and g + 8 of each set that a lane loads. Rows beyond the last are read as the last and not stored.
template <typename T, int Sets, bool Gated>
struct WeightRows {
  const T* row[Sets][2];

  template <typename Rows, typename Params>
  __device__ void open(const Params& p, const Rows& group, int tile, int g) {
#pragma unroll
    for (int s = 0; s < Sets; ++s) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int m = (Gated ? tile : tile * Sets + s) * kGemvRows + g + half * kGemvRows / 2;
        const int w = group.weight(p, min(m, p.outputs - 1), Gated && s == 1);
        row[s][half] = static_cast<const T*>(p.weight) + static_cast<size_t>(w) * p.w_stride;
      }
    }
  }

  __device__ void load(int k, int inner, uint4 (&w)[Sets][2]) const {
#pragma unroll
    for (int s = 0; s < Sets; ++s) {
#pragma unroll
      for (int half = 0; half < 2; ++half) w[s][half] = k < inner ? ptx::load_streaming(row[s][half] + k) : make_uint4(0, 0, 0, 0);
    }
  }
};

// sums += W · xᵀ over a chunk.
template <typename T, int Sets>
__device__ inline void multiply(float (&sums)[Sets][4], const uint4 (&w)[Sets][2], uint4 x) {
#pragma unroll
  for (int s = 0; s < Sets; ++s) {
    const uint4(&a)[2] = w[s];
    const unsigned low[4] = {a[0].x, a[1].x, a[0].y, a[1].y};
    const unsigned high[4] = {a[0].z, a[1].z, a[0].w, a[1].w};
    ptx::mma_m16n8k16<T>(sums[s], low, x.x, x.y);
    ptx::mma_m16n8k16<T>(sums[s], high, x.z, x.w);
  }
}

// Rows says which rows of x meet which of W; with ExpertRows a block along grid.y has a tile of at most 8.
template <typename T, int Sets, typename Input, typename Output, typename Rows = OneMatrix>
__global__ void __launch_bounds__(kGemvThreads, kGemvBlocks) gemv(typename Rows::template With<GemvParams> p) {
  static_assert(!Output::kGated || Sets == 2, "gate and up are a set each");
  constexpr int kTiles = Output::kGated ? 1 : Sets;                  // of y
  constexpr int kDepth = 4 / Sets;                                   // loads of a row under way: 4 KiB a warp
  float* partial = reinterpret_cast<float*>(ptx::dynamic_shared());  // [warp][set][16][8]
  T* staged = reinterpret_cast<T*>(partial + kGemvWarps * Sets * kGemvTile);
  const int lane = threadIdx.x % kWarpSize;
  const int warp = threadIdx.x / kWarpSize;
  const int g = lane / 4;
  const int first = warp * kGemvChunk + lane % 4 * kVec;
  const int tiles = (p.outputs + kTiles * kGemvRows - 1) / (kTiles * kGemvRows);

  const Rows group(p, blockIdx.y);
  if (group.empty()) return;
  const int first_row = Rows::kKnownAhead ? 0 : group.first(p, blockIdx.y, kGemvColumns);
  const int rows_here = group.end(p) - first_row;

  // Weights of one matrix do not depend on the launch before: the first are under way while it finishes and while x is normed.
  WeightRows<T, Sets, Output::kGated> rows;
  uint4 w[kDepth][Sets][2];
  rows.open(p, group, blockIdx.x, g);
#pragma unroll
  for (int d = 0; d < kDepth; ++d) rows.load(first + d * kGemvStep, p.inner, w[d]);

  if constexpr (Rows::kKnownAhead) ptx::wait_for_previous_launch();
  Input::stage(p, staged, partial);
  ptx::allow_next_launch();

  const int stride = staged_stride(p.inner);
  const int own_row = Rows::kKnownAhead || g < rows_here ? group.source(p, first_row + g) : 0;
  for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const auto takes = [&](int k) { return g < rows_here && k < p.inner; };
    uint4 x[kDepth] = {};
    if constexpr (!Input::kStaged) {
#pragma unroll
      for (int d = 0; d < kDepth; ++d)
        if (takes(first + d * kGemvStep)) x[d] = Input::template load<T>(p, own_row, first + d * kGemvStep);
    }

    float sums[Sets][4] = {};
    for (int k = first; k - first < p.inner; k += kDepth * kGemvStep) {
#pragma unroll
      for (int d = 0; d < kDepth; ++d) {
        const int at = k + d * kGemvStep;
        const int next = at + kDepth * kGemvStep;
        if constexpr (Input::kStaged) {
#pragma unroll
          for (int part = 0; part < NormedParts<T>::kCount; ++part) {
            uint4 staged_x = make_uint4(0, 0, 0, 0);
            if (takes(at)) staged_x = *reinterpret_cast<const uint4*>(staged + (part * p.rows + g) * stride + at);
            multiply<T>(sums, w[d], staged_x);
          }
        } else {
          multiply<T>(sums, w[d], x[d]);
          x[d] = takes(next) ? Input::template load<T>(p, own_row, next) : make_uint4(0, 0, 0, 0);
        }
        rows.load(next, p.inner, w[d]);
      }
    }

    // The next tile's weights come while this one's sums are added up.
    if (tile + gridDim.x < tiles) {
      rows.open(p, group, tile + gridDim.x, g);
#pragma unroll
      for (int d = 0; d < kDepth; ++d) rows.load(first + d * kGemvStep, p.inner, w[d]);
    }

#pragma unroll
    for (int s = 0; s < Sets; ++s) {
      float* target = partial + (warp * Sets + s) * kGemvTile + lane * 2;  // row g, columns 2t and 2t + 1
      *reinterpret_cast<float2*>(target) = make_float2(sums[s][0], sums[s][1]);
      *reinterpret_cast<float2*>(target + kGemvTile / 2) = make_float2(sums[s][2], sums[s][3]);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < kTiles * kGemvTile; i += kGemvThreads) {
      const int set = i / kGemvTile;
      const int n = i % kGemvTile / kGemvRows;
      const int row = i % kGemvRows;
      const int m = (tile * kTiles + set) * kGemvRows + row;
      if (m >= p.outputs || n >= rows_here) continue;
      const float* source = partial + set * kGemvTile + row * kGemvColumns + n;
      float value = 0.0f, up = 0.0f;
#pragma unroll
      for (int from = 0; from < kGemvWarps; ++from) {
        value += source[from * Sets * kGemvTile];
        if constexpr (Output::kGated) up += source[(from * Sets + 1) * kGemvTile];
      }
      if (p.bias) {
        value += p.bias[group.weight(p, m, false)];
        if constexpr (Output::kGated) up += p.bias[group.weight(p, m, true)];
      }
      group.template limit<Output>(p, value, up);
      Output::template store<T>(p.y, static_cast<size_t>(first_row + n) * p.y_stride + m, value, up);
    }
    __syncthreads();
  }
}

}  // namespace weft

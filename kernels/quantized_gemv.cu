// y[n, m] = Σ_k x[n, k] · W[m, k] for at most 8 rows n and quantized W: every code is read once, past L1, 16 bytes a lane, and becomes a
// number in registers.
//   W tiles of codes, scales and zero points (common/codes.cuh)      x [N, x_stride] T      y [N, y_stride] T or float32
// A block owns 16 rows of W, or when gated 16 of gate and 16 of up; its eight warps take turns along K, a tile at a time. A warp multiplies
// 32 columns with tensor cores, code − zero point being exact in T, and scales the sums in float32: what is rounded is x alone, but for zero
// points between codes. Warps' sums are added in order, so a row's result depends on its own x only, whatever N is.
#include "common/codes.cuh"
#include "common/expert_rows.cuh"
#include "common/product_output.cuh"

namespace weft {

struct QuantizedGemvParams {
  const void* x;
  QuantizedWeight weight;
  const float* bias;  // [M] or null
  void* y;
  int rows;      // N ≤ 8
  int outputs;   // M
  int inner;     // K
  int up_block;  // when gated: the row block where up begins
  int x_stride;
  int y_stride;
};

constexpr int kQuantizedWarps = 8;
constexpr int kQuantizedThreads = kQuantizedWarps * kWarpSize;
constexpr int kQuantizedRows = 8;  // of x in a fragment
constexpr int kQuantizedTile = kTileRows * kQuantizedRows;
constexpr int kScaledSteps = 2;  // steps of 32 columns, the smallest group, share a scale

// Blocks of a multiprocessor, when gated: as many as the compiler likes, but where it would rather spill than have three.
template <template <typename, int> class Meaning>
constexpr int kGatedBlocks = 0;
template <>
constexpr int kGatedBlocks<FractionalMeaning> = 3;

// x[4] of a row from column k on, zero from the last on.
template <typename T>
__device__ inline uint2 load_input(const QuantizedGemvParams& p, bool exists, int n, int k) {
  if (!exists || k >= p.inner) return make_uint2(0, 0);
  uint2 x = *reinterpret_cast<const uint2*>(static_cast<const T*>(p.x) + static_cast<size_t>(n) * p.x_stride + k);
  const int count = p.inner - k;
  if (count < 4) {
    x.x &= count > 1 ? 0xffffffffu : 0xffffu;
    x.y &= count > 2 ? 0xffffu : 0u;
  }
  return x;
}

// Rows says which rows of x meet which of W; with ExpertRows a block along grid.y has a tile of at most 8, and experts' rows of W are whole
// blocks of 16.
template <typename T, int Bits, typename Output, typename Rows = OneMatrix, template <typename, int> class Meaning = AffineMeaning>
__global__ void __launch_bounds__(kQuantizedThreads, Output::kGated ? kGatedBlocks<Meaning> : 0)
    quantized_gemv(typename Rows::template With<QuantizedGemvParams> p) {
  constexpr int kSets = Output::kGated ? 2 : 1;
  constexpr int kDepth = 4 / kSets;                                  // loads under way: 2 KiB a warp
  float* partial = reinterpret_cast<float*>(ptx::dynamic_shared());  // [warp][set][16][8]
  const int lane = threadIdx.x % kWarpSize;
  const int warp = threadIdx.x / kWarpSize;
  const int g = lane / 4;
  const int t = lane % 4;
  const Rows group_rows(p, blockIdx.y);
  if (group_rows.empty()) return;
  const int first_row = Rows::kKnownAhead ? 0 : group_rows.first(p, blockIdx.y, kQuantizedRows);
  const int rows_here = group_rows.end(p) - first_row;
  const int block = Rows::kKnownAhead ? blockIdx.x : group_rows.weight(p, blockIdx.x * kTileRows, false) / kTileRows;

  const auto load = [&](int tile, uint4(&codes)[kSets]) {
#pragma unroll
    for (int s = 0; s < kSets; ++s) {
      const size_t at = (static_cast<size_t>(block + s * p.up_block) * p.weight.tiles + tile) * kWarpSize + lane;
      codes[s] = tile < p.weight.tiles ? ptx::load_streaming(p.weight.codes + at) : make_uint4(0, 0, 0, 0);
    }
  };

  // Weights of one matrix do not depend on the launch before: the first are under way while it finishes.
  uint4 codes[kDepth][kSets];
#pragma unroll
  for (int d = 0; d < kDepth; ++d) load(warp + d * kQuantizedWarps, codes[d]);
  if constexpr (Rows::kKnownAhead) ptx::wait_for_previous_launch();
  ptx::allow_next_launch();
  const int own_row = Rows::kKnownAhead || g < rows_here ? group_rows.source(p, first_row + g) : 0;

  float sums[kSets][4] = {};
  for (int first = warp; first < p.weight.tiles; first += kDepth * kQuantizedWarps) {
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      const int tile = first + d * kQuantizedWarps;
      if (tile >= p.weight.tiles) break;
#pragma unroll
      for (int step = 0; step < Codes<Bits>::kSteps; step += kScaledSteps) {
        const int column = tile * Codes<Bits>::kTileColumns + step * kStepColumns;
        const int group = p.weight.group_of(column);
        uint2 x[kScaledSteps];
#pragma unroll
        for (int i = 0; i < kScaledSteps; ++i) x[i] = load_input<T>(p, g < rows_here, own_row, column + i * kStepColumns + 4 * t);
#pragma unroll
        for (int s = 0; s < kSets; ++s) {
          const int from = block + s * p.up_block;
          const auto unpacker = Meaning<T, Bits>::unpacker(p.weight, from, group, g);
          const unsigned words[4] = {codes[d][s].x, codes[d][s].y, codes[d][s].z, codes[d][s].w};
          float part[4] = {};
#pragma unroll
          for (int i = 0; i < kScaledSteps; ++i) {
            unsigned a[4];
            unpacker.unpack(words, step + i, a);
            ptx::mma_m16n8k16<T>(part, a, x[i].x, x[i].y);
          }
          const float lower = Meaning<T, Bits>::scale(p.weight, from, group, g);
          const float upper = Meaning<T, Bits>::scale(p.weight, from, group, g + 8);
          sums[s][0] += lower * part[0];
          sums[s][1] += lower * part[1];
          sums[s][2] += upper * part[2];
          sums[s][3] += upper * part[3];
        }
      }
      load(tile + kDepth * kQuantizedWarps, codes[d]);
    }
  }

#pragma unroll
  for (int s = 0; s < kSets; ++s) {
    float* target = partial + (warp * kSets + s) * kQuantizedTile + lane * 2;  // row g, columns 2t and 2t + 1
    *reinterpret_cast<float2*>(target) = make_float2(sums[s][0], sums[s][1]);
    *reinterpret_cast<float2*>(target + kQuantizedTile / 2) = make_float2(sums[s][2], sums[s][3]);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kQuantizedTile; i += kQuantizedThreads) {
    const int n = i / kTileRows;
    const int row = i % kTileRows;
    const int m = blockIdx.x * kTileRows + row;
    if (m >= p.outputs || n >= rows_here) continue;
    float value = 0.0f, up = 0.0f;
#pragma unroll
    for (int from = 0; from < kQuantizedWarps; ++from) {
      const float* source = partial + from * kSets * kQuantizedTile + row * kQuantizedRows + n;
      value += source[0];
      if constexpr (Output::kGated) up += source[kQuantizedTile];
    }
    if (p.bias) {
      value += p.bias[group_rows.weight(p, m, false)];
      if constexpr (Output::kGated) up += p.bias[group_rows.weight(p, m, true)];
    }
    group_rows.template limit<Output>(p, value, up);
    Output::template store<T>(p.y, static_cast<size_t>(first_row + n) * p.y_stride + m, value, up);
  }
}

}  // namespace weft
